"""The other end of the wire for programs that can do more than a shell: one request, one answer."""

from __future__ import annotations

import os

from toolkit.supervise.wire import SLOTS


def ask(address: str, verb: str, code: str, text: str) -> str | None:
    """Ask the supervisor at `TOOLKIT_WIRE` and wait for its answer; None when nobody listens.

    `reuse` is followed by what the reused state once gave, as a JSON object.

    OSError when every slot is taken by shells that live.
    """
    if not listens(address):
        return None
    pid, base, directory = address.split(":", 2)
    slot = _claim(directory)
    try:
        if len(text.encode()) > 1000 or "\n" in text:  # noqa: PLR2004 - what surely fits into one piece of a FIFO
            with open(f"{directory}/value.{slot}", "w", encoding="utf-8") as file:
                file.write(text)
            verb, text = f"{verb}-file", str(slot)
        with open(f"{directory}/req", "r+b", buffering=0) as request:
            request.write(f"{slot}\t{verb}\t{code}\t{text}\n".encode())
            with open(f"/proc/{pid}/fd/{int(base) + slot}", "rb", buffering=0) as answer:
                told = answer.readline().decode().rstrip("\n") or None
        return f"reuse {_values(f'{directory}/reply.{slot}')}" if told == "reuse values" else told
    except FileNotFoundError:
        return None
    finally:
        os.unlink(f"{directory}/slot.{slot}")


def listens(address: str) -> bool:
    """Tell whether a supervisor is there to be asked."""
    pid, _, rest = address.partition(":")
    base, _, directory = rest.partition(":")
    try:
        return os.path.samefile(f"/proc/{pid}/fd/{base}", f"{directory}/req")
    except OSError:
        return False


def left_alone(address: str) -> bool:
    """Tell whether the supervisor of a build has died that is to be resumed, not gone on with unwatched."""
    return not listens(address) and os.path.exists(f"{address.split(':', 2)[2]}/alone")


def _values(path: str) -> str:
    """Read the assignments that a shell would source."""
    import json
    import shlex

    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return json.dumps(dict(each.partition("=")[::2] for each in shlex.split(file.read())))


def _claim(directory: str) -> int:
    for slot in range(1, SLOTS + 1):
        try:
            descriptor = os.open(f"{directory}/slot.{slot}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        os.write(descriptor, f"{os.getpid()}\n".encode())
        os.close(descriptor)
        return slot
    raise OSError(11, "all answering lines are taken", directory)
