"""Ranks of the true candidate in a gallery, and the trials: what is kept once the distances are gone.

Ties and failures to acquire count as chance, never as protection. From `Trials` each rate can be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.protocol import Tier
from ganonym.evaluate.scores import Scores
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where the true candidate of each of p trials stands among g candidates.

    `ahead` (p,) candidates strictly nearer than the true one; `tied` (p,) candidates as near, the true one included;
    `failed` (p,) bool, trials in which the probe or its true candidate had no template; `choices` (p,) candidates of
    each trial, which are all `candidates` unless a mask left fewer.
    """

    ahead: NDArray[np.int64]
    tied: NDArray[np.int64]
    failed: NDArray[np.bool_]
    choices: NDArray[np.int64]
    candidates: int

    @property
    def middle(self) -> Floats:
        """Mid-rank (p,), 1 = best: the expected rank when ties are broken at random."""
        return np.asarray(self.ahead + (self.tied + 1) / 2)

    def within(self, rank: int) -> Floats:
        """Probability (p,) that the true candidate is among the first `rank`, ties being broken at random."""
        return np.asarray(np.clip((rank - self.ahead) / self.tied, 0.0, 1.0))


def rank(distances: Floats, truth: NDArray[np.intp], mask: NDArray[np.bool_] | None = None) -> Ranks:
    """Ranks from `distances` (p, g), smaller = more alike, and the true column `truth` (p,) of each row.

    NaN means that no comparison was possible. Where it hits the true pair, the trial is a blind guess: every candidate
    ties. Where it hits another candidate, that one is put last, as an attacker would. `mask` (p, g): whom each trial
    may choose from, the true candidate among them; all when None. Raises ValueError on infinities and masked truths.

    >>> rank(np.array([[0.1, 0.5, 0.5], [np.nan, np.nan, np.nan]]), np.array([1, 0])).middle.tolist()
    [2.5, 2.0]
    """
    if distances.ndim != 2 or len(distances) != len(truth):
        raise ValueError(f"{len(truth)} trials do not fit distances of shape {distances.shape}")
    if np.isinf(distances).any():
        raise ValueError("an attacker returned an infinite distance; NaN is the value for 'no template'")
    rows = np.arange(len(truth))
    allowed = np.ones(distances.shape, dtype=bool) if mask is None else mask
    if not allowed[rows, truth].all():
        raise ValueError("a trial's true candidate is masked")
    own = distances[rows, truth]
    failed = np.isnan(own)
    # A masked candidate is behind the last one: neither ahead nor tied, as NaN compares false with everything.
    others = distances if mask is None else np.where(mask, distances, np.nan)
    ahead = np.sum(others < own[:, None], axis=1)
    tied = np.sum(others == own[:, None], axis=1)
    choices = allowed.sum(axis=1).astype(np.int64)
    return Ranks(
        np.where(failed, 0, ahead).astype(np.int64),
        np.where(failed, choices, tied).astype(np.int64),
        failed,
        choices,
        distances.shape[1],
    )


def any_hit(hits: Floats, owners: Sequence[str]) -> Floats:
    """Per subject, by name: the probability (…, s) that at least one photo is a hit, given each photo's (…, p).

    >>> any_hit(np.array([0.5, 1.0, 0.5]), ["b", "a", "b"]).tolist()
    [1.0, 0.75]
    """
    names = np.asarray(owners)
    order = np.argsort(names, kind="stable")
    starts = np.flatnonzero(np.r_[True, names[order][1:] != names[order][:-1]])
    return np.asarray(1.0 - np.multiply.reduceat(1.0 - hits[..., order], starts, axis=-1))


@dataclass(frozen=True, slots=True)
class Trials:
    """The p trials of one attacker in one setting; `owners` and `photos` (p,) as in `Scores`.

    `ranks` of the true candidates; `mated` (p,) their distances and `nearest_other` (p,) those of the nearest other
    candidate: NaN where there is no template, infinite where there is no other.
    """

    attacker: str
    tier: Tier
    setting: str
    owners: NDArray[np.str_]
    photos: NDArray[np.intp]
    ranks: Ranks
    mated: Floats
    nearest_other: Floats

    def surest(self, most: int) -> list[int]:
        """Photos named at first guess, at most `most`, the next candidate farthest behind first."""
        margin = self.nearest_other - self.mated
        order = [row for row in np.argsort(-margin, kind="stable").tolist() if 0 < margin[row] < np.inf]
        return [int(index) for index in self.photos[order[:most]]]


def trials_of(scores: Scores) -> Trials:
    """The trials behind `scores`."""
    rows, truth = np.arange(len(scores.owners)), scores.truth
    allowed = ~np.isnan(scores.distances) if scores.mask is None else scores.mask & ~np.isnan(scores.distances)
    allowed[rows, truth] = False
    return Trials(
        scores.attacker,
        scores.tier,
        scores.setting,
        scores.owners,
        scores.photos,
        rank(scores.distances, truth, scores.mask),
        scores.distances[rows, truth],
        scores.distances.min(axis=1, initial=np.inf, where=allowed),
    )
