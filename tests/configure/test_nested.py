"""Retries that others make are found, because nested ones multiply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolkit.configure.nested import Nested, nested_retries, nesting

if TYPE_CHECKING:
    from pathlib import Path


def found(directory: Path) -> list[tuple[str, int, str, int | None]]:
    return [(each.file, each.line, each.where, each.attempts) for each in nested_retries(str(directory))]


@pytest.mark.parametrize(
    ("line", "attempts"),
    [
        ("curl -fsS --retry 3 --retry-delay 2 $URL", 4),
        ("wget --tries=5 $URL", 5),
        ("apt-get -o Acquire::Retries=3 update", 4),
        ('Acquire::Retries "2";', 3),
        ("pip install --retries 9 six", 10),
        ("retry 5 make image", 5),
        ("retry -t 4 make image", 4),
        ("for try in 1 2 3; do make image && break; sleep 5; done", 3),
        ("for try in $(seq 5); do\n  make image && exit 0\ndone", 5),
        ("for try in {1..4}; do make && break; done", 4),
        ("until make image; do\n  sleep 5\ndone", None),
        ("while ! ping -c1 host; do sleep 1; done", None),
    ],
)
def test_retries_in_a_script(tmp_path: Path, line: str, attempts: int | None) -> None:
    """The usual ways to try again in a shell script, and how often they try in all."""
    (tmp_path / "build.sh").write_text(f"#!/bin/sh\nset -e\n{line}\n")

    assert found(tmp_path) == [("build.sh", 3, "inside", attempts)]


@pytest.mark.parametrize(
    "line",
    [
        "curl -fsS $URL",
        "# curl --retry 3 is not used",
        "for file in 1 2 3; do cp $file /out; done",
        "for host in $(seq 5); do echo $host; done",
        "while read -r line; do echo $line; done",
        "until [ -e done ]; do sleep 1; done",
        "max: 3",
        "wget --tries=1 $URL",
    ],
)
def test_what_is_no_retry(tmp_path: Path, line: str) -> None:
    """Loops over things, waits for things, and single tries are not taken for retries."""
    (tmp_path / "build.sh").write_text(f"#!/bin/sh\n{line}\n")

    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "line", "attempts"),
    [
        (".gitlab-ci.yml", "image:\n  retry: 2\n  script: ./build.sh\n", 2, 3),
        (".gitlab-ci.yml", "image:\n  retry:\n    max: 2\n    when: always\n", 3, 3),
        (".github/workflows/image.yml", "- uses: some/retry@v3\n  with:\n    max_attempts: 4\n", 3, 4),
        ("Jenkinsfile", "stage('image') {\n  retry(3) { sh './build.sh' }\n}\n", 2, 3),
        (".buildkite/pipeline.yml", "retry:\n  automatic:\n    - limit: 1\n      limit: 2\n", 4, 3),
        ("azure-pipelines.yml", "- script: ./build.sh\n  retryCountOnTaskFailure: 2\n", 2, 3),
    ],
)
def test_retries_of_the_ci_around(tmp_path: Path, name: str, text: str, line: int, attempts: int) -> None:
    """A CI system that starts the whole build again is told apart from what happens inside."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)

    assert found(tmp_path) == [(name, line, "around", attempts)]


def test_retries_of_ansible(tmp_path: Path) -> None:
    """Ansible counts retries after the first attempt."""
    (tmp_path / "site.yml").write_text("- get_url: {}\n  register: got\n  until: got is success\n  retries: 5\n")

    assert found(tmp_path) == [("site.yml", 4, "inside", 6)]


def test_layers_multiply(tmp_path: Path) -> None:
    """Three around, three of ours and four inside are 36 attempts, and that is said."""
    (tmp_path / ".gitlab-ci.yml").write_text("retry: 2\n")
    (tmp_path / "build.sh").write_text("curl --retry 3 $URL\nwget --tries=2 $URL\n")
    worst = nesting(nested_retries(str(tmp_path)), ours=3)

    assert worst.product == 36
    assert worst.text == "3 around x 3 of ours x 4 inside = 36 attempts at the worst"


def test_endless_loops_are_said(tmp_path: Path) -> None:
    """A loop without an end makes the product a lower bound."""
    (tmp_path / "build.sh").write_text("until make; do sleep 5; done\n")

    assert nesting(nested_retries(str(tmp_path)), ours=3).text == (
        "1 around x 3 of ours x 1 inside = 3 attempts at the worst, and some loops have no end of their own"
    )


def test_commands_of_the_project(tmp_path: Path) -> None:
    """The commands that toolkit.toml names are looked at as well."""
    assert nested_retries(str(tmp_path), [("run of state 5", "curl --retry 2 $URL")]) == [
        Nested(file="run of state 5", line=1, where="inside", what="curl --retry", attempts=3)
    ]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """Binaries, links and the folders of tools are not searched."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.sh").write_text("curl --retry 3 $URL\n")
    (tmp_path / "image").write_bytes(b"\0curl --retry 3 $URL\n")
    (tmp_path / "link.sh").symlink_to(tmp_path / "node_modules" / "x.sh")

    assert found(tmp_path) == []
