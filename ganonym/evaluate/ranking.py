"""Ranks of the true candidate in a gallery. Ties and failures to acquire count as chance, never as protection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where the true candidate of each of p trials stands among g candidates.

    `ahead` (p,) candidates strictly nearer than the true one; `tied` (p,) candidates as near, the true one included;
    `failed` (p,) bool, trials in which the probe or its true candidate had no template.
    """

    ahead: NDArray[np.int64]
    tied: NDArray[np.int64]
    failed: NDArray[np.bool_]
    candidates: int

    @property
    def middle(self) -> Floats:
        """Mid-rank (p,), 1 = best: the expected rank when ties are broken at random."""
        return np.asarray(self.ahead + (self.tied + 1) / 2)

    def within(self, rank: int) -> Floats:
        """Probability (p,) that the true candidate is among the first `rank`, ties being broken at random."""
        return np.asarray(np.clip((rank - self.ahead) / self.tied, 0.0, 1.0))


def rank(distances: Floats, truth: NDArray[np.intp]) -> Ranks:
    """Ranks from `distances` (p, g), smaller = more alike, and the true column `truth` (p,) of each row.

    NaN means that no comparison was possible. Where it hits the true pair, the trial is a blind guess: every candidate
    ties. Where it hits another candidate, that one is put last, as an attacker would. Raises ValueError on infinities.

    >>> rank(np.array([[0.1, 0.5, 0.5], [np.nan, np.nan, np.nan]]), np.array([1, 0])).middle.tolist()
    [2.5, 2.0]
    """
    if distances.ndim != 2 or len(distances) != len(truth):
        raise ValueError(f"{len(truth)} trials do not fit distances of shape {distances.shape}")
    if np.isinf(distances).any():
        raise ValueError("an attacker returned an infinite distance; NaN is the value for 'no template'")
    own = distances[np.arange(len(truth)), truth]
    failed = np.isnan(own)
    others = np.where(np.isnan(distances), np.inf, distances)
    ahead = np.sum(others < own[:, None], axis=1)
    tied = np.sum(others == own[:, None], axis=1)
    candidates = distances.shape[1]
    return Ranks(
        np.where(failed, 0, ahead).astype(np.int64),
        np.where(failed, candidates, tied).astype(np.int64),
        failed,
        candidates,
    )
