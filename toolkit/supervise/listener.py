"""What the build says, in order, on the recorder's thread: output to the log, markers and requests to the conductor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.supervise.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.markers import MarkerScanner
    from toolkit.supervise.conductor import Conductor
    from toolkit.supervise.wire import Wire


class Listener:
    """Implements `process.Recorder` for one run."""

    def __init__(self, conductor: Conductor, scanner: MarkerScanner, wire: Wire | None) -> None:
        """Listen for `conductor`; without a wire only markers can tell states."""
        self._conductor = conductor
        self._scanner = scanner
        self._wire = wire
        self._watch = Watch(self._overdue, lambda: conductor.may_go_unrecorded)

    def output(self, stream: int, data: bytes, at: float) -> None:  # noqa: ARG002 - the time is for other recorders
        """Keep a piece of output, cut at the markers in it."""
        for piece in self._scanner.feed(stream, data):
            marker = piece.marker
            if marker is not None and marker.status == "started":
                self._conductor.marked(marker)
            if piece.data:
                self._conductor.said(stream, piece.data)
            if marker is not None and marker.status != "started":
                self._conductor.marked(marker)

    def when_hung(self, act: Callable[[], None]) -> None:
        """Have `act` called once a request waits too long."""
        self._watch.hung = act

    def announce(self, payload: bytes) -> None:
        """Take note, on the thread that reads the wire, that requests came in."""
        for line in payload.splitlines():
            self._watch.arrived(line)

    def request(self, payload: bytes) -> None:
        """Answer requests of the state helper."""
        for line in payload.splitlines():
            asked = self._wire.parse(line) if self._wire is not None else None
            reply = None if asked is None else self._conductor.asked(asked)
            wanted = self._watch.taken(line)
            if self._wire is not None and asked is not None and reply is not None and wanted:
                self._wire.answer(asked, reply)

    def trouble(self, what: str) -> None:
        """Pass trouble of the recorder on to the ledger."""
        self._conductor.ledger.trouble(what)

    def finish(self) -> None:
        """Take what is left after the last byte of output."""
        for stream in (1, 2):
            for piece in self._scanner.flush(stream):
                if piece.data:
                    self._conductor.log.write(stream, piece.data)
                if piece.marker is not None:
                    self._conductor.marked(piece.marker)
        self._watch.stop()

    def _overdue(self, line: bytes) -> None:
        """Recording hangs: let the shell go on as it would without us."""
        asked = self._wire.parse(line) if self._wire is not None else None
        if self._wire is not None and asked is not None:
            self._wire.answer(asked, self._conductor.unrecorded(asked))
            self._conductor.ledger.trouble("the store does not answer")
