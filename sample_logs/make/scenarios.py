"""The scenarios: what the world did to each build, and what we know about every failure because we did it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recorder import Run, Watcher
from sandbox import WORK

from toolkit.demo.server import Fault

Outcome = Literal["completed", "failed", "interrupted"]


@dataclass(frozen=True)
class Pass:
    """One run of a build and the weather it has; `before` prepares something and gives what tidies it up."""

    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    down: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    disk: str | None = None
    before: Callable[[], Callable[[], object]] | None = None
    watch: Watcher | None = None


@dataclass(frozen=True)
class Truth:
    """What one failure was. `also` are classes that a careful reader of the log alone could give as well."""

    cause: str
    failure_class: str
    evidence: str | None
    signatures: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A build from its first run to its last."""

    name: str
    pipeline: str
    story: str
    passes: tuple[Pass, ...]
    outcomes: tuple[Outcome, ...]
    truths: tuple[Truth, ...] = ()

    @property
    def target(self) -> str:
        """What the pipeline's builds are for."""
        return {"golden-image": "bookworm/amd64", "app-appliance": "appliance", "vm-image": "qemu/amd64"}[self.pipeline]


GOOD = Pass()
LOUD = Pass(environment={"VERBOSE": "yes"})


def mirror(*faults: Fault) -> dict[str, tuple[Fault, ...]]:
    """Let the Debian mirror fail like this."""
    return {"mirror.example": faults}


# ---------------------------------------------------------------- hands that disturb a build


def once(condition: str, act: Callable[[Run], None]) -> Watcher:
    """Act when a line first holds this text."""
    done: list[bool] = []

    def watch(run: Run, line: str) -> None:
        if condition in line and not done:
            done.append(True)
            act(run)

    return watch


def lock_holder() -> Watcher:
    """While the services are installed, another apt of the same image waits for a mirror that never answers."""

    def hold(run: Run) -> None:
        root = Path(WORK, "root")
        (root / "tmp/slow.list").write_text("deb [trusted=yes] http://slow.example/ ./\n")
        subprocess.Popen(
            [
                "timeout",
                "60",
                "chroot",
                str(root),
                "apt-get",
                "-qq",
                "-o",
                "Dir::Etc::SourceList=/tmp/slow.list",
                "update",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return once("::state 20 completed", hold)


def kernel() -> Callable[[], object]:
    """Put the kernel where the build expects it."""
    from caches import KERNEL

    if not Path(WORK, "kernel").exists():
        shutil.copytree(KERNEL, f"{WORK}/kernel")
    return lambda: None


def small_image_folder() -> Callable[[], object]:
    """Mount a folder for the finished image that is too small for it."""
    folder = Path(WORK, "images")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "images", str(folder)], check=True)
    return lambda: subprocess.run(["umount", str(folder)], check=True)


def spoil_image(run: Run) -> None:
    """Overwrite the first tables of the finished qcow2 file, as a failing disk or a second writer would."""
    with Path(WORK, "vm.qcow2").open("r+b") as image:
        image.seek(4 * 65536)
        image.write(b"\xa5" * 512)


def second_machine() -> Watcher:
    """Let another virtual machine hold the image when it is to be booted; the build waits until it does."""

    def start(run: Run) -> None:
        os.killpg(run.process.pid, signal.SIGSTOP)
        pid = Path(WORK, "second.pid")
        subprocess.Popen(
            [
                "timeout",
                "30",
                "qemu-system-x86_64",
                "-machine",
                "q35,accel=tcg",
                "-m",
                "64",
                "-display",
                "none",
                "-S",
                "-nic",
                "none",
                "-pidfile",
                str(pid),
                "-drive",
                f"file={WORK}/vm.qcow2,if=virtio,format=qcow2",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.1)
        time.sleep(1)
        os.killpg(run.process.pid, signal.SIGCONT)

    return once("::state 60 completed", start)


def after_second_machine() -> Callable[[], object]:
    """Wait until the other machine has ended."""
    subprocess.run(["timeout", "60", "sh", "-c", f"while test -e {WORK}/second.pid; do sleep 1; done"], check=True)
    return lambda: None


VM = Pass(before=kernel)


def vm(**settings: str) -> Pass:
    """Make a virtual machine's image with other settings than usual."""
    return Pass(before=kernel, environment=settings)


# ---------------------------------------------------------------- what is made

SCENARIOS = (
    Scenario("golden-image-green", "golden-image", "A good build, as most are.", (LOUD,), ("completed",)),
    Scenario(
        "golden-image-mirror-503",
        "golden-image",
        "The mirror answers 503 to all requests for packages; started over a little later, the build is green.",
        (Pass(mirror(Fault("503", path=r"\.deb$")), environment=LOUD.environment), LOUD),
        ("failed", "completed"),
        (
            Truth(
                "the mirror was out of service",
                "unavailable",
                "503  Service Unavailable",
                ("http.503", "service.unavailable", "apt.fetch", "bootstrap.fetch"),
                also=("network",),
            ),
        ),
    ),
    Scenario(
        "golden-image-mirror-shaky",
        "golden-image",
        "The mirror resets connections, then cuts a package short; the third run is green.",
        (
            Pass(mirror(Fault("reset", path=r"/python3\.11-minimal_.*\.deb$"))),
            Pass(mirror(Fault("truncate", path=r"/libpython3\.11-stdlib_.*\.deb$"))),
            GOOD,
        ),
        ("failed", "failed", "completed"),
        (
            Truth(
                "the mirror reset the connection",
                "network",
                "Connection reset by peer",
                ("net.reset", "apt.fetch_network", "apt.fetch", "bootstrap.fetch"),
            ),
            Truth(
                "the mirror closed the connection in the middle of a package",
                "network",
                "Failed to fetch",
                (
                    "net.truncated",
                    "net.reset",
                    "apt.fetch_network",
                    "apt.fetch",
                    "apt.hash_mismatch",
                    "bootstrap.fetch",
                ),
                also=("unavailable",),
            ),
        ),
    ),
    Scenario(
        "golden-image-rate-limited",
        "golden-image",
        "The mirror limits the rate; started over at once, the build meets it again; the third run is green.",
        (
            Pass(mirror(Fault("429", path=r"\.deb$", skip=20, retry_after=30))),
            Pass(mirror(Fault("429", retry_after=20))),
            GOOD,
        ),
        ("failed", "failed", "completed"),
        (
            Truth("the mirror's rate limit", "rate_limited", "429  Too Many Requests", ("http.429", "rate.limit")),
            Truth(
                "the mirror's rate limit, at once again",
                "rate_limited",
                "429  Too Many Requests",
                ("http.429", "rate.limit"),
            ),
        ),
    ),
    Scenario(
        "golden-image-missing-variable",
        "golden-image",
        "A setting is missing: the build is started over and fails the same way; with the setting it is green.",
        (Pass(environment={"VARS": "no-contact.yml"}), Pass(environment={"VARS": "no-contact.yml"}), GOOD),
        ("failed", "failed", "completed"),
        (
            Truth("image_contact is not defined", "config", "'image_contact' is undefined", ("ansible.undefined",)),
            Truth(
                "image_contact is not defined, still", "config", "'image_contact' is undefined", ("ansible.undefined",)
            ),
        ),
    ),
    Scenario(
        "golden-image-unknown-package",
        "golden-image",
        "The settings ask for a package that the mirror does not have.",
        (Pass(environment={"VARS": "unknown-package.yml"}),),
        ("failed",),
        (
            Truth(
                "there is no package image-agent",
                "dependency",
                "image-agent",
                ("apt.no_candidate", "packages.other"),
                also=("config",),
            ),
        ),
    ),
    Scenario(
        "golden-image-masked-outage",
        "golden-image",
        "The mirror is out of service when the lists are refreshed; apt-get update exits 0 all the same, and the last "
        "word is that the packages do not exist. Started over, the build is green.",
        (Pass(faults=mirror(Fault("503", path=r"/InRelease$", skip=1))), GOOD),
        ("failed", "completed"),
        (
            Truth(
                "the mirror was out of service, which only the warning above the last error says",
                "unavailable",
                "503  Service Unavailable",
                ("http.503", "service.unavailable", "apt.fetch"),
                also=("network",),
            ),
        ),
    ),
    Scenario(
        "golden-image-failing-test",
        "golden-image",
        "The image keeps its logs for 90 days, a test allows 30.",
        (Pass(environment={"VARS": "long-logs.yml"}),),
        ("failed",),
        (
            Truth(
                "a test failed",
                "test",
                "AssertionError: logs would be kept for 90 days",
                ("test.assertion", "test.failed", "test.other"),
            ),
        ),
    ),
    Scenario(
        "golden-image-disk-full",
        "golden-image",
        "The disk is too small for the unpacked packages; so it is for the second run.",
        (Pass(disk="150m"), Pass()),
        ("failed", "failed"),
        (
            Truth("the build's disk is too small", "resource", "No space left on device", ("disk.full",)),
            Truth("the build's disk is too small, still", "resource", "No space left on device", ("disk.full",)),
        ),
    ),
    Scenario(
        "golden-image-apt-locked",
        "golden-image",
        "Another apt holds the lock of the package lists; started over, nobody does.",
        (Pass(faults={"slow.example": (Fault("stall"),)}, watch=lock_holder()), GOOD),
        ("failed", "completed"),
        (Truth("another apt-get held the lock", "contention", "Could not get lock", ("apt.lock", "lock.held")),),
    ),
    Scenario(
        "golden-image-killed",
        "golden-image",
        "Ansible is killed while it installs the services, as when memory runs out; started over, the build is green.",
        (Pass(watch=once("TASK [Install the services]", lambda run: run.kill("ansible-playbook"))), GOOD),
        ("failed", "completed"),
        (Truth("SIGKILL from outside", "killed", "Killed", ("killed.sigkill", "killed.signal", "oom.killed")),),
    ),
    Scenario(
        "golden-image-cancelled",
        "golden-image",
        "Somebody presses Ctrl-C while the packages are unpacked. Interrupted is not failed.",
        (Pass(watch=once("extracting archives", lambda run: run.cancel())),),
        ("interrupted",),
    ),
    Scenario(
        "golden-image-unresolved",
        "golden-image",
        "The mirror's name cannot be resolved.",
        (Pass(environment={"MIRROR": "http://mirror2.example/debian"}),),
        ("failed",),
        (
            Truth(
                "there is no name server to ask for mirror2.example",
                "network",
                "resolv",
                ("dns.resolve", "dns.unknown_host", "apt.fetch", "apt.fetch_network"),
                also=("config",),
            ),
        ),
    ),
    Scenario("app-appliance-green", "app-appliance", "A good build.", (GOOD,), ("completed",)),
    Scenario(
        "app-appliance-git-refused",
        "app-appliance",
        "The git server is being restarted; the second run finds it up.",
        (Pass(down=("git.example",)), GOOD),
        ("failed", "completed"),
        (
            Truth(
                "nothing listened on the git server's port",
                "network",
                "Failed to connect to git.example",
                ("net.refused", "git.remote"),
            ),
        ),
    ),
    Scenario(
        "app-appliance-git-login",
        "app-appliance",
        "The git server wants a login that the build does not have.",
        (Pass({"git.example": (Fault("401"),)}), Pass({"git.example": (Fault("401"),)})),
        ("failed", "failed"),
        (
            Truth(
                "no credentials for the git server", "auth", "could not read Username", ("git.auth", "auth.credentials")
            ),
            Truth(
                "no credentials for the git server, still",
                "auth",
                "could not read Username",
                ("git.auth", "auth.credentials"),
            ),
        ),
    ),
    Scenario(
        "app-appliance-pip-503",
        "app-appliance",
        "The package index answers 503, which pip reports as a version that cannot be found; the second run is green.",
        (Pass({"index.example": (Fault("503"),)}), GOOD),
        ("failed", "completed"),
        (
            Truth(
                "the index was out of service",
                "unavailable",
                "No matching distribution found",
                ("http.503", "service.unavailable", "pip.network", "pip.no_match"),
                also=("network", "dependency"),
            ),
        ),
    ),
    Scenario(
        "app-appliance-pip-cut",
        "app-appliance",
        "The index closes the connection in the middle of a wheel; the second run is green.",
        (Pass({"index.example": (Fault("truncate", path=r"\.whl$"),)}), GOOD),
        ("failed", "completed"),
        (
            Truth(
                "the index closed the connection in the middle of a wheel",
                "network",
                "ERROR",
                ("net.truncated", "net.reset", "pip.network", "pip.hash", "archive.corrupt"),
                also=("dependency", "dirty", "unknown"),
            ),
        ),
    ),
    Scenario(
        "app-appliance-npm-404",
        "app-appliance",
        "A Node package is not in the registry, nor is it when started over.",
        (
            Pass({"registry.example": (Fault("404", path="^/ms$"),)}),
            Pass({"registry.example": (Fault("404", path="^/ms$"),)}),
        ),
        ("failed", "failed"),
        (
            Truth(
                "the registry has no package ms", "dependency", "404", ("npm.not_found", "http.404"), also=("config",)
            ),
            Truth(
                "the registry has no package ms, still",
                "dependency",
                "404",
                ("npm.not_found", "http.404"),
                also=("config",),
            ),
        ),
    ),
    Scenario(
        "app-appliance-image-full",
        "app-appliance",
        "The finished image does not fit into its folder.",
        (Pass(before=small_image_folder, environment={"IMAGE_FOLDER": f"{WORK}/images"}),),
        ("failed",),
        (Truth("the folder for images is too small", "resource", "No space left on device", ("disk.full",)),),
    ),
    Scenario("vm-image-green", "vm-image", "A good build, booted on its serial console.", (VM,), ("completed",)),
    Scenario(
        "vm-image-bad-kickstart",
        "vm-image",
        "The kickstart file is misspelt; corrected, the build is green.",
        (vm(KICKSTART="misspelt.ks"), VM),
        ("failed", "completed"),
        (Truth("the kickstart file is not valid", "config", "misspelt.ks", ("kickstart.invalid", "config.invalid")),),
    ),
    Scenario(
        "vm-image-no-space",
        "vm-image",
        "The file system is made smaller than what goes into it.",
        (vm(FS_SIZE="3M"),),
        ("failed",),
        (
            Truth(
                "the file system is too small for its files",
                "resource",
                "Could not allocate block",
                ("disk.full", "mkfs.failed"),
                also=("config",),
            ),
        ),
    ),
    Scenario(
        "vm-image-corrupt",
        "vm-image",
        "Something overwrites the finished image before it is verified; the second run is green.",
        (Pass(before=kernel, watch=once("::state 50 completed", spoil_image)), VM),
        ("failed", "completed"),
        (
            Truth(
                "the image's tables were overwritten",
                "dirty",
                "ERROR",
                ("fs.corrupt", "image.invalid", "disk.fs_error"),
                also=("infrastructure", "resource", "unknown", "config"),
            ),
        ),
    ),
    Scenario(
        "vm-image-boot-hangs",
        "vm-image",
        "The machine waits for a disk that nobody attaches; timeout ends it, twice.",
        (vm(INIT="init-waits", BOOT_LIMIT="40"), vm(INIT="init-waits", BOOT_LIMIT="40")),
        ("failed", "failed"),
        (
            Truth(
                "the boot never ends",
                "timeout",
                "waiting for the settings disk",
                ("exit.timeout", "toolkit.timeout"),
                also=("stall",),
            ),
            Truth(
                "the boot never ends, still",
                "timeout",
                "waiting for the settings disk",
                ("exit.timeout", "toolkit.timeout"),
                also=("stall",),
            ),
        ),
    ),
    Scenario(
        "vm-image-no-root",
        "vm-image",
        "The kernel is told a root device that does not exist, and panics.",
        (vm(ROOT="/dev/vda2"),),
        ("failed",),
        (
            Truth(
                "there is no /dev/vda2",
                "config",
                "Kernel panic",
                ("kernel.panic", "dracut.no_root", "image.selftest"),
                also=("test", "unknown"),
            ),
        ),
    ),
    Scenario(
        "vm-image-locked",
        "vm-image",
        "Another machine holds the image when it is to be booted; later nobody does.",
        (Pass(before=kernel, watch=second_machine()), Pass(before=after_second_machine)),
        ("failed", "completed"),
        (Truth("another qemu held the image's lock", "contention", "lock", ("lock.held", "qemu.file_missing")),),
    ),
)
