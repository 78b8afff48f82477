"""The house keeps what CONTRIBUTING.md says about it: layers, light start, words that match the commands."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("toolkit", "phases", "analysis")
HEAVY = {
    "_duckdb",
    "analysis",
    "duckdb",
    "google_re2",
    "hyperscan",
    "numpy",
    "polars",
    "psycopg",
    "pyarrow",
    "pydantic",
    "pydantic_core",
    "re2",
    "rich",
    "scipy",
    "typer",
    "vl_convert",
    "zstandard",
}
LONGEST_FILE = 400
CODE = {".py", ".sh", ".sql"}

# With a star in each, so that this file does not name what it forbids: registries of packages, places on one machine.
NOT_TO_BE_NAMED = (
    "py*pi.org",
    "python*hosted.org",
    "npm*js.org",
    "crates*.io",
    "proxy*.golang.org",
    "anaconda*.org",
    "ruby*gems.org",
    "repo*.maven.apache.org",
    "/wo*rk/main",
    "/wo*rk/venv",
    "/wo*rk/data",
    "/wo*rk/shared",
    "/root/*.pyenv",
    "/opt/*wheels",
    "/opt/*pypi",
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()

command_line = pytest.mark.skipif(
    not (ROOT / "toolkit" / "__main__.py").exists(),
    reason="the command line is not built: toolkit/__main__.py is missing",
)


def tracked() -> list[Path]:
    """Give every file in git's index that is there, as absolute paths."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone, so nothing says which files are the project's")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    return [path for folder in (*PACKAGES, "tests") for path in sorted((ROOT / folder).rglob("*.py"))]


def told(path: Path) -> str:
    return str(path.relative_to(ROOT))


def toolkit(*arguments: str, cwd: Path = ROOT, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line as its own process, importable from anywhere, with Python's own `options`."""
    command = [sys.executable, *options, "-m", "toolkit", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


def project_dependencies() -> dict[str, list[str]]:
    """Give the names of what pyproject.toml asks for: at run time, in each extra, in each group."""
    asked = {
        "run time": PROJECT["project"]["dependencies"],
        **PROJECT["project"]["optional-dependencies"],
        **PROJECT["dependency-groups"],
    }
    return {where: [re.split(r"[^\w-]", wanted)[0] for wanted in wants] for where, wants in asked.items()}


def test_layers() -> None:
    """The lower layers know nothing of the higher ones, and the pure ones have no effects."""
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or "lint-imports"
    checked = subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert checked.returncode == 0, checked.stdout


@command_line
@pytest.mark.parametrize("arguments", [["run", "--", "true"], ["state", "start", "5"]], ids=" ".join)
def test_light_start(arguments: list[str], tmp_path: Path) -> None:
    """Standing in front of somebody's build costs little: nothing heavy is loaded on the way to it."""
    (tmp_path / "toolkit.toml").write_text('phase = "track-only"\n\n[pipeline]\nname = "light"\n')

    toolkit("run", "--", "true", cwd=tmp_path)  # the first run checks the configuration, later ones remember
    started = toolkit(*arguments, cwd=tmp_path, options=("-X", "importtime"))
    loaded = set(re.findall(r"^import time:[ \d|]+\| +(\S+)$", started.stderr, re.MULTILINE))

    assert started.returncode == 0, started.stderr
    assert "toolkit" in loaded, "the trace of imports is missing"
    assert sorted({module.partition(".")[0] for module in loaded} & HEAVY) == []


@command_line
def test_documented_commands_exist() -> None:
    """Every command that README names is on the command line's own list."""
    named = set(re.findall(r"\btoolkit ([a-z]+)", "\n".join(snippets(ROOT / "README.md"))))
    listed = set(re.findall(r"^  ([a-z]+) ", toolkit("--help").stdout.partition("\nCommands:\n")[2], re.MULTILINE))

    assert sorted(named - listed) == []
    assert listed


@command_line
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_scripts_opening_lines_work_where_we_are_not_installed(shell: str, tmp_path: Path) -> None:
    """A script with states, opened as README and `toolkit shell --help` say, just runs where nobody has the toolkit."""
    page = next(each for each in snippets(ROOT / "README.md") if "toolkit shell" in each and "kickstart" in each)
    said = re.findall(r"^    (.*)$", toolkit("shell", "--help").stdout, re.MULTILINE)
    opening = (
        page[: page.index("\nstate 5 ")],
        "\n".join(said[: next(at for at, x in enumerate(said) if "state 5 " in x)]),
    )

    for each in opening:
        script = (
            f'set -eu\n{each}\nkick() {{ id=42; }}\nstate 5 kickstart -- kick\nstate_output IMAGE="$id"\necho "$IMAGE"'
        )
        ended = subprocess.run(
            [shutil.which(shell) or shell, "-c", script],
            env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "42\n", "")


def snippets(page: Path) -> list[str]:
    """Give what a Markdown page sets in code type: fenced blocks and inline spans."""
    text = page.read_text()
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return fenced + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def test_documented_tasks_exist() -> None:
    """Every `./dev` task that a page names is on ./dev's own list, and README names them all."""
    page = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True, timeout=60).stdout
    tasks = set(re.findall(r"^  ([a-z]+)\b(?= )", page.partition("examples:")[0], re.MULTILINE))
    named = {
        name: set(re.findall(r"\./dev ([a-z]+)", "\n".join(snippets(ROOT / name))))
        for name in ("README.md", "CONTRIBUTING.md")
    }

    assert "test" in tasks
    assert named["README.md"] == tasks
    assert named["CONTRIBUTING.md"] <= tasks


def test_no_registry_and_no_machine_is_named() -> None:
    """What we track would read the same, had it been written elsewhere."""
    forbidden = re.compile("|".join(re.escape(name.replace("*", "")) for name in NOT_TO_BE_NAMED).encode())
    found = {told(path): match.group().decode() for path in tracked() if (match := forbidden.search(path.read_bytes()))}

    assert found == {}


def test_each_module_opens_with_one_sentence() -> None:
    """A reader learns what a module is for from its first sentence, and that is all the first paragraph holds."""
    faulty = {}
    for path in modules():
        opening = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
        if not opening.endswith((".", "?")) or re.search(r"[.!?]\s+[A-Z]", opening):
            faulty[told(path)] = opening

    assert faulty == {}


def test_tests_are_promises() -> None:
    """Each test says in its docstring what it promises."""
    silent = [
        f"{told(path)}: {node.name}"
        for path in modules()
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert silent == []


def test_files_are_small() -> None:
    """A file holds one idea, and that fits on a few screens."""
    ours = [path for path in tracked() if path.suffix in CODE or path in {ROOT / "dev", ROOT / ".ci" / "run"}]
    lengths = {told(path): len(path.read_text().splitlines()) for path in ours if "sample_logs" not in path.parts}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_each_dependency_is_explained() -> None:
    """CONTRIBUTING.md says why each dependency is here, and explains none that is gone."""
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("## Why each dependency is here")[2].partition("\n## ")[0]
    rows = [re.findall(r"^`([\w.-]+)`$", cell) for row in page.splitlines() for cell in row.strip("| ").split(" | ")]
    explained = {name for names in rows for name in names} - PROJECT["project"]["optional-dependencies"].keys()

    assert explained == {name for names in project_dependencies().values() for name in names}


def test_the_lock_holds_every_dependency_with_hashes() -> None:
    """What we ask for is what gets installed: all of it is pinned, each pin is hashed, and no address is given."""
    pins = re.split(r"\n(?=\S)", LOCK.strip())
    pinned = {pin.partition("==")[0] for pin in pins}
    asked = {name for names in project_dependencies().values() for name in names}

    assert asked <= pinned
    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in LOCK


def test_each_rule_switched_off_has_its_reason() -> None:
    """Who reads which rules we leave out reads why, on the same line."""
    section = (ROOT / "pyproject.toml").read_text().partition("[tool.ruff.lint]")[2].partition("# ------")[0]
    rules = re.findall(r'^ +"[A-Z]+\d*",.*$', section, re.MULTILINE)

    assert len(rules) > len(PACKAGES)
    assert [rule.strip() for rule in rules if not re.search(r"# \w", rule)] == []
