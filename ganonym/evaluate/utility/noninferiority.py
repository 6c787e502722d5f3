"""Is utility kept? Non-inferiority of released pictures to originals, by the paired bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ganonym.evaluate.assessment import Utility
from ganonym.statistics.bootstrap import Statistic, paired_bootstrap, subject_bootstrap
from ganonym.statistics.estimate import Estimate

Decision = Literal["kept", "lost", "undecided"]
Bounds = tuple[float, float] | None
RATE: Bounds = (0.0, 1.0)
REPORTED_ROUNDS = 400  # nothing hangs on the second digit of these intervals


def decide(difference: Estimate, margin: float) -> Decision:
    """Kept when the interval of `difference` (released − original, more is better) lies above −`margin`.

    Lost when it lies below, else undecided: a small study proves neither.

    >>> decide(Estimate(value=-0.02, low=-0.04, high=0.0), 0.05)
    'kept'
    """
    if difference.low > -margin:
        return "kept"
    return "lost" if difference.high < -margin else "undecided"


def compared(
    family: str,
    name: str,
    statistics: tuple[Statistic, Statistic],
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    margin: float | None = None,
    bounds: Bounds = RATE,
    note: str = "",
) -> Utility:
    """`statistics` of originals and of released pictures over the same photos, and their paired difference.

    With a `margin` it is decided whether the second is non-inferior; without one it is reported. Where a statistic is
    undefined (see `subject_bootstrap`) the row says so instead of a number.
    """
    original, released = statistics
    apart = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    seed = int(rng.integers(2**63))  # the same resamples for all three, so that equal statistics have equal intervals
    try:
        before, after = (
            subject_bootstrap(each, subjects, np.random.default_rng(seed), bounds=bounds) for each in statistics
        )
        difference = paired_bootstrap(released, original, subjects, np.random.default_rng(seed), bounds=apart)
    except ValueError as error:
        return not_evaluated(family, name, f"{note} {error}".strip())
    return Utility(
        family=family,
        name=name,
        original=before,
        released=after,
        difference=difference,
        margin=margin,
        decision="reported" if margin is None else decide(difference, margin),
        note=note,
    )


def reported(
    family: str,
    name: str,
    statistic: Statistic,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    bounds: Bounds = None,
    original: Estimate | None = None,
    difference: Estimate | None = None,
    note: str = "",
) -> Utility:
    """`statistic` of released pictures, or of how they agree with originals; nothing is decided by it."""
    try:
        found = subject_bootstrap(statistic, subjects, rng, REPORTED_ROUNDS, bounds=bounds)
    except ValueError as error:
        return not_evaluated(family, name, f"{note} {error}".strip())
    return Utility(
        family=family,
        name=name,
        original=original,
        released=found,
        difference=difference,
        margin=None,
        decision="reported",
        note=note,
    )


def not_evaluated(family: str, name: str, note: str, original: Estimate | None = None) -> Utility:
    """A row that says why there is no number."""
    return Utility(
        family=family,
        name=name,
        original=original,
        released=None,
        difference=None,
        margin=None,
        decision="not evaluated",
        note=note,
    )
