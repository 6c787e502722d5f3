"""Likelihood ratios of calls on several photos a person: by how much a result shifts the odds, however common it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.metrics.binary import share
from ganonym.statistics.intervals import ROUNDS, Model


class Ratio(Model):
    """A ratio with its interval; None where it is infinite: `value` when nothing was divided by, `high` likewise."""

    value: float | None
    low: float
    high: float | None


def ratios(
    truth: NDArray[np.bool_],
    called: NDArray[np.bool_],
    subjects: Sequence[str],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> tuple[Ratio | None, Ratio | None]:
    """Positive and negative likelihood ratio of calls (n,), as `prevalence.likelihood_ratios`; None where 0 / 0.

    The positive one rises with sensitivity and with specificity, the negative one falls: the ends of their intervals
    over people, each at 97.5 % (Bonferroni), bound both with at least 95 % confidence. With one photo a person the
    intervals of `likelihood_ratios` are narrower. Raises ValueError unless `truth` has both.

    >>> truth, called = np.array([True, True, False, False]), np.array([True, False, False, False])
    >>> above, below = ratios(truth, called, list("abcd"), np.random.default_rng(0))
    >>> above.value is None, below.value
    (True, 0.5)
    """
    found = [
        share(hits[of], [subjects[row] for row in np.flatnonzero(of).tolist()], rng, rounds, 0.975)
        for of, hits in ((truth, called), (~truth, ~called))
    ]
    sensitivity, specificity = found
    if sensitivity is None or specificity is None:
        raise ValueError("likelihood ratios compare patients with controls")
    return (
        _ratio(
            (sensitivity.low, 1 - specificity.low),
            (sensitivity.value, 1 - specificity.value),
            (sensitivity.high, 1 - specificity.high),
        ),
        _ratio(
            (1 - sensitivity.high, specificity.high),
            (1 - sensitivity.value, specificity.value),
            (1 - sensitivity.low, specificity.low),
        ),
    )


def _ratio(low: tuple[float, float], value: tuple[float, float], high: tuple[float, float]) -> Ratio | None:
    if value == (0.0, 0.0):
        return None
    # 0 / 0 at an end says nothing there: as low, or as high, as can be.
    least, middle, most = (above / below if below else math.inf for above, below in (low, value, high))
    return Ratio(
        value=None if math.isinf(middle) else middle,
        low=0.0 if math.isinf(least) else least,
        high=None if math.isinf(most) else most,
    )
