"""The sentences about a build that goes on, the same everywhere, with what builds printed made safe."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from toolkit.core.moments import duration_text
from toolkit.core.visible import safe
from toolkit.core.words import how_many
from toolkit.live.view import elapsed, state_elapsed

if TYPE_CHECKING:
    from toolkit.live.view import LiveBuild, View

DASH = "\N{EN DASH}"


def title(each: LiveBuild) -> str:
    """Name the build, its pipeline and its target."""
    target = f" for {each.target}" if each.target else ""
    return safe(f"{each.pipeline or ''}{target}")


def doing(each: LiveBuild, at_ms: int) -> str:
    """Say in few words what the build does and for how long."""
    for_long = elapsed(each, at_ms)
    lasted = "" if for_long is None else duration_text(for_long)
    if each.doing == "held":
        since = each.held_since_ms
        return "held" if since is None else f"held for {duration_text(max(0, at_ms - since) / 1000)}"
    if each.doing == "over":
        ended = "abandoned" if each.abandoned else each.status
        return f"{ended} after {lasted}" if lasted else ended
    if each.doing == "between":
        return "over, its supervisor is still at work"
    how = "running for" if each.doing == "running" else "waiting,"
    return f"{how} {lasted}{' so far' if each.doing == 'waiting' else ''}" if lasted else each.doing


def place(each: LiveBuild, at_ms: int) -> str:
    """Say at which state the build is."""
    run = f"run {each.run}{f', {each.phase}' if each.phase else ''}"
    if each.state is None:
        return f"no state so far; {run}"
    state = safe(f"state {each.state} {each.name or ''}".rstrip())
    attempt = f", attempt {each.attempt}" if each.attempt is not None else ""
    since = state_elapsed(each, at_ms)
    how = f" for {duration_text(since)}" if since is not None else f" {each.state_status or ''}".rstrip()
    return f"{state}{attempt}{how}; {run}"


def notes(each: LiveBuild, view: View) -> tuple[str, ...]:
    """Say what else there is to know, a sentence each."""
    told = []
    if each.waiting is not None:
        left = duration_text(max(0, each.waiting.until_ms - view.at_ms) / 1000)
        what = "tries again" if each.waiting.action == "retry" else "looks again"
        told.append(safe(f"{what} in {left}, at {clock(each.waiting.until_ms, zone=True)}: {each.waiting.reason}"))
    if each.held:
        who = f"by {each.held_by}: " if each.held_by else ""
        told.append(safe(f"held {who}{each.held_why}"))
    if each.error and each.doing != "running" and each.status != "completed":
        told.append(safe(f"failed: {each.error}"))
    if each.elsewhere:
        told.append(safe(f"supervised on {each.elsewhere}, where its output is"))
    if each.degraded:
        told.append("recording was in trouble: parts of this may be missing")
    return tuple(told)


def done(each: LiveBuild, at_ms: int) -> tuple[str, ...]:
    """Say when the build will be done, with the uncertainty and what it rests on; nothing when that is no question."""
    told = each.done
    if told is None:
        return ()
    were = "was" if told.completed == 1 else "were"
    share = f"{told.completed} of {how_many(told.reached, 'run')} that came here {were} completed"
    if told.median is None or told.low is None or told.high is None:
        return (f"no estimate: {told.why}", *((share,) if told.reached else ()))
    times = f"{duration_text(told.median)} ({duration_text(told.low)}{DASH}{duration_text(told.high)}"
    whose = how_many(told.n, "run") + (" for this target" if told.same_target else "")
    at = datetime.fromtimestamp(at_ms / 1000 + told.median).astimezone()
    return f"done in {times} in {told.coverage or 0:.0%}, from {whose}), about {at:%H:%M %Z}", share


def clock(ts_ms: int, *, zone: bool = False) -> str:
    """Give the time of day where this machine stands, with the zone's name for readers elsewhere."""
    moment = datetime.fromtimestamp(ts_ms / 1000).astimezone()
    return f"{moment:%H:%M:%S %Z}" if zone else f"{moment:%H:%M:%S}"


def change(each: LiveBuild) -> str:
    """Say on one line where the build stands, without anything that changes while nothing happens."""
    state = "no state so far" if each.state is None else f"state {each.state} {each.name or ''}".rstrip()
    attempt = f", attempt {each.attempt} {each.state_status}" if each.attempt is not None else ""
    word = ("abandoned" if each.abandoned else each.status) if each.is_over else each.doing
    why = each.held_why if each.held else each.waiting.reason if each.waiting is not None else ""
    until = f" until {clock(each.waiting.until_ms)}" if each.waiting is not None else ""
    failed = f" ({each.error})" if each.state_status == "failed" and each.error else ""
    return safe(f"{each.build} {word}{until}{f': {why}' if why else ''}; {state}{attempt}{failed}; run {each.run}")
