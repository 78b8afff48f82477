"""What a build printed, on disk: a compressed file for each attempt, without secrets, readable while it grows.

A file is a row of independent zstd frames, none holding more than a second or a megabyte. So a crash loses little,
the rest stays readable after a torn frame, and `zstdcat` reads it too. It is compressed on the way because writing it
plain would take longer. Of an attempt that prints more than the cap, the beginning stays in the file, and the end in
two more that take turns; each of those opens with a skippable frame that holds the offset of its first byte.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from typing import TYPE_CHECKING, Self

from toolkit.supervise.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.supervise.redact import Buffer, Redactor

CAP_BYTES = 1 << 30
FRAME_BYTES = 1 << 20
FLUSH_SECONDS = 1.0
FAST, SMALL = -1, 3
"""Levels of compression: for a flood, and for what comes line by line."""
SMALL_BYTES = 1 << 16
MAGIC = b"\x28\xb5\x2f\xfd"
OFFSET_MAGIC = b"\x50\x2a\x4d\x18\x08\x00\x00\x00"
OFFSET_BYTES = 16
PLAIN_HEADER = b"\xa0"
"""One segment, its size in four bytes."""
BLOCK_BYTES = 1 << 17
MOST_PIECES = 512
FLOOD_SECONDS = 0.05
"""A full frame sooner than this after the last one is a flood."""
FAST_ENOUGH = 800e6
"""Bytes a second; slower than this, compressing costs more than writing."""
PLAIN_BYTES = 63 << 20
"""How much of a flood is then written as it is before compression is tried again."""
TAILS = (".1", ".2")
STREAMS = (1, 2)


class Spool:
    """The logs of one run. Trouble is told once for each kind and never raised."""

    def __init__(
        self,
        directory: str,
        *,
        run: int,
        redactor: Redactor,
        trouble: Callable[[str], None],
        cap: int = CAP_BYTES,
    ) -> None:
        """Keep logs in `directory`, made on the first byte; an attempt may take `cap` bytes, uncompressed."""
        self._directory = directory
        self._run = run
        self._redactor = redactor
        self._trouble = trouble
        self._cap = cap
        self._lock = threading.Condition()
        self._file: _File | None = None
        self._name = ""
        self._buffer: list[Buffer] = []
        self._buffered = 0
        self._dirty_since: float | None = None
        self._failed = False
        self._told: set[str] = set()
        self._flusher: threading.Thread | None = None
        self._closed = False

    def begin(self, state: int, attempt: int) -> None:
        """What is written from here on belongs to this attempt; one that was left is gone on with."""
        with self._lock:
            self._leave()
            self._name = log_name(self._run, state, attempt)
            self._failed = False

    def write(self, stream: int, data: bytes) -> None:
        """Keep a piece of stdout (1) or stderr (2)."""
        with self._lock:
            self._add(*self._redactor.feed(stream, data))

    def flush(self) -> None:
        """Write out what has come so far, so that it can be read."""
        with self._lock:
            for stream in STREAMS:
                self._add(*self._redactor.flush(stream))
            self._flush()

    def close(self) -> None:
        """Write everything out; nothing may follow."""
        with self._lock:
            self._leave()
            self._closed = True
            self._lock.notify()
        if self._flusher is not None:
            self._flusher.join(FLUSH_SECONDS)

    def _add(self, *pieces: Buffer) -> None:
        if self._failed or self._closed:
            return
        for data in pieces:
            if data:
                self._buffer.append(data)
                self._buffered += len(data)
        if self._buffered >= FRAME_BYTES:
            self._flush()
        elif self._buffered and self._dirty_since is None:
            self._dirty_since = monotonic()
            self._wake_flusher()

    def _leave(self) -> None:
        for stream in STREAMS:
            self._add(*self._redactor.flush(stream))
        self._flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _flush(self) -> None:
        pieces, self._buffer = self._buffer, []
        self._buffered = 0
        self._dirty_since = None
        if not pieces or self._failed:
            return
        try:
            if self._file is None:
                self._file = _File(self._directory, self._name, self._cap)
            self._file.write(pieces)
        except OSError as error:
            self._failed = True
            self._tell(f"the log of this build cannot be written: {error.strerror or error}")

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._trouble(what)

    def _wake_flusher(self) -> None:
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_in_time, name="spool", daemon=True)
            self._flusher.start()
        else:
            self._lock.notify()

    def _flush_in_time(self) -> None:
        with contextlib.suppress(Exception):  # whatever it is, who writes will say
            import zstandard  # noqa: F401 - now, while the build is at work, rather than when it has ended
        with self._lock:
            while not self._closed:
                if self._dirty_since is None:
                    self._lock.wait()
                    continue
                left = self._dirty_since + FLUSH_SECONDS - monotonic()
                if left > 0:
                    self._lock.wait(left)
                else:
                    self._flush()


class _File:
    """The files of one attempt, appended to in whole frames."""

    def __init__(self, directory: str, name: str, cap: int) -> None:
        import zstandard

        self._fast = zstandard.ZstdCompressor(level=FAST)
        self._small = zstandard.ZstdCompressor(level=SMALL)
        self._plain_left = 0
        self._flushed = 0.0
        self._name = name
        self._directory = open_private(directory)
        self._head = cap // 2
        self._turn = cap // 4
        self._written = 0
        self._in_file = 0
        self._tail = 0
        self._fd = -1
        try:
            self._open(name, os.O_APPEND)
        except OSError:
            os.close(self._directory)
            raise

    def write(self, pieces: Sequence[Buffer]) -> None:
        size = sum(map(len, pieces))
        limit = self._turn if self._tail else self._head
        if self._in_file + size > limit and self._in_file:
            self._next()
        self._append(self._frame(pieces, size))
        self._written += size
        self._in_file += size

    def _frame(self, pieces: Sequence[Buffer], size: int) -> list[Buffer]:
        """Compress, unless there is a flood and compressing would make us fall behind it."""
        began = monotonic()
        flood = began - self._flushed < FLOOD_SECONDS and size >= FRAME_BYTES
        self._flushed = began
        if flood and self._plain_left > 0:
            self._plain_left -= size
            return _plain_frame(pieces, size)
        compressing = (self._small if size < SMALL_BYTES else self._fast).compressobj(size=size)
        frame: list[Buffer] = [compressing.compress(piece) for piece in pieces]
        frame.append(compressing.flush())
        if (monotonic() - began) * FAST_ENOUGH > size:
            self._plain_left = PLAIN_BYTES
        return frame

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._directory)

    def _next(self) -> None:
        """Go on in the tail file whose turn it is, over what it held."""
        os.close(self._fd)
        self._fd = -1
        suffix = TAILS[self._tail % len(TAILS)]
        self._tail += 1
        self._in_file = 0
        self._open(self._name + suffix, os.O_TRUNC)
        self._append([OFFSET_MAGIC + self._written.to_bytes(8, "little")])

    def _open(self, name: str, how: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
        self._fd = os.open(name, flags, 0o600, dir_fd=self._directory)

    def _append(self, frame: list[Buffer]) -> None:
        end = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            for start in range(0, len(frame), MOST_PIECES):
                pieces = frame[start : start + MOST_PIECES]
                written = os.writev(self._fd, pieces)
                rest = memoryview(b"".join(pieces))[written:] if written < sum(map(len, pieces)) else memoryview(b"")
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, end)
            raise


def _plain_frame(pieces: Sequence[Buffer], size: int) -> list[Buffer]:
    """Give a zstd frame that holds its content as it is: a header, then blocks with three bytes before each."""
    frame: list[Buffer] = [MAGIC + PLAIN_HEADER + size.to_bytes(4, "little")]
    left = size
    for piece in pieces:
        view = memoryview(piece)
        while view:
            block, view = view[:BLOCK_BYTES], view[BLOCK_BYTES:]
            left -= len(block)
            frame += [(len(block) << 3 | (not left)).to_bytes(3, "little"), block]
    return frame


def log_name(run: int, state: int, attempt: int) -> str:
    """Name the file of an attempt within its build's directory."""
    return f"{run:04d}-{state:03d}-{attempt:04d}.log.zst"


def open_private(directory: str) -> int:
    """Open a directory of ours, made with its parent when missing, for this user only; OSError when it is a symlink."""
    parent, name = os.path.split(os.path.abspath(directory))
    with contextlib.suppress(FileExistsError):
        os.mkdir(parent, 0o700)
    above = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    finally:
        os.close(above)


def read_log(path: str) -> Iterator[bytes]:
    """Give the text of a log in pieces, also while it is written and after a crash; OSError when there is none.

    A torn frame gives what it holds and is passed over. Where the middle was left out, a line says how much.
    """
    position = 0
    for data in _frames(path):
        position += len(data)
        yield data
    tails = sorted(
        (offset, name) for name in (path + suffix for suffix in TAILS) if (offset := _offset(name)) is not None
    )
    for offset, name in tails:
        if offset > position:
            yield b"\n[... %d bytes left out ...]\n" % (offset - position)
            position = offset
        for data in _frames(name):
            position += len(data)
            yield data


def _offset(path: str) -> int | None:
    try:
        with _open_regular(path) as file:
            head = file.read(OFFSET_BYTES)
    except OSError:
        return None
    return int.from_bytes(head[8:], "little") if head[:8] == OFFSET_MAGIC else None


def _frames(path: str) -> Iterator[bytes]:
    import zstandard

    with _open_regular(path) as file:
        held = file.read(FRAME_BYTES)
        while held:
            if held.startswith(OFFSET_MAGIC):
                held = held[OFFSET_BYTES:] or file.read(FRAME_BYTES)
                continue
            frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                text = frame.decompress(held)
            except zstandard.ZstdError:
                more = b""
            else:
                if frame.eof:
                    yield text
                    held = frame.unused_data or file.read(FRAME_BYTES)
                    continue
                more = file.read(FRAME_BYTES)
            if more:
                held += more
                continue
            # Torn, and perhaps gone on with behind the tear.
            held, next_frame = _split(held + file.read(FRAME_BYTES))
            with contextlib.suppress(zstandard.ZstdError):
                yield zstandard.ZstdDecompressor().decompressobj().decompress(held)
            held = next_frame


def _split(held: bytes) -> tuple[bytes, bytes]:
    start = held.find(MAGIC, 1)
    return (held, b"") if start < 0 else (held[:start], held[start:])


class _open_regular:  # noqa: N801 - reads as a call of open
    """Open a file for reading that is no symlink and no device."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OSError(errno.EINVAL, "not a regular file", path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size) if size > 0 else b""
