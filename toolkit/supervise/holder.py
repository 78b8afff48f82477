"""Who supervises a build, written so that anybody on the same host can tell later whether that process still lives."""

from __future__ import annotations

import os
from typing import Literal

HERE = os.uname().nodename

Fate = Literal["alive", "dead", "unknown"]


def this_process() -> str:
    """Name this process for ever: `HOST/BOOT-ID~MACHINE~PID-NAMESPACE/PID/START-TICKS`."""
    return f"{HERE}/{_here()}/{os.getpid()}/{_start_ticks(os.getpid())}"


def fate(holder: str) -> Fate:
    """Tell what became of a holder; of one on another host, or in another container, nothing is known here.

    | host, machine | boot | pid namespace | the process                                             |
    | ------------- | ---- | ------------- | ------------------------------------------------------- |
    | others        |      |               | unknown                                                 |
    | ours          | past |               | dead: the machine was started anew                      |
    | ours          | ours | another       | unknown: its number means nothing here                  |
    | ours          | ours | ours          | alive while a process of this number and start time is  |
    """
    parts = holder.rsplit("/", 3)
    if len(parts) != 4 or parts[0] != HERE or not parts[2].isdigit():  # noqa: PLR2004 - the four parts of a holder
        return "unknown"
    boot, machine, namespace = [*parts[1].split("~"), "", ""][:3]
    our_boot, our_machine, our_namespace = _here().split("~")
    if machine not in {"", our_machine}:
        return "unknown"
    if boot != our_boot:
        return "dead"
    if namespace not in {"", our_namespace}:
        return "unknown"
    return "alive" if _start_ticks(int(parts[2])) == parts[3] else "dead"


def is_dead(holder: str) -> bool:
    """Tell whether the process is known to be gone."""
    return fate(holder) == "dead"


def spoken(holder: str | None) -> str:
    """Name a holder as a person wants to hear it: `process 4711 on builder1`."""
    parts = (holder or "").rsplit("/", 3)
    return f"process {parts[2]} on {parts[0]}" if len(parts) == 4 else f"{holder}"  # noqa: PLR2004 - as above


def _here() -> str:
    """Name this boot of this machine, and the pid namespace we are in."""
    return f"{_boot_id()}~{_read('/etc/machine-id')[:12]}~{_namespace()}"


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id") or "unknown-boot"


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").removeprefix("pid:[").removesuffix("]")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _start_ticks(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when there is none (a zombie has ended)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {b"Z", b"X"} else fields[19].decode("ascii")
