"""The ground we stand on before anything is opened: what is closed stays closed, and the build's limits do not hit us.

Limits and placeholders go no further than this process: the child gets back what the caller had set.
"""

from __future__ import annotations

import contextlib
import os
import resource

LAST_STANDARD = 2
DESCRIPTORS = 1024
"""How many open files we want for ourselves: output, the wire, the store."""

_callers: dict[int, tuple[int, int]] = {}


def stand() -> None:
    """Do it; call this first of all in a process that will run a build. Calling it again does no harm."""
    keep_closed()
    _raise(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    _raise(resource.RLIMIT_NOFILE, DESCRIPTORS)


def give_back() -> None:
    """Set the caller's own limits, in a process that is about to become the build."""
    for what, limits in _callers.items():
        resource.setrlimit(what, limits)


def keep_closed() -> None:
    """Put a placeholder where standard input, output or error is closed, so that no file of ours ever gets that number.

    It vanishes at the next exec, so for the build the descriptor is closed as it was.
    """
    with contextlib.suppress(OSError):  # too many open files: then these three are open as well
        while (fd := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= LAST_STANDARD:
            pass
        os.close(fd)


def _raise(what: int, wanted: int) -> None:
    soft, hard = resource.getrlimit(what)
    if what in _callers or _reaches(soft, wanted):
        return
    # With privileges the hard limit as well; without, as far as it goes.
    for limits in ((wanted, hard if _reaches(hard, wanted) else wanted), (hard, hard)):
        try:
            resource.setrlimit(what, limits)
        except (OSError, ValueError):
            continue
        _callers[what] = (soft, hard)
        return


def _reaches(limit: int, wanted: int) -> bool:
    if limit == resource.RLIM_INFINITY:
        return True
    return wanted != resource.RLIM_INFINITY and limit >= wanted
