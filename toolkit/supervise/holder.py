"""Who supervises a build, written so that anybody on the same host can tell later whether that process still lives."""

from __future__ import annotations

import os

HERE = os.uname().nodename


def this_process() -> str:
    """Name this process for ever: `HOST/BOOT-ID/PID/START-TICKS`."""
    return f"{HERE}/{_boot_id()}/{os.getpid()}/{_start_ticks(os.getpid())}"


def is_dead(holder: str) -> bool:
    """Tell whether the process is known to be gone; False for one on another host, of which nothing is known here."""
    parts = holder.rsplit("/", 3)
    if len(parts) != 4 or parts[0] != HERE or not parts[2].isdigit():  # noqa: PLR2004 - the four parts of a holder
        return False
    return parts[1] != _boot_id() or _start_ticks(int(parts[2])) != parts[3]


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown-boot"


def _start_ticks(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when there is none (a zombie has ended)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {b"Z", b"X"} else fields[19].decode("ascii")
