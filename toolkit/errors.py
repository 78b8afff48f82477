"""Every expected failure of the toolkit: what happened, what to do next, and the exit code it ends with."""

from __future__ import annotations


class ToolkitError(Exception):
    """An error that a person can act on: printed as `error: …` and `hint: …`, with an exit code of its own."""

    exit_code = 70
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Take the sentence that says what happened to what; `hint` replaces the class's own advice."""
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(ToolkitError):
    """The command line asks for something that makes no sense."""

    exit_code = 2
    hint = "See the command's --help."


class ConfigurationError(ToolkitError):
    """A file that a person wrote cannot be used as it is; the message names file, line and key."""

    exit_code = 3
    hint = "Correct the file and run `toolkit check`."


class BadInput(ToolkitError):
    """Data handed to us (an import, a log, a policy file) is malformed; nothing of it was taken."""

    exit_code = 3
    hint = "Correct the input and repeat the command; nothing was changed."


class NotFound(ToolkitError):
    """What was asked for does not exist."""

    exit_code = 4
    hint = "List what there is with `toolkit builds`."


class NothingRecorded(NotFound):
    """There is no history yet."""

    hint = "Record a build with `toolkit run -- COMMAND`, or take history from elsewhere with `toolkit import`."


class StoreUnavailable(ToolkitError):
    """The history cannot be opened, read or written."""

    exit_code = 5
    hint = "Run `toolkit doctor` to see what is wrong with the store."


class StoreTooNew(StoreUnavailable):
    """The store was written by a newer toolkit."""

    hint = "Upgrade the toolkit, or name another store with --store. The file was left untouched."


class StoreDamaged(StoreUnavailable):
    """The store's file is not a readable history."""

    hint = "Run `toolkit doctor`; `toolkit export` still gets out what is readable. The file was left untouched."


class Refused(ToolkitError):
    """The request is understood and not granted now."""

    exit_code = 6


class BuildLeased(Refused):
    """Another process is the writer of this build."""

    hint = "Another toolkit process is running this build. Wait for it, or stop it."


class NotDelivered(ToolkitError):
    """Somebody whom we tell something does not take it."""

    exit_code = 5
    hint = "Look whether it runs at that address and may be reached from here; then repeat the command."
