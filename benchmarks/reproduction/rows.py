"""A row of the table: what a paper claims, and what comes out on phantoms, paired by subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cross_validation import cross_validated
from ganonym.classify.learner import Inputs, Learner
from ganonym.classify.metrics.rates import macro_recall
from ganonym.statistics.intervals import Estimate, Statistic, paired_bootstrap, subject_bootstrap

ROUNDS, SEED = 1000, 3


@dataclass(frozen=True)
class Row:
    """`one` is claimed to be above `other`; `difference` is one − other over the same people.

    `published` is empty where no paper claims anything. `why` it cannot be told, where it cannot.
    """

    claim: str
    source: str
    published: str
    one: Estimate | None = None
    other: Estimate | None = None
    difference: Estimate | None = None
    why: str = ""

    @property
    def told(self) -> str:
        if self.difference is None:
            return f"not testable: {self.why}"
        yes, no = ("reproduced", "REVERSED") if self.published else ("lower", "higher")
        if self.difference.low > 0:
            return yes
        return no if self.difference.high < 0 else "not told apart"


def above(claim: str, source: str, published: str, one: Statistic, other: Statistic, subjects: Sequence[str]) -> Row:
    """The claim that one rate is above another, over the same photographs."""
    single = [subject_bootstrap(value, subjects, np.random.default_rng(SEED), ROUNDS) for value in (one, other)]
    gap = paired_bootstrap(one, other, subjects, np.random.default_rng(SEED), ROUNDS)
    return Row(claim, source, published, *single, gap)


def macro(predicted: NDArray[np.intp], classes: NDArray[np.intp]) -> Statistic:
    """Macro top-1."""
    return macro_recall(predicted == classes, classes)


def called_in_folds(
    method: Learner, inputs: Inputs, classes: NDArray[np.intp], subjects: Sequence[str], count: int
) -> NDArray[np.intp]:
    """Classes (n,) called by a classifier that did not learn from the subject."""
    return np.asarray(cross_validated(method, inputs, classes, subjects, count, SEED).argmax(axis=1))
