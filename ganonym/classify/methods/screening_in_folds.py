"""A screen on people whom neither it nor its threshold has seen, where there is no test set but folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.classifier import Inputs
from ganonym.classify.cross_validation import FOLDS, Fold, subject_folds, subjects_of
from ganonym.classify.methods.screening import BinaryScreening
from ganonym.classify.progress import Tell, heard
from ganonym.classify.screening.rates import TERMS, Called, Screened, Terms, check_groups, rated
from ganonym.classify.screening.threshold import check_dealt
from ganonym.errors import UsageError
from ganonym.types import Pose


def check_people(
    positive: NDArray[np.bool_], subjects: Sequence[str], seed: int, folds: int, inner: int
) -> tuple[Fold, ...]:
    """The folds over `subjects`, of photos `positive` (n,). Raises UsageError where they or their `inner` folds lack
    people of either kind."""
    check_groups(positive)
    classes = positive.astype(np.intp)
    people = subjects_of(classes, subjects)
    if people.min() < 2:
        raise UsageError(
            f"{people[1]} patients and {people[0]} controls cannot be parted.", "Give two people or more of either."
        )
    parts = subject_folds(classes, subjects, seed, folds)
    for fold in parts:
        check_dealt(positive[fold.train], np.array([subjects[photo] for photo in fold.train.tolist()]), inner)
    return parts


def assess_in_folds(
    method: BinaryScreening,
    inputs: Inputs,
    positive: NDArray[np.bool_],
    subjects: Sequence[str],
    poses: Sequence[Pose | None],
    seed: int,
    folds: int = FOLDS,
    terms: Terms = TERMS,
    tell: Tell = lambda *_: None,
) -> Screened:
    """Rates of the pooled calls of all folds over `subjects`; inputs (n, ...), `positive` (n,), `poses`, one a photo.

    Every fold has a screen of its own: head and threshold from the other folds alone, the threshold on scores of
    `method.folds` inner folds of those. Scores of different folds are of different heads: pooled, they can but lower
    the area under the curve. Raises UsageError without two people of either kind, and as `choose_threshold`.
    """
    parts = check_people(positive, subjects, seed, folds, method.folds)
    classes = positive.astype(np.intp)
    scores, called = np.full(len(classes), np.nan), np.zeros(len(classes), np.bool_)
    thresholds = []
    for number, fold in enumerate(parts):
        tell("train", number, len(parts))
        own = [subjects[photo] for photo in fold.train.tolist()]
        with heard(tell):
            screen = method.learn(inputs[fold.train], positive[fold.train], own, seed + number)
        calls = screen.call(inputs[fold.test])
        scores[fold.test], called[fold.test] = calls.scores, calls.positive
        thresholds.append(screen.threshold)
    tell("train", len(parts), len(parts))
    return rated(Called(scores, called), thresholds, positive, subjects, poses, seed, terms)
