"""Macro rates of a classifier's calls over any resample of photos: every class counts alike, however rare.

Top-k accuracy as GestaltMatcher reports it (Hustinx et al. 2023, arXiv 2211.06764): the mean over disorders, so that a
rare disorder counts as much as a frequent one; a gallery that shows one disorder many times lists it once. Whether a
probability of 0.8 is right in eight of ten cases: the calibration error, and temperature scaling (Guo et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.learner import Calls
from ganonym.statistics.intervals import ROUNDS, Estimate, Statistic, subject_bootstrap
from ganonym.types import Floats

Classes = NDArray[np.intp]
BINS = 15


def macro_recall(right: NDArray[np.bool_], classes: Classes, among: NDArray[np.bool_] | None = None) -> Statistic:
    """Mean over classes of the share of photos called right (balanced accuracy); of the classes `among` (c,) only."""
    count = int(classes.max()) + 1

    def statistic(photos: NDArray[np.intp]) -> float:
        total = np.bincount(classes[photos], minlength=count)
        hits = np.bincount(classes[photos], weights=right[photos], minlength=count)
        drawn = total > 0 if among is None else (total > 0) & among
        return float((hits[drawn] / total[drawn]).mean()) if drawn.any() else float("nan")

    return statistic


def macro_f1(calls: Calls, classes: Classes) -> Statistic:
    """Mean over classes with photos of 2 TP / (2 TP + FP + FN); a photo that was not called is a miss of its class."""
    count = int(max(classes.max(), calls.predicted.max())) + 1  # a class may be called that nobody is of

    def statistic(photos: NDArray[np.intp]) -> float:
        truth, called = classes[photos], calls.predicted[photos]
        hits = np.bincount(truth[truth == called], minlength=count)
        total = np.bincount(truth, minlength=count)
        sums = total + np.bincount(called[called >= 0], minlength=count)
        drawn = total > 0
        return float((2 * hits[drawn] / sums[drawn]).mean())

    return statistic


def calibration_error(calls: Calls) -> Statistic:
    """Expected calibration error (Guo et al. 2017) in 15 bins of equal width, over the photos that were called."""
    right = calls.right()
    bins = np.clip(np.ceil(np.nan_to_num(calls.confidence) * BINS).astype(int) - 1, 0, BINS - 1)

    def statistic(photos: NDArray[np.intp]) -> float:
        photos = photos[calls.predicted[photos] >= 0]
        if not len(photos):
            return float("nan")
        gaps = np.bincount(bins[photos], weights=right[photos] - calls.confidence[photos], minlength=BINS)
        return float(np.abs(gaps).sum() / len(photos))

    return statistic


def kappa(predicted: NDArray[np.intp], classes: Classes) -> Statistic:
    """Cohen's kappa of calls (n,) with the truth (n,); −1, no call, agrees with nothing and counts against."""
    count = int(max(classes.max(), predicted.max())) + 1

    def statistic(photos: NDArray[np.intp]) -> float:
        truth, called = classes[photos], predicted[photos]
        shares = np.bincount(truth, minlength=count) / len(photos)
        given = np.bincount(called[called >= 0], minlength=count) / len(photos)
        chance = float(shares @ given)
        return float(((truth == called).mean() - chance) / (1 - chance)) if chance < 1 else float("nan")

    return statistic


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


COLDEST, HOTTEST = 0.01, 100.0
_TINY = 1e-12


def logits(chances: Floats) -> Floats:
    """Scores (n, c) whose softmax is `chances` (n, c); probabilities of zero count as 10⁻¹²."""
    return np.log(np.maximum(chances, _TINY))


def scaled(scores: Floats, temperature: float) -> Floats:
    """Softmax (n, c) of `scores` / `temperature`: above 1 less sure, below 1 surer; no call changes.

    >>> scaled(np.log([[0.9, 0.1]]), 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    from scipy.special import softmax

    return np.asarray(softmax(scores / temperature, axis=1))


def negative_log_likelihood(scores: Floats, classes: NDArray[np.intp], temperature: float = 1.0) -> float:
    """Mean −log p of the true class (n,), in nats."""
    from scipy.special import log_softmax

    return float(-log_softmax(scores / temperature, axis=1)[np.arange(len(classes)), classes].mean())


def fit_temperature(scores: Floats, classes: NDArray[np.intp]) -> float:
    """The temperature, within 0.01 … 100, that makes `classes` (n,) likeliest under `scores` (n, c).

    The scores must be of people that were not trained on. Raises ValueError without photos or with scores that are not
    finite.
    """
    from scipy.optimize import minimize_scalar

    if not len(classes) or not np.isfinite(scores).all():
        raise ValueError("a temperature needs photos, and scores that are finite")
    minimum = minimize_scalar(
        lambda log: negative_log_likelihood(scores, classes, float(np.exp(log))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(np.exp(minimum.x))


def cross_scaled(scores: Floats, classes: NDArray[np.intp], folds: NDArray[np.intp]) -> Floats:
    """Calibrated probabilities (n, c) of out-of-fold `scores` (n, c): each fold at the temperature of the others.

    `folds` (n,) is the number of the fold in which a photo was tested; folds that part subjects keep the temperature
    from people it is applied to. Raises ValueError for a single fold.
    """
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ValueError("a temperature for each fold needs another fold to be fitted on")
    chances = np.zeros(scores.shape)
    for number in numbers:
        here = folds == number
        chances[here] = scaled(scores[here], fit_temperature(scores[~here], classes[~here]))
    return chances
