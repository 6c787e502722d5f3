"""What a classifier says of photos: the class it calls, the place of the true one, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class Calls:
    """What a classifier says of n photos.

    `predicted` (n,) class, −1 where there was nothing to look at; `rank` (n,) place of the true class, 1 = first, one
    more than there are classes where there was nothing to look at or the class was not learned; `confidence` (n,)
    probability of the class called, NaN without a call.
    """

    predicted: NDArray[np.intp]
    rank: NDArray[np.intp]
    confidence: Floats

    def right(self, within: int = 1) -> NDArray[np.bool_]:
        """Whether the true class is among the first `within`, (n,)."""
        return self.rank <= within


def record(
    calls: Calls, photos: NDArray[np.intp], chances: Floats, truth: NDArray[np.intp], known: NDArray[np.bool_]
) -> None:
    chances = np.where(known, chances, -1.0)
    own = chances[np.arange(len(truth)), truth]
    best = chances.argmax(axis=1)
    # Of equal chances the first is called; the true class comes after all that are at least as likely and earlier.
    ahead = (chances > own[:, None]) | ((chances == own[:, None]) & (np.arange(chances.shape[1]) < truth[:, None]))
    calls.predicted[photos] = best
    calls.confidence[photos] = chances[np.arange(len(truth)), best]
    calls.rank[photos] = np.where(known[truth], ahead.sum(axis=1) + 1, chances.shape[1] + 1)
