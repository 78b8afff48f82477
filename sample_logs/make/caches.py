"""Fetches once what the builds need - packages, wheels, tarballs, a kernel - laid out as the sandbox serves it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import sandbox
from mirror import cached

from toolkit.demo.server import FaultyServer

KERNEL = Path(os.environ.get("SAMPLES_CACHE", "/var/cache/sample-logs")) / "kernel"
PLACES = {
    "golden-image": {"MIRROR": "http://mirror.example/debian"},
    "app-appliance": {
        "GIT_URL": "http://git.example/appliance.git",
        "PIP_INDEX": "http://index.example/simple",
        "NPM_REGISTRY": "http://registry.example/",
    },
    "vm-image": {"KERNEL": "/build/kernel"},
}
"""Where each pipeline finds its parts, inside the sandbox."""

MODULES = ("virtio_pci", "virtio_blk", "ext4")


def prepare(cache: Path, pipelines: Path) -> None:
    """Fill the cache; each part is made anew, except what the Debian mirror gave already."""
    cache.mkdir(parents=True, exist_ok=True)
    _kernel()
    _wheels(cache / "index")
    _tarballs(cache / "registry", ["ms@2", "picocolors@1"])
    _repository(cache / "git", pipelines / "app-appliance" / "source")
    (cache / "slow").mkdir(exist_ok=True)
    (cache / "slow" / "InRelease").write_text("never ends\n" * 100)
    _packages(cache / "mirror")


def _packages(kept: Path) -> None:
    """Let one good build fetch through a mirror that keeps what it hands out."""
    sandbox.fresh_disk("3g")
    with FaultyServer(cached(kept, _debian_mirror()), host=sandbox.address("mirror.example"), port=80):
        subprocess.run(
            ["bash", f"{sandbox.PIPELINES}/golden-image/build.sh"],
            env=sandbox.ENVIRONMENT | {"WORK": sandbox.WORK} | PLACES["golden-image"],
            check=True,
        )


def _debian_mirror() -> str:
    """Give the mirror that this machine's own apt uses, without the last folder."""
    written = Path("/etc/apt/sources.list.d/debian.sources").read_text()
    found = re.search(r"^URIs: (\S+)/debian/?$", written, re.MULTILINE)
    if found is None:
        sys.exit("which Debian mirror does this machine use? /etc/apt/sources.list.d/debian.sources names none")
    return found[1]


def _wheels(index: Path) -> None:
    shutil.rmtree(index, ignore_errors=True)
    files = index / "files"
    files.mkdir(parents=True)
    subprocess.run(
        [
            "pip",
            "download",
            "-q",
            "-d",
            str(files),
            "jinja2",
            "click",
            "--only-binary",
            ":all:",
            "--python-version",
            "3.11",
        ],
        check=True,
    )
    for wheel in files.iterdir():
        project = index / "simple" / wheel.name.split("-")[0].lower().replace("_", "-")
        project.mkdir(parents=True, exist_ok=True)
        (project / wheel.name).write_bytes(wheel.read_bytes())


def _tarballs(registry: Path, packages: list[str]) -> None:
    shutil.rmtree(registry, ignore_errors=True)
    registry.mkdir(parents=True)
    for package in packages:
        subprocess.run(["npm", "pack", "--silent", package], cwd=registry, check=True, stdout=subprocess.DEVNULL)
    for tarball in list(registry.glob("*.tgz")):
        with tarfile.open(tarball) as packed:
            manifest = json.load(packed.extractfile("package/package.json"))  # type: ignore[arg-type]
        name, version = manifest["name"], manifest["version"]
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        path = f"{name}-tarballs/{tarball.name}"
        manifest["dist"] = {"tarball": f"http://registry.example/{path}", "integrity": f"sha512-{digest}"}
        packument = {"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}}
        (registry / f"{name}-tarballs").mkdir()
        tarball.rename(registry / path)
        (registry / name).write_text(json.dumps(packument))


def _repository(git: Path, source: Path) -> None:
    """Make the appliance's repository: two commits, served as plain files."""
    shutil.rmtree(git, ignore_errors=True)
    work, bare = git / "work", git / "appliance.git"
    shutil.copytree(source, work)
    who = {
        "GIT_AUTHOR_NAME": "Builder",
        "GIT_AUTHOR_EMAIL": "builder@builds.example",
        "GIT_AUTHOR_DATE": "2026-01-05T09:00Z",
        "GIT_COMMITTER_NAME": "Builder",
        "GIT_COMMITTER_EMAIL": "builder@builds.example",
        "GIT_COMMITTER_DATE": "2026-01-05T09:00Z",
        "PATH": os.environ["PATH"],
        "HOME": str(git),
    }
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "web"],
        ["commit", "-q", "-m", "web: the page"],
        ["add", "."],
        ["commit", "-q", "-m", "render the page with Jinja"],
        ["clone", "-q", "--bare", ".", str(bare)],
        ["--git-dir", str(bare), "update-server-info"],
    ):
        subprocess.run(["git", *command], cwd=work, env=who, check=True)


def _kernel() -> None:
    """Unpack a small kernel, and of its modules those that a virtual disk with ext4 needs, in loading order."""
    if (KERNEL / "modules" / "order").exists():
        return
    depends = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], check=True, capture_output=True, text=True
    )
    package = next(line.split()[-1] for line in depends.stdout.splitlines() if "Depends: linux-image" in line)
    shutil.rmtree(KERNEL, ignore_errors=True)
    (KERNEL / "modules").mkdir(parents=True)
    subprocess.run(["apt-get", "-q", "download", package], cwd=KERNEL, check=True)
    tree = KERNEL / "tree"
    subprocess.run(["dpkg", "-x", str(next(KERNEL.glob("*.deb"))), str(tree)], check=True)
    shutil.copy(next(tree.glob("boot/vmlinuz-*")), KERNEL / "vmlinuz")
    release = next(tree.glob("lib/modules/*")).name
    subprocess.run(["depmod", "-b", str(tree), release], check=True)
    order: list[str] = []
    for module in MODULES:
        shown = subprocess.run(
            ["modprobe", "-d", str(tree), "-S", release, "--show-depends", module],
            check=True,
            capture_output=True,
            text=True,
        )
        for line in shown.stdout.splitlines():
            path = Path(line.split()[1]) if line.startswith("insmod") else None
            if path is not None and path.name not in order:
                shutil.copy(path, KERNEL / "modules")
                order.append(path.name)
    (KERNEL / "modules" / "order").write_text("\n".join(order) + "\n")
    shutil.rmtree(tree)
    for deb in KERNEL.glob("*.deb"):
        deb.unlink()
