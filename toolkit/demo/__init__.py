"""A small real build that fails once, and the unreliable server that it fails on: what `toolkit demo` shows.

`build.sh` makes an image from a file tree, using the state helper. It fetches part of it from `server.py`, a loopback
web server that fails for as many requests or seconds as it is told; `mirror/` is what that server serves.
"""
