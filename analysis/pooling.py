"""Who lends evidence to whom: a sparse group borrows from its class and state, and how much is learnt from the data."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.chains import Chains, evidence
from analysis.recovery import Cloud, log_likelihood, posterior, prior
from toolkit.core.classes import GROUP_OF

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LENDING: Final = (0.0, 1.0, 3.0, 8.0)
"""What kin may lend in all, in incidents; the amount that predicts the groups best is taken."""
_FAR: Final = 0.5
_COMPARED: Final = 200
REST: Final = "*"
"""Stands for all signatures of a class that are too rare to be groups of their own."""
_SHAPE: Final = "tmpl."
_EVERY: Final = ("pipeline", "state", "class", "signature")


@dataclass(frozen=True, slots=True)
class Group:
    """Failures that one rule can speak for; `signature` is None for the rare ones of a class together."""

    pipeline: str
    state: int
    failure_class: str
    signature: str | None

    @property
    def leaning(self) -> str:
        """The class whose expectations hold for the group before any evidence.

        Where broad words made a message persistent and nothing knows its shape, nothing is expected of it.
        """
        shape_only = self.signature is not None and self.signature.startswith(_SHAPE)
        return "unknown" if shape_only and GROUP_OF.get(self.failure_class) == "persistent" else self.failure_class


@dataclass(frozen=True, slots=True)
class Kin:
    """A group's own evidence, and that of its nearer and farther kin."""

    own: Chains
    near: Chains
    """Other signatures of the class at this state, and the same signature elsewhere."""
    far: Chains
    """The class elsewhere."""

    def lent(self, amount: float) -> list[Chains]:
        """Give what the kin lend, scaled down to `amount` incidents from the near and half of it from the far."""
        return [
            kin.scaled(share) for kin, share in zip((self.near, self.far), self.shares(amount), strict=True) if share
        ]

    def shares(self, amount: float) -> tuple[float, float]:
        """Give the share of their evidence that the near and the far lend."""
        most = ((self.near, amount), (self.far, amount * _FAR))
        near, far = (min(1.0, each / kin.informative) if kin.informative > 0 else 0.0 for kin, each in most)
        return near, far


def kinship(chains: pl.DataFrame, bases: Mapping[Group, float], pipeline: str | None) -> Iterator[tuple[Group, Kin]]:
    """Give each group of a pipeline (of all when None) with its evidence and that of its kin, in a lasting order.

    `chains` come from `analysis.chains.chained`, with rare signatures renamed to `REST`; `bases` is the share of
    attempts that meet each group's failure.
    """
    groups = chains.select(_EVERY).unique()
    # A failure of a known class with a signature not seen at this state: all that is known of it is its kin.
    unseen = groups.select(_EVERY[:-1]).unique().with_columns(pl.lit(REST).alias("signature"))
    for where, state, failure_class, signature in pl.concat([groups, unseen]).unique().sort(_EVERY).iter_rows():
        if pipeline is not None and where != pipeline:
            continue
        group = Group(where, state, failure_class, None if signature == REST else signature)
        of_class = chains.filter(pl.col("class") == failure_class)
        here = (pl.col("pipeline") == where) & (pl.col("state") == state)
        named = pl.col("signature") == signature
        same = named & (signature != REST)
        base = bases.get(group, 0.0)
        parts = (here & named, (here & ~named) | (~here & same), ~here & ~same)
        yield group, Kin(*(evidence(of_class.filter(part), base) for part in parts))


def lending(kin: Mapping[Group, Kin]) -> float:
    """Learn how much kin may lend: the amount under which the groups' own evidence is the most likely (type II ML)."""
    largest = sorted(kin.items(), key=lambda each: (-each[1].own.informative, str(each[0])))[:_COMPARED]
    scores = np.zeros(len(LENDING))
    for group, each in largest:
        scores += _scores(pickle.dumps((group.leaning, each)))
    return LENDING[int(np.argmax(scores - 0.1 * np.abs(np.arange(len(LENDING)) - 1)))]


@lru_cache(maxsize=1024)
def _scores(told: bytes) -> tuple[float, ...]:
    """Give how likely a group's own evidence is under each amount; kept: a report asks for advice and replays."""
    leaning, kin = pickle.loads(told)  # noqa: S301 - what `lending` packed a moment ago
    cloud = prior(leaning)
    own, near, far = (log_likelihood(cloud, each) for each in (kin.own, kin.near, kin.far))
    scores = []
    for amount in LENDING:
        shares = kin.shares(amount)
        before = shares[0] * near + shares[1] * far
        scores.append(_log_mean(before + own) - _log_mean(before))
    return tuple(scores)


def likely(group: Group, kin: Kin, amount: float) -> Cloud:
    """Give what is likely for a group, when its kin lend `amount` incidents."""
    return _likely(pickle.dumps((group.leaning, [kin.own, *kin.lent(amount)])))


@lru_cache(maxsize=256)
def _likely(told: bytes) -> Cloud:
    """Keep what was found out: a report asks the same of the same evidence for its advice and for each replay."""
    return posterior(*pickle.loads(told))  # noqa: S301 - what `likely` packed a moment ago


def _log_mean(logs: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    top = float(logs.max())
    return top + float(np.log(np.exp(logs - top).mean()))
