"""`toolkit resume`: goes on with an unfinished build where it stopped, by the command that it was last run with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.cli.parts import asked_of, foresee
from toolkit.errors import NotFound, NothingRecorded, Refused
from toolkit.supervise.selecting import WHOLE

if TYPE_CHECKING:
    from toolkit.project import Project
    from toolkit.supervise.resuming import Recorded


def resume_light(options: Mapping[str, Any], command: Sequence[str]) -> int:
    """Resume a build and end as it does; `options` may hold build, from, through, only, force, project and store."""
    from toolkit.cli.light_run import run_light
    from toolkit.project import store_url
    from toolkit.store import open_store, sqlite_path
    from toolkit.supervise.linking import settle_all
    from toolkit.supervise.resuming import last_recorded, may_go_on, to_resume
    from toolkit.supervise.runner import warn

    project, asked = _project(options), asked_of(options, ())
    url = store_url(project, options.get("store"))
    if url.startswith("sqlite:") and not os.path.exists(sqlite_path(url)):
        raise NothingRecorded("no build has been recorded yet")
    store = open_store(url, create=False)
    try:
        settle_all(store, project)
        progress = to_resume(store, project, options.get("build"), say=warn)
        may_go_on(progress, project)
        recorded = last_recorded(store.events(progress.build))
        if asked != WHOLE:
            foresee(store, project, "full-resume", asked, progress)
        words = _words(command, recorded, project, progress.build)
    except BaseException:
        store.close()
        raise
    if progress.degraded:
        warn(f"build {progress.build} starts over: its record may have holes")
    told = {
        **options, "build": progress.build, "phase": "full-resume", "reason": "resume", "target": progress.target,
        "opened": store,
    }  # fmt: skip
    if not command:
        told |= _go_to(recorded, project, options)
    return run_light({name: value for name, value in told.items() if value is not None}, words)


def _words(command: Sequence[str], recorded: Recorded, project: Project, build: str) -> tuple[str, ...]:
    """Give the command to run, empty for that of the pipeline's own states; Refused when there is neither."""
    words = tuple(command) or recorded.command
    if not words and not any(state.run for state in project.states):
        raise Refused(
            f"nothing is known of how build {build} is run", hint=f"Say it: `toolkit resume {build} -- COMMAND`."
        )
    return words


def _project(options: Mapping[str, Any]) -> Project:
    from toolkit.project import find_project, load_project

    where = options.get("project") or os.environ.get("TOOLKIT_PROJECT")
    if where is not None and not os.path.isdir(where):
        raise NotFound(f"there is no project folder {where}", hint="Name a folder that exists with --project.")
    return load_project(where or find_project(os.getcwd()))


def _go_to(recorded: Recorded, project: Project, options: Mapping[str, Any]) -> dict[str, str]:
    """Go where the command was given, for it may be `./build.sh`; gives the options that then mean the same."""
    if recorded.directory is None or recorded.directory == os.getcwd() or not os.path.isdir(recorded.directory):
        return {}
    from toolkit.project import find_project, store_url
    from toolkit.store import sqlite_path

    url = store_url(project, options.get("store"))
    same = f"sqlite:///{sqlite_path(url)}" if url.startswith("sqlite:") else url
    named = options.get("store") or os.environ.get("TOOLKIT_STORE")
    os.chdir(recorded.directory)
    elsewhere = find_project(recorded.directory) != project.directory
    told = {"store": same} if named else {}
    return {**told, "project": project.directory} if elsewhere or options.get("project") else told
