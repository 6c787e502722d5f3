"""Macro rates of a classifier's calls over any resample of photos: every class counts alike, however rare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.system import Calls
from ganonym.statistics.intervals import Statistic

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
