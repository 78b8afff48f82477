"""What a shell is offered after TAB: builds, states, pipelines and targets of the project that the command is about."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from toolkit.project import Project
    from toolkit.store import BuildRow

MOST_BUILDS = 50
"""Only the newest are offered: nobody chooses from more by hand."""


def builds(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the newest builds, each with where it stands."""
    newest_first = reversed(_rows(ctx))
    return [
        (row.build, f"{row.pipeline}, {'held' if row.held else row.status} at {row.current}")
        for row in newest_first
        if row.build.startswith(incomplete)
    ]


def states(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the states that toolkit.toml names."""
    here = _project(ctx)
    if here is None:
        return []
    return [(str(each.code), each.name or "") for each in here.states if str(each.code).startswith(incomplete)]


def phases(incomplete: str) -> list[str]:
    """Offer the three phases."""
    from toolkit.core.phase import PHASES

    return [name for name in PHASES if name.startswith(incomplete)]


def pipelines(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the pipelines of the newest builds."""
    return _sorted({row.pipeline for row in _rows(ctx)}, incomplete)


def targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the targets of the newest builds."""
    return _sorted({row.target for row in _rows(ctx)}, incomplete)


def _sorted(names: set[str | None], incomplete: str) -> list[str]:
    return sorted(name for name in names if name and name.startswith(incomplete))


def _project(ctx: typer.Context) -> Project | None:
    """Give the project; None where there is no telling, as the command itself will say why."""
    from toolkit.cli.opening import open_project
    from toolkit.errors import ToolkitError

    with suppress(ToolkitError, OSError):
        return open_project(ctx.params.get("project"))
    return None


def _rows(ctx: typer.Context) -> list[BuildRow]:
    """Give the newest builds, oldest first; the history is only looked at."""
    from toolkit.errors import ToolkitError
    from toolkit.project import store_url
    from toolkit.store import open_store

    here = _project(ctx)
    with suppress(ToolkitError):
        if here is not None:
            with closing(open_store(store_url(here, ctx.params.get("store")), create=False, read_only=True)) as store:
                return store.builds(limit=MOST_BUILDS)
    return []
