"""Serves the image's configuration, after the start-up work that such services do."""

import email.parser  # noqa: F401 - a start-up of the usual weight
import http.server
import sys
from functools import partial

handler = partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), handler).serve_forever()
