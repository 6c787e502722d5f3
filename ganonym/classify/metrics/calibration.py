"""Is a probability of 0.8 right in eight of ten cases? Temperature scaling and the reliability table (Guo et al. 2017).

The expected calibration error itself is `rates.calibration_error`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.metrics.rates import BINS
from ganonym.types import Floats

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
    found = minimize_scalar(
        lambda log: negative_log_likelihood(scores, classes, float(np.exp(log))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(np.exp(found.x))


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


@dataclass(frozen=True, slots=True)
class Bin:
    """Photos called with a confidence in (`low`, `high`]: how many, how sure on average, how often right."""

    low: float
    high: float
    photos: int
    confidence: float
    accuracy: float


def reliability(confidence: Floats, right: NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """The reliability table: calls of `confidence` (n,) in `bins` of equal width, empty ones left out, NaN not called.

    >>> [(each.photos, each.accuracy) for each in reliability(np.array([0.55, 0.6, 0.9]), np.array([1, 0, 1]) > 0, 2)]
    [(3, 0.6666666666666666)]
    """
    called = np.isfinite(confidence)
    confidence, right = confidence[called], right[called]
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        Bin(
            float(each / bins),
            float((each + 1) / bins),
            int((number == each).sum()),
            float(confidence[number == each].mean()),
            float(right[number == each].mean()),
        )
        for each in np.unique(number)
    ]
