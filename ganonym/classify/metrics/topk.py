"""Top-k accuracy of ranked lists: is the true disorder among the first k different ones?

Macro, as GestaltMatcher reports it (Hustinx et al. 2023, arXiv 2211.06764): the mean over disorders, so that a rare
disorder counts as much as a frequent one; micro, over photos, beside it. A gallery that shows one disorder many times
lists it once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.metrics.rates import macro_recall
from ganonym.statistics.intervals import ROUNDS, Estimate, Statistic, subject_bootstrap
from ganonym.types import Floats

RANKS = (1, 5, 10, 30)


def telling(count: int, ranks: Sequence[int] = RANKS) -> tuple[int, ...]:
    """The `ranks` that can miss among `count` classes: a list of all of them, or of more, holds the true one always.

    >>> telling(12), telling(5), telling(1)
    ((1, 5, 10), (1,), ())
    """
    return tuple(k for k in ranks if k < count)


def ranked(chances: Floats) -> NDArray[np.intp]:
    """Probabilities (n, c) → classes (n, c), the likeliest first; of equal ones the lower number, as in `calls`."""
    return np.argsort(-chances, axis=1, kind="stable")


def places(ranked: NDArray[np.intp], truth: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Place (n,) of the true class (n,) in lists (n, k) of classes, 1 = first, each class counted at its first mention.

    `count` + 1 where the list does not name it, however short the list. −1 pads lists and has no place.

    >>> places(np.array([[3, 3, 1, -1], [0, 2, 0, 2]]), np.array([1, 1]), 4).tolist()
    [2, 5]
    """
    order = np.argsort(ranked, axis=1, kind="stable")
    in_order = np.take_along_axis(ranked, order, axis=1)
    new = np.ones(ranked.shape, dtype=bool)
    new[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    first = np.zeros(ranked.shape, dtype=bool)
    np.put_along_axis(first, order, new & (in_order >= 0), axis=1)
    hit = first & (ranked == truth[:, None])
    place = (np.cumsum(first, axis=1) * hit).sum(axis=1)
    return np.where(hit.any(axis=1), place, count + 1).astype(np.intp)


def macro_top_k(
    rank: NDArray[np.intp], classes: NDArray[np.intp], k: int, among: NDArray[np.bool_] | None = None
) -> Statistic:
    """Mean over classes of the share of photos whose true class is among the first `k`; of the classes `among` only."""
    return macro_recall(rank <= k, classes, among)


def micro_top_k(rank: NDArray[np.intp], k: int) -> Statistic:
    """Share of photos whose true class is among the first `k`: what frequent classes dominate."""
    hits = rank <= k

    def statistic(photos: NDArray[np.intp]) -> float:
        return float(hits[photos].mean()) if len(photos) else float("nan")

    return statistic


def accuracies(
    rank: NDArray[np.intp],
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    count: int,
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> dict[int, Estimate]:
    """Macro top-1, 5, 10 and 30, of fewer than `count` classes, by k, with intervals by bootstrap over subjects."""
    return {k: subject_bootstrap(macro_top_k(rank, classes, k), subjects, rng, rounds) for k in telling(count)}
