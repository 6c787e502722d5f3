"""Folds for cross-validation that part people, and, to show what it would hide, folds that do not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    tests, one of a single subject cannot be learned where it is tested: `too_small` counts them. The order of photos
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


def too_small(classes: NDArray[np.intp], subjects: Sequence[str], folds: int = FOLDS) -> int:
    """How many classes that occur have fewer subjects than `folds`, so that some fold does not test them."""
    people = subjects_of(classes, subjects)
    return int(((people > 0) & (people < folds)).sum())


def leaked(fold: Fold, subjects: Sequence[str]) -> int:
    """How many photos are tested of which the same subject was learned from: 0 in folds that part subjects."""
    learned = {subjects[photo] for photo in fold.train}
    return sum(subjects[photo] in learned for photo in fold.test)


def numbered(folds: Sequence[Fold], photos: int) -> NDArray[np.intp]:
    """The number (photos,) of the fold that tests each photo, −1 where none does."""
    number = np.full(photos, -1, np.intp)
    for index, fold in enumerate(folds):
        number[fold.test] = index
    return number
