"""A systemd of the tests' own: the first process of a few namespaces, with no units but the ones written here."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
NEEDED = ("systemd-run", "dbus-daemon", "setpriv", "unshare", "nsenter")
BOOTING_SECONDS = 20.0

UNITS = {
    "tests.target": "[Unit]\nWants=systemd-journald.service dbus.service\n"
    "After=systemd-journald.service dbus.service\n",
    "dbus.socket": "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    "dbus.service": "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nStandardOutput=null\n"
    "ExecStart=dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation\n",
    "systemd-journald.socket": "[Socket]\nListenStream=/run/systemd/journal/stdout\n"
    "ListenDatagram=/run/systemd/journal/socket\nPassCredentials=yes\n",
    "systemd-journald.service": "[Unit]\nRequires=systemd-journald.socket\n[Service]\nType=notify\n"
    "StandardOutput=null\nExecStart=/lib/systemd/systemd-journald\n",
    **dict.fromkeys(("sysinit.target", "basic.target", "shutdown.target", "sockets.target"), "[Unit]\n"),
}
"""All that is ever started: the machine's own units would set it up anew, its folder for temporary files included."""

BOOT = """
set -e
units=$1 kept=$2; shift 2
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/kept/base
mount --bind "$kept" /run/kept/base
for folder; do mkdir -p "/run/kept$folder"; mount --bind "$folder" "/run/kept$folder"; done
cp -r "$units" /run/units
while read -r _ place _; do
    case $place in
        /proc | /dev | /dev/* | /sys/fs/cgroup | /run | /run/kept/base) ;;
        *) mount -o remount,bind,ro "$place" 2> /dev/null || : ;;
    esac
done < /proc/self/mounts
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
if (: > /usr/written) 2> /dev/null || (: > /proc/sys/kernel/hostname) 2> /dev/null; then
    echo 'the file system cannot be kept from changes' >&2
    exit 1
fi
mount -t tmpfs tmpfs /tmp
for folder in "$@"; do mkdir -p "$folder"; mount --bind "/run/kept$folder" "$folder"; done
mkdir -p "$kept"
mount --bind /run/kept/base "$kept"
: > /run/console
mount --bind /run/console /dev/console
mount --bind /run/console /dev/kmsg
exec env -i container=tests SYSTEMD_UNIT_PATH=/run/units SYSTEMD_GENERATOR_PATH=/run/none PATH="$PATH" \\
    SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none /lib/systemd/systemd --system --log-target=console --unit=tests.target
"""
"""Nothing but the kept folder can be written to, whatever is started; $1 units, $2 that folder, then what is read."""

ENTER = """#!/bin/sh
exec nsenter --target {pid} --mount --pid --cgroup --ipc --uts --net -- \\
    sh -c 'cd "$0" && exec bash "$@"' "$PWD" "$@"
"""


class CannotBoot(Exception):
    """Why there is no systemd to be had here."""


class Booted:
    """One systemd; `shell` is a program that runs bash with it as the first process."""

    def __init__(self, folder: Path) -> None:
        """Boot it, with everything under `folder`'s parent shared and writable; CannotBoot when that is impossible."""
        if missing := [name for name in NEEDED if not shutil.which(name)] or [""] * (not SYSTEMD.exists()):
            raise CannotBoot(f"not installed: {' '.join(missing).strip() or 'systemd'}")
        if os.geteuid():
            raise CannotBoot("only root can boot a systemd")
        self._group = _groups() / f"toolkit-tests-{os.getpid()}"
        self._units = folder / "units"
        self._units.mkdir(parents=True)
        for name, text in UNITS.items():
            plain = text if "[Unit]" in text else f"[Unit]\n{text}"
            (self._units / name).write_text(plain.replace("[Unit]\n", "[Unit]\nDefaultDependencies=no\n", 1))
        self.shell = folder / "bash"
        try:
            self._group.mkdir()
        except OSError as error:
            raise CannotBoot(f"no control group of its own: {error.strerror}") from error
        try:
            self._boot(folder)
        except BaseException:
            self.end()
            raise

    def _boot(self, folder: Path) -> None:
        words, members = folder / "words", self._group / "cgroup.procs"
        read = sorted({str(ROOT), sys.prefix, sys.base_prefix})
        self._process = boot = subprocess.Popen(
            ["sh", "-c", 'exec 2> "$0"; echo $$ > "$1" && shift && exec "$@"', str(words), str(members),
             "setpriv", "--pdeathsig", "KILL",
             "unshare", "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net", "--mount-proc", "--kill-child",
             "sh", "-c", BOOT, "boot", str(self._units), str(folder.parent), *read],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + BOOTING_SECONDS
        while time.monotonic() < deadline and boot.poll() is None:
            if pid := _first_child(boot.pid):
                self.shell.write_text(ENTER.format(pid=pid))
                self.shell.chmod(0o755)
                asked = [str(self.shell), "-c", "systemctl is-active tests.target"]
                if not subprocess.run(asked, capture_output=True, check=False).returncode:
                    return
            time.sleep(0.05)
        self._kill()
        raise CannotBoot(f"systemd did not come up: {words.read_text('utf-8').strip() or 'it said nothing'}")

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait(BOOTING_SECONDS)

    def end(self) -> None:
        """Kill everything in it and leave nothing."""
        self._kill()
        deadline = time.monotonic() + BOOTING_SECONDS
        while self._group.exists() and time.monotonic() < deadline:
            for path, _, _ in os.walk(self._group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
            time.sleep(0.02)


def _groups() -> Path:
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise CannotBoot("control groups of version 2 are not mounted")


def _first_child(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split(" ", 1)[0]
    return ""
