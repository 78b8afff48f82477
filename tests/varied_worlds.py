"""Worlds drawn at random, a kind of trap after the other: pipelines, costs, rates and habits all differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tests.worlds import HOUR, Mode, World

if TYPE_CHECKING:
    from collections.abc import Callable

    Rng = np.random.Generator

TRAPS: Final = (
    "transient", "outage", "sticky", "dirty", "hanging", "misleading", "unknown", "hardly-any", "mixed", "hopeful",
)  # fmt: skip
_PASSING: Final = (
    ("network", "net.timeout", "connect timed out"),
    ("unavailable", "http.503", "HTTP 503"),
    ("rate_limited", "http.429", "HTTP 429"),
    ("contention", "apt.lock", "could not get lock"),
    ("infrastructure", "vm.gone", "host vanished"),
)
_LASTING: Final = (
    ("config", "config.syntax", "syntax error in role"),
    ("auth", "auth.denied", "permission denied"),
    ("dependency", "pkg.missing", "no package matches"),
    ("test", "test.failed", "2 tests failed"),
)
_PLACES: Final = (("dirty", "disk.lock", "lock file exists"), ("resource", "disk.full", "no space left on device"))


def varied(trap: str, seed: int) -> World:
    """Draw one world of a kind of trap; the same seed draws the same world."""
    rng = np.random.default_rng((TRAPS.index(trap), seed))
    count = int(rng.integers(4, 9))
    codes = sorted(int(code) for code in rng.choice(np.arange(5, 100, 5), count, replace=False))
    states = tuple((code, _log(rng, 120, 3600)) for code in codes)
    place = int(rng.integers(1, count))
    draw = _Draw(rng, dict(states), codes[place])
    modes = _DRAWN[trap](draw)
    return World(
        f"{trap}-{seed}", states, modes,
        delay=_log(rng, 30, 7200), spacing=_log(rng, 600, 4 * HOUR), response=2.0, vain=int(rng.integers(1, 4)),
        repaired=float(rng.choice([0.0, 0.5, 1.0])),
        in_place=float(rng.choice([0.0, 0.0, 0.0, 0.2])),
    )  # fmt: skip


class _Draw:
    """Draws modes of one pipeline."""

    def __init__(self, rng: Rng, seconds: dict[int, float], state: int) -> None:
        self.rng = rng
        self.seconds = seconds
        self.state = state

    def mode(self, kind: str, names: tuple[tuple[str | None, str | None, str], ...], **more: float) -> Mode:
        """Draw a mode of a kind with one of some names."""
        failure_class, signature, message = names[int(self.rng.integers(len(names)))]
        told = {
            "rate": float(self.rng.uniform(0.04, 0.25)),
            "recovers": float(self.rng.uniform(0.55, 0.97)),
            "fails_after": self.seconds[self.state] * float(self.rng.choice([0.02, 0.1, 0.4, 0.9])),
            **more,
        }
        return Mode(self.state, kind, signature=signature, failure_class=failure_class, message=message, **told)  # type: ignore[arg-type]

    def elsewhere(self) -> _Draw:
        others = [code for code in self.seconds if code != self.state]
        return _Draw(self.rng, self.seconds, others[int(self.rng.integers(len(others)))])


def _log(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _outage(draw: _Draw, names: tuple[tuple[str | None, str | None, str], ...] = _PASSING[:3]) -> Mode:
    return draw.mode(
        "outage", names, rate=float(draw.rng.uniform(0.03, 0.12)), outage=_log(draw.rng, 90, 2 * HOUR),
        steady=bool(draw.rng.random() < 0.3), spares=float(draw.rng.choice([0.0, 0.0, 0.15])),
        fails_after=float(draw.rng.uniform(5, 120)),
    )  # fmt: skip


def _hanging(draw: _Draw) -> Mode:
    kind = "stuck" if draw.rng.random() < 0.3 else "random"
    limit = draw.seconds[draw.state] * float(draw.rng.uniform(1.5, 4))
    return draw.mode(
        kind, (("timeout", "time.limit", "timed out"), ("stall", "time.stall", "silent")), fails_after=limit
    )


def _misleading(draw: _Draw) -> Mode:
    if draw.rng.random() < 0.5:
        return draw.mode("stuck", _PASSING[:2])
    return draw.mode("random", _LASTING)


def _unknown(draw: _Draw) -> Mode:
    messages = ("E{n} vmforge broker lost", "{w} {w} {w} {n}", "guest agent {w} gone")
    names = tuple((None, None, message) for message in messages)
    kind = ("random", "outage", "stuck")[int(draw.rng.choice(3, p=[0.6, 0.2, 0.2]))]
    return _outage(draw, names) if kind == "outage" else draw.mode(kind, names)


def _mixed(draw: _Draw) -> tuple[Mode, ...]:
    return (
        draw.mode("random", _PASSING),
        _outage(draw.elsewhere()),
        draw.elsewhere().mode("stuck", _LASTING, rate=float(draw.rng.uniform(0.02, 0.08))),
        draw.elsewhere().mode("dirty", _PLACES),
        draw.elsewhere().mode("random", ((None, None, "E{n} guest agent not found"),)),
    )


_DRAWN: Final[dict[str, Callable[[_Draw], tuple[Mode, ...]]]] = {
    "transient": lambda draw: (draw.mode("random", _PASSING),),
    "outage": lambda draw: (_outage(draw),),
    "sticky": lambda draw: (draw.mode("stuck", _LASTING),),
    "dirty": lambda draw: (draw.mode("dirty", _PLACES),),
    "hanging": lambda draw: (_hanging(draw),),
    "misleading": lambda draw: (_misleading(draw),),
    "unknown": lambda draw: (_unknown(draw),),
    "hardly-any": lambda draw: (draw.mode("random", _PASSING, rate=float(draw.rng.uniform(0.002, 0.02))),),
    "mixed": _mixed,
    "hopeful": lambda draw: (draw.mode("random", _PASSING, recovers=float(draw.rng.uniform(0.2, 0.5))),),
}
