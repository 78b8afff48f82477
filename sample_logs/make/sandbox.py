"""A place of its own for each build: own mounts, own network without a way out, own names, own small disk.

Addresses are from the ranges kept for documentation, names end in `.example`; both exist in here only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ADDRESSES = {
    "mirror.example": "192.0.2.11",
    "slow.example": "192.0.2.12",
    "git.example": "192.0.2.13",
    "index.example": "192.0.2.14",
    "registry.example": "192.0.2.15",
}
WORK, PIPELINES, TOOLS = "/build", "/srv/pipelines", "/opt/image-tools"
ENVIRONMENT = {
    "PATH": f"{TOOLS}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/build/home",
    "TMPDIR": "/build/tmp",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "NPM_CONFIG_USERCONFIG": "/dev/null",
    "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    "NPM_CONFIG_CACHE": "/build/npm",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
"""All that a build sees of the environment."""

INSIDE = "SAMPLES_INSIDE"


def enter(*, network: bool) -> None:
    """Begin this program again in namespaces of its own, unless it is in them already; `network` keeps the way out."""
    if INSIDE in os.environ:
        return
    for folder in (WORK, PIPELINES):
        Path(folder).mkdir(parents=True, exist_ok=True)
    spaces = ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--uts"] + ([] if network else ["--net"])
    os.environ[INSIDE] = "network" if network else "alone"
    os.execvp("unshare", ["unshare", *spaces, "--propagation", "private", sys.executable, *sys.argv])


def furnish(pipelines: Path) -> None:
    """Give the namespace its names, addresses and the pipelines' folder."""
    alone = os.environ[INSIDE] == "alone"
    addresses = ADDRESSES if alone else {name: f"127.0.0.{10 + n}" for n, name in enumerate(ADDRESSES, 1)}
    names = Path("/run/samples-hosts")
    names.write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in addresses.items()))
    _do("mount", "--bind", str(names), "/etc/hosts")
    _do("mount", "--bind", str(pipelines), PIPELINES)
    _do("hostname", "builder1")
    if alone:
        _do("ip", "link", "set", "lo", "up")
        for ip in addresses.values():
            _do("ip", "address", "add", f"{ip}/32", "dev", "lo")


def address(name: str) -> str:
    """Tell where a name leads in here."""
    known = (line.split() for line in Path("/etc/hosts").read_text().splitlines())
    return next(ip for ip, host in known if host == name)


def fresh_disk(size: str) -> None:
    """Give the build an empty disk of this size, such as `2g`; the one before is thrown away."""
    while os.path.ismount(WORK):
        _do("umount", "--lazy", WORK)
    _do("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "build", WORK)
    for folder in ("home", "tmp", "npm"):
        Path(WORK, folder).mkdir()


def _do(*command: str) -> None:
    subprocess.run(command, check=True)
