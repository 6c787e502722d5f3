"""What is kept of every trial once the distances are gone: numbers from which each rate can be computed again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.metrics.ranking import Ranks, rank
from ganonym.evaluate.protocol import Tier
from ganonym.evaluate.scores import Scores
from ganonym.types import Floats


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
