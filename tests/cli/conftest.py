"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transcripts import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give an empty project folder to type in."""
    return Shell(tmp_path)
