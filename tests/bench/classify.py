"""Measures how well failures are understood and how fast: `./dev bench classify`.

The data are real, provoked builds: `builds/builds.tar.zst` below the folder that TOOLKIT_BENCH_DATA names. Each has a
known cause; the study's words for classes are not ours, so the cause is translated by `MEANS` below.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import subprocess
import tarfile
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.peers import peers_python
from toolkit.core.classes import GROUP_OF
from toolkit.core.failure import Classifier, Failure, familiar_lines
from toolkit.core.rules import BUILT_IN
from toolkit.core.rules.linear import line_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.core.engine import EngineName

ROOT: Final = Path(__file__).resolve().parents[2]
LOG_MB: Final = int(os.environ.get("TOOLKIT_BENCH_MB", "100"))

# What each cause of the study means in our words; the first class is the best answer, every one listed is a right one.
MEANS: Final[dict[str, tuple[str, ...]]] = {
    "mirror_connection_refused": ("network",),
    "connection_refused": ("network",),
    "npm_econnrefused": ("network",),
    "download_timeout": ("network",),
    "index_timeout": ("network",),
    "git_timeout": ("network", "timeout"),
    "empty_reply": ("network",),
    "git_http_503": ("unavailable",),
    "download_http_503": ("unavailable",),
    "service_http_503": ("unavailable",),
    "service_http_502": ("unavailable",),
    "mirror_rate_limit_429": ("rate_limited",),
    "flaky_postinst": ("unavailable", "infrastructure"),
    "wait_for_port_timeout": ("network", "unavailable", "timeout"),
    "hash_sum_mismatch": ("infrastructure", "network", "dependency"),
    "apt_lists_lock_held": ("contention",),
    "dpkg_lock_held": ("contention",),
    "disk_image_locked": ("contention",),
    "cleanup_busy_mount": ("dirty", "contention", "config"),
    "sigkill_from_outside": ("killed",),
    "boot_timeout_host_overloaded": ("timeout",),
    "boot_timeout_too_short": ("timeout",),
    "boot_hang_no_root": ("config", "timeout"),
    "flaky_test": ("test",),
    "selftest_failed": ("test",),
    "test_collection_error": ("test", "dependency"),
    "test_fixture_error": ("test",),
    "pipe_hides_exit_code": ("test", "config"),
    "file_size_limit": ("resource",),
    "inodes_exhausted": ("resource",),
    "open_files_limit": ("resource",),
    "read_only_filesystem": ("resource", "dirty", "infrastructure"),
    "package_404_stale_index": ("dependency",),
    "npm_e404": ("dependency",),
    "npm_eresolve": ("dependency",),
    "pip_no_matching_distribution": ("dependency",),
    "pip_resolution_impossible": ("dependency",),
    "unmet_dependencies": ("dependency",),
    "file_overwrite_conflict": ("dependency",),
    "base_image_missing": ("dependency", "config"),
    "captive_portal": ("auth", "config"),
    "proxy_name_wrong": ("config", "network"),
    "command_not_found": ("config", "dependency"),
}
_BY_WORD: Final = {"auth": ("auth",), "persistent": ("config",), "contention": ("contention",), "external": ("killed",)}

# Which lines prove a cause: written from the descriptions of the causes, not from what the classifier finds.
PROOF: Final[dict[str, str]] = {
    "mirror_connection_refused": r"Connection refused|Failed getting release file|Could not connect",
    "connection_refused": r"curl: \(7\)",
    "npm_econnrefused": r"ECONNREFUSED",
    "git_http_503": r"error: 503",
    "download_http_503": r"\b503\b",
    "service_http_503": r"\b503\b",
    "service_http_502": r"\b502\b",
    "mirror_rate_limit_429": r"\b429\b",
    "apt_lists_lock_held": r"Could not get lock|Unable to lock",
    "dpkg_lock_held": r"Could not get lock|dpkg frontend lock",
    "disk_image_locked": r"write. lock",
    "download_timeout": r"timed out",
    "index_timeout": r"Read timed out",
    "empty_reply": r"Empty reply",
    "hash_sum_mismatch": r"Hash Sum mismatch|corrupt|Couldn't download packages|DO NOT MATCH|size",
    "flaky_postinst": r"license server busy|exit status 75|error processing",
    "wait_for_port_timeout": r"Timeout when waiting",
    "cleanup_busy_mount": r"resource busy",
    "flaky_test": r"^FAILED|AssertionError|^E +assert|failed",
    "selftest_failed": r"SELFTEST: FAIL|self test",
    "test_collection_error": r"ModuleNotFoundError|^ERROR .*test_import|during collection",
    "test_fixture_error": r"agentctl|^ERROR .*test_fixture",
    "ansible_undefined_variable": r"is undefined",
    "ansible_wrong_variable": r"No package matching",
    "ansible_yaml_syntax": r"YAML parsing failed",
    "ansible_role_missing": r"role '.*' was not found",
    "ansible_vault_password_missing": r"no vault secrets",
    "bad_setting_value": r"AssertionError|assert 1024|FAILED!",
    "base_image_missing": r"localhost/base-not-built|Cannot open: No such file",
    "base_tree_lacks_directory": r"Destination directory",
    "boot_hang_no_root": r"does not exist|Gave up waiting",
    "captive_portal": r"NOSPLIT|Unexpected token|invalid json|authentication|Invalid|from versions: none",
    "clock_skew": r"not valid yet",
    "command_not_found": r"not found|Error executing command|tuned-adm",
    "disk_image_missing": r"Could not open",
    "duplicate_uid": r"is not unique",
    "file_missing": r"(?i)no such file|nothere|can't open",
    "file_overwrite_conflict": r"trying to overwrite",
    "foreign_architecture": r"can neither be executed",
    "gpg_no_pubkey": r"NO_PUBKEY",
    "install_hook_error": r"Directory nonexistent|cannot create",
    "npm_e404": r"E404|404 Not Found",
    "npm_eresolve": r"ERESOLVE|unable to resolve|peer",
    "npm_missing_script": r"Missing script",
    "npm_e401": r"401|E401",
    "npm_e403": r"403|E403",
    "package_404_stale_index": r"404  Not Found",
    "packer_template_invalid": r"Unknown builder|Failed to initialize",
    "pip_invalid_requirement": r"Invalid requirement",
    "pip_no_matching_distribution": r"No matching distribution|Could not find a version",
    "pip_resolution_impossible": r"ResolutionImpossible|conflict",
    "index_http_401": r"No matching distribution|Could not find a version|401",
    "proxy_auth_407": r"407",
    "proxy_name_wrong": r"Could not resolve",
    "qemu_bad_option": r"invalid option",
    "script_not_executable": r"Permission denied",
    "script_syntax_error": r"unexpected EOF",
    "script_unbound_variable": r"unbound variable",
    "service_unit_missing": r"Could not find the requested service",
    "ssh_host_unknown": r"Could not resolve hostname",
    "ssh_host_key_unknown": r"Host key verification failed",
    "ssh_permission_denied": r"Permission denied",
    "git_auth_401": r"could not read Username|Authentication failed",
    "tls_protocol_error": r"wrong version number",
    "tls_self_signed": r"self-signed|certificate|CERTIFICATE",
    "unmet_dependencies": r"unmet dependencies|Depends:|held broken",
    "file_size_limit": r"File size limit",
    "inodes_exhausted": r"No space left",
    "open_files_limit": r"Too many open files",
    "read_only_filesystem": r"Read-only file system",
    "pipe_hides_exit_code": r"^FAILED|FAILED!",
}


@dataclass(frozen=True)
class Case:
    """One recorded run: its output and what is known about it."""

    name: str
    log: bytes
    meta: dict[str, Any]

    @property
    def failed(self) -> bool:
        return not self.meta["truth"].get("ok", False) and self.meta["truth"].get("cause") is not None

    @property
    def cause(self) -> str:
        return str(self.meta["truth"].get("cause"))

    @property
    def right(self) -> tuple[str, ...]:
        word = str(self.meta["truth"].get("class"))
        return MEANS.get(self.cause) or _BY_WORD.get(word, ("unknown",))

    def classify(self, classifier: Classifier, familiar: frozenset[int] = frozenset()) -> Failure:
        return classifier.classify(
            self.log, exit_code=self.meta["exit_code"], signal=self.meta["signal"], familiar=familiar
        )


def cases(folder: Path) -> Iterator[Case]:
    """Unpack the archive into a folder of its own and read every run."""
    with tempfile.TemporaryDirectory() as place:
        _unpack(folder / "builds" / "builds.tar.zst", Path(place))
        for meta in sorted(Path(place).rglob("meta.json")):
            yield Case(meta.parent.name, (meta.parent / "build.log").read_bytes(), json.loads(meta.read_bytes()))


def _unpack(archive: Path, place: Path) -> None:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", place], check=True)
        return
    with (
        archive.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        tar.extractall(place, filter="data")


def quality(runs: list[Case]) -> None:
    """Print shares of right groups and classes, evidence ranks, false alarms and the confusion table."""
    classifier = Classifier()
    failed = [case for case in runs if case.failed]
    good = [case for case in runs if not case.failed and case.meta["exit_code"] == 0]
    right_class = right_group = 0
    ranks: list[int | None] = []
    confusion: Counter[tuple[str, str]] = Counter()
    per_cause: dict[str, list[bool]] = {}
    for case in failed:
        found = case.classify(classifier)
        per_cause.setdefault(case.cause, []).append(found.failure_class in case.right)
        right_class += found.failure_class in case.right
        right_group += found.group in {GROUP_OF[name] for name in case.right}
        if found.failure_class not in case.right:
            confusion[case.cause + " (" + case.right[0] + ")", f"{found.failure_class} {found.signature}"] += 1
        proof = PROOF.get(case.cause)
        if proof is not None and re.search(proof.encode(), case.log, re.MULTILINE):
            ranks.append(next((at for at, line in enumerate(found.evidence, 1) if re.search(proof, line.text)), None))
    print(f"failed runs                {len(failed)}, {len(per_cause)} causes")
    print(f"right group                {_share(right_group, len(failed))}")
    print(f"right class                {_share(right_class, len(failed))}")
    print(f"  each cause counted once  {_share(sum(sum(v) / len(v) for v in per_cause.values()), len(per_cause))}")
    print(f"a proving line (of {len(ranks)} logs that hold one, by the pattern of the cause) stands")
    for most in (1, 5, 20):
        near = sum(rank is not None and rank <= most for rank in ranks)
        print(f"  among the first {most:<2}       {_share(near, len(ranks))}")
    told = sum(case.classify(classifier).failure_class != "unknown" for case in good)
    blind = sum(classifier.classify(case.log).failure_class != "unknown" for case in good)
    print(f"false alarms, exit 0 known {_share(told, len(good))} of the good runs are given a class")
    print(f"false alarms, log alone    {_share(blind, len(good))}")
    _against_success(classifier, failed, good)
    table = Counter((case.right[0], case.classify(classifier).failure_class) for case in failed)
    print("\nconfusion: best answer, how often, and what we said")
    for best in sorted({best for best, _ in table}):
        row = {name: count for (each, name), count in table.most_common() if each == best}
        print(f"  {best:16}{sum(row.values()):4}  {', '.join(f'{name} {count}' for name, count in row.items())}")
    print("\nwrong classes: cause (best answer) -> what we said")
    for (cause, said), count in confusion.most_common():
        print(f"  {count:4}  {cause:46} -> {said}")


def _against_success(classifier: Classifier, failed: list[Case], good: list[Case]) -> None:
    """Measure what the difference against successful attempts leaves of a log."""
    familiar = frozenset[int]().union(*(familiar_lines(case.log) for case in good))
    shares: list[float] = []
    right = 0
    for case in failed:
        lines = [line for line in case.log.splitlines() if line.strip()]
        shares.append(sum(not familiar_lines(line) <= familiar for line in lines) / max(1, len(lines)))
        right += case.classify(classifier, familiar).failure_class in case.right
    print(f"not seen in good runs      {_share(sum(shares), len(shares))}: mean share of a failed run's lines")
    print(f"right class, with this     {_share(right, len(failed))}")


def _share(part: float, whole: int) -> str:
    return f"{part / whole:6.1%} ({part:.0f} of {whole})" if whole else "-"


# ---------------------------------------------------------------- speed

_ORDINARY: Final = (
    b"Get:12 http://deb.example/debian bookworm/main amd64 libc6 amd64 2.36-9+deb12u4 [2754 kB]\n",
    b"Setting up liberror-perl (0.17029-2) ...\n",
    b"[  12.504281] systemd[1]: Finished systemd-random-seed.service - Load/Save Random Seed.\n",
    b"\x1b[0;32mok: [rootfs]\x1b[0m => (item=/etc/sysctl.d/60-hardening.conf)\n",
    b"gcc -O2 -Wall -Werror -c -o obj/main.o src/main.c\n",
    b"2026-03-01T10:15:00.123Z INFO  [worker-3] c.e.build.Step - copied 1503 files in 404 ms\n",
    b"TASK [hardening : Kernel settings] *********************************************\n",
    b" 42% [=========>            ] 120 MB/s\r 43% [=========>            ] 121 MB/s\r\n",
    b"W: Can not write log (Is /dev/pts mounted?) - posix_openpt (19: No such device)\n",
    b"tests/test_image.py::test_packages[chroot:///work/root] PASSED                  [ 12%]\n",
    b"PLAY RECAP: rootfs : ok=20 changed=13 unreachable=0 failed=0 skipped=1 rescued=0 ignored=1\n",
    b"Downloading https://files.example/packages/d9/5a/six-1.16.0-py2.py3-none-any.whl (11 kB)\n",
)


def synthetic(size: int) -> bytes:
    """Build a log of about `size` bytes: ordinary lines of many tools, harmless errors, a real one last."""
    page = b"".join(_ORDINARY * 40) + b"error: retrying the download (attempt 1 of 3)\n"
    return (
        page * (size // len(page))
        + b"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (apt)\n"
    )


def speed() -> None:
    """Print MB/s and CPU seconds per GB for each engine and its neighbours on one log."""
    log = synthetic(LOG_MB << 20)
    patterns = [rule.match for rule in BUILT_IN if rule.match]
    peers = peers_python("classify")
    print(f"\nthroughput: {len(log) >> 20} MB, {log.count(10):,} lines, {len(patterns)} rules; CPU time with children")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "log")
        file.write_bytes(log)
        sheet = Path(place, "patterns")
        sheet.write_text("\n".join(re.sub(r"^\(\?i\)", "", pattern) for pattern in patterns) + "\n")
        if peers is not None:
            rg = Path(peers).with_name("rg")
            _line("ripgrep, same patterns", len(log), lambda: _run([rg, "-c", "-i", "-f", sheet, file]))
        _line("hyperscan alone, whole buffer", len(log), _scan(patterns, log))
    engines: tuple[EngineName, ...] = ("hyperscan", "re2")
    for engine in engines:
        classify = partial(Classifier(engine=engine).classify, log, exit_code=100)
        _line(f"classify, {engine}, cold", len(log), classify)
        _line(f"classify, {engine}, warm", len(log), classify)
    part = log[-(8 << 20) :]
    plain = Classifier(engine="re")
    _line("classify, plain search", len(part), lambda: plain.classify(part, exit_code=100))
    _line("familiar_lines", len(part), lambda: familiar_lines(part))
    small = log[-(1 << 20) :]
    compiled = [re.compile(pattern.encode()) for pattern in patterns]
    _line("Python re, rule by rule and line", len(small) // 8, lambda: _plain_re(compiled, small[: len(small) // 8]))
    if peers is not None:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "log")
            file.write_bytes(small)
            told = subprocess.run([peers, "-c", _DRAIN3, file], check=True, capture_output=True, text=True, cwd=place)
        _tell("Drain3", len(small), float(told.stdout.split()[-1]), None)


_DRAIN3: Final = """
import logging, sys, time
import drain3
lines = open(sys.argv[1], "rb").read().decode("utf-8", "replace").splitlines()
miner = drain3.TemplateMiner()
begin = time.process_time()
for line in lines:
    miner.add_log_message(line)
print(time.process_time() - begin)
"""


def _scan(patterns: list[str], log: bytes) -> Callable[[], object]:
    """Prepare what no classifier can be faster than: one scan, with nobody asking what was found."""
    hyperscan = importlib.import_module("hyperscan")
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    expressions = [line_safe(pattern) for pattern in patterns]
    database.compile(
        expressions=expressions, ids=list(range(len(expressions))), elements=len(expressions),
        flags=[hyperscan.HS_FLAG_MULTILINE] * len(expressions),
    )  # fmt: skip
    return lambda: database.scan(log, match_event_handler=lambda *_: None)


def _plain_re(compiled: list[re.Pattern[bytes]], log: bytes) -> int:
    return sum(pattern.search(line) is not None for line in log.splitlines() for pattern in compiled)


def _run(command: list[str | Path]) -> None:
    subprocess.run(command, check=False, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})


def _line(name: str, size: int, work: Callable[[], object]) -> None:
    before, wall = _cpu(), time.perf_counter()
    work()
    cpu, wall = _cpu() - before, time.perf_counter() - wall
    _tell(name, size, cpu, wall)


def _tell(name: str, size: int, cpu: float, wall: float | None) -> None:
    rate = size / 1e6 / max(cpu, 1e-9)
    took = "" if wall is None else f"   {wall:6.2f} s wall"
    print(f"{name:36} {rate:8.1f} MB per CPU s   {1000 / rate:8.2f} CPU s per GB{took}")


def _cpu() -> float:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    """Run both halves; without the data, only the second."""
    folder = Path(os.environ.get("TOOLKIT_BENCH_DATA", ""))
    if (folder / "builds" / "builds.tar.zst").exists():
        quality(list(cases(folder)))
    else:
        print("name a folder with builds/builds.tar.zst with TOOLKIT_BENCH_DATA; until then, throughput only")
    speed()


if __name__ == "__main__":
    main()
