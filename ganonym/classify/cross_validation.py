"""Folds that keep people apart, and how well a published system does on people whom it did not learn from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.learner import Calls, Inputs, Learner, asked, record
from ganonym.classify.metrics.binary import Binary, one_vs_rest
from ganonym.classify.metrics.rates import (
    accuracies,
    calibration_error,
    cross_scaled,
    fit_temperature,
    logits,
    macro_f1,
)
from ganonym.classify.progress import heard
from ganonym.statistics.intervals import ROUNDS, Estimate, few, subject_bootstrap
from ganonym.types import Floats, Progress

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of the photos to learn from and of those to test, ascending."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def subject_folds(
    classes: NDArray[np.intp], subjects: Sequence[str], seed: int, folds: int = FOLDS
) -> tuple[Fold, ...]:
    """Every photo is tested once, never with a photo of its subject among those learned from; classes in their shares.

    At most as many folds as the largest class has subjects; a class of fewer subjects than folds is missing from some
    tests, one of a single subject cannot be learned where it is tested. The order of photos
    decides nothing but the order of indices. Raises ValueError when no class has two subjects or `folds` < 2.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    number = possible_folds(classes, subjects, folds)
    if number < 2:
        raise ValueError(f"{folds} folds of classes with at most {number} subjects: two are needed")
    order = np.lexsort((classes, np.array(subjects)))  # sums of shares in another order could tip ties
    splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():  # a class smaller than the number of folds is absent from some, as it must be
        warnings.filterwarnings("ignore", "The least populated class")
        splits = list(splitter.split(order, classes[order], np.array(subjects)[order]))
    return tuple(Fold(np.sort(order[train]), np.sort(order[test])) for train, test in splits if len(test))


def possible_folds(classes: NDArray[np.intp], subjects: Sequence[str], folds: int) -> int:
    """`folds`, or as many as the largest class has subjects."""
    return min(folds, int(subjects_of(classes, subjects).max(initial=0)))


def leaking_folds(classes: NDArray[np.intp], seed: int, folds: int = FOLDS) -> tuple[Fold, ...]:
    """Folds over photos, as studies split them that do not say "by patient": one subject is on both sides.

    Only to show how much accuracy is recognition of people. Raises ValueError when no class has two photos or
    `folds` < 2.
    """
    from sklearn.model_selection import StratifiedKFold

    number = min(folds, int(np.bincount(classes).max(initial=0)))
    if number < 2:
        raise ValueError(f"{folds} folds of classes with at most {number} photos: two are needed")
    splitter = StratifiedKFold(number, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        splits = list(splitter.split(classes, classes))
    return tuple(Fold(train.astype(np.intp), test.astype(np.intp)) for train, test in splits)


def subjects_of(classes: NDArray[np.intp], subjects: Sequence[str]) -> NDArray[np.intp]:
    """Subjects (c,) of each class 0 … c − 1, the highest that occurs."""
    pairs = {(int(label), subject) for label, subject in zip(classes, subjects, strict=True)}
    return np.bincount(np.array([label for label, _ in sorted(pairs)], dtype=np.intp))


def numbered(folds: Sequence[Fold], photos: int) -> NDArray[np.intp]:
    """The number (photos,) of the fold that tests each photo, −1 where none does."""
    number = np.full(photos, -1, np.intp)
    for index, fold in enumerate(folds):
        number[fold.test] = index
    return number


@dataclass(frozen=True, slots=True)
class Rated:
    """Rates of a classifier with 95 % intervals by bootstrap over subjects.

    `top` macro top-k by k; `accuracy` the share of photos called right; `f1` macro;
    `calibration` the expected calibration error; `classes` each against the rest. `few_people`: all these rates are
    of fewer than ten.
    """

    photos: int
    subjects: int
    top: Mapping[int, Estimate]
    accuracy: Estimate
    f1: Estimate
    calibration: Estimate
    classes: Sequence[Binary]
    few_people: bool


def cross_validated(
    method: Learner,
    inputs: Inputs,
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    count: int,
    seed: int,
    folds: int = FOLDS,
    tell: Progress = lambda *_: None,
) -> Floats:
    """Probabilities (n, count) of every photo by a classifier that never saw its subject.

    Raises UsageError or ValueError as the method and `subject_folds` do.
    """
    parts: Sequence[Fold] = subject_folds(classes, subjects, seed, folds)
    chances = np.full((len(classes), count), np.nan)
    for number, fold in enumerate(parts):
        tell("train", number, len(parts))
        with heard(tell):
            trained = method.learn(inputs[fold.train], classes[fold.train], count, seed + number)
        chances[fold.test] = asked(trained, inputs[fold.test])
    tell("train", len(parts), len(parts))
    return chances


@dataclass(frozen=True, slots=True)
class Tempered:
    """`temperature` that makes out-of-fold probabilities likeliest, and the calibration `error` of those each divided
    by the temperature of the other folds."""

    temperature: float
    error: Estimate


def tempered(
    chances: Floats, classes: NDArray[np.intp], subjects: Sequence[str], seed: int, folds: int = FOLDS
) -> Tempered:
    """What temperature scaling (Guo et al. 2017) would do to the result of `cross_validated` with the same folds."""
    scores = logits(chances)
    number = numbered(subject_folds(classes, subjects, seed, folds), len(classes))
    calls = called(cross_scaled(scores, classes, number), classes)
    error = subject_bootstrap(calibration_error(calls), subjects, np.random.default_rng(seed))
    return Tempered(fit_temperature(scores, classes), error)


def called(chances: Floats, classes: NDArray[np.intp]) -> Calls:
    """What probabilities (n, c) call, and the place of the true class (n,)."""
    photos, count = chances.shape
    calls = Calls(np.full(photos, -1, np.intp), np.full(photos, count + 1, np.intp), np.full(photos, np.nan))
    record(calls, np.arange(photos, dtype=np.intp), chances, classes, np.ones(count, dtype=bool))
    return calls


def rated(
    chances: Floats, classes: NDArray[np.intp], subjects: Sequence[str], seed: int, rounds: int = ROUNDS
) -> Rated:
    """Rates of probabilities (n, c) of photos of `subjects` that were not learned from."""
    rng = np.random.default_rng(seed)
    calls, count = called(chances, classes), chances.shape[1]
    right = calls.right()
    return Rated(
        photos=len(classes),
        subjects=len(set(subjects)),
        top=accuracies(calls.rank, classes, subjects, count, rng, rounds),
        accuracy=subject_bootstrap(lambda photos: float(right[photos].mean()), subjects, rng, rounds),
        f1=subject_bootstrap(macro_f1(calls, classes), subjects, rng, rounds),
        calibration=subject_bootstrap(calibration_error(calls), subjects, rng, rounds),
        classes=one_vs_rest(calls.predicted, classes, subjects, count, rng, chances, rounds),
        few_people=few(subjects),
    )
