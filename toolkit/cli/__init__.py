"""The command line: each command opens, calls and prints."""
