"""A classifier in four cells: trained on originals (O) or released pictures (A), tested on either.

OA asks whether a deployed model still works on released pictures, AO whether the release is good to train on (train on
synthetic, test on real), AA whether it is consistent in itself; OO is the ceiling.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.types import Floats

Cell: TypeAlias = Literal["OO", "OA", "AO", "AA"]
CELLS: tuple[Cell, ...] = ("OO", "OA", "AO", "AA")
FOLDS = 5

Inputs: TypeAlias = NDArray[Any]
"""What a classifier sees, (n, ...), one entry a photo."""
Predictor: TypeAlias = Callable[[Inputs], Floats]
"""Inputs (n, ...) → probabilities (n, c)."""


class Classifier(Protocol):
    """Learns classes 0 … `count` − 1 (n,) from inputs (n, ...); not every class need occur."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor: ...


@dataclass(frozen=True, slots=True)
class Side:
    """Originals, or released pictures: `inputs` (n, ...), and which photos have any, (n,)."""

    inputs: Inputs
    found: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calls:
    """What one cell says of n photos.

    `predicted` (n,) class, −1 where there was nothing to look at; `rank` (n,) place of the true class, 1 = first, one
    more than there are classes where there was nothing to look at or the class was not learned; `confidence` (n,)
    probability of the class called, NaN without a call.
    """

    predicted: NDArray[np.intp]
    rank: NDArray[np.intp]
    confidence: Floats

    def right(self, within: int = 1) -> NDArray[np.bool_]:
        """Whether the true class is among the first `within`, (n,)."""
        return self.rank <= within


def four_cells(
    classifier: Classifier,
    originals: Side,
    released: Side,
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    seed: int,
    folds: int = FOLDS,
) -> dict[Cell, Calls]:
    """Calls of all four cells in folds that part subjects and hold every class in its share.

    A photo without anything to look at is missing where trained and wrong where tested. A class of which fewer than two
    photos are left to train on is not learned. `classes` (n,) from 0 without gaps.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count, photos = int(classes.max()) + 1, len(classes)
    calls: dict[Cell, Calls] = {
        cell: Calls(np.full(photos, -1, np.intp), np.full(photos, count + 1, np.intp), np.full(photos, np.nan))
        for cell in CELLS
    }
    sides = {"O": originals, "A": released}
    splitter = StratifiedGroupKFold(min(folds, len(set(subjects))), shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():  # a class smaller than the number of folds is absent from some, as it must be
        warnings.filterwarnings("ignore", "The least populated class")
        splits = list(splitter.split(classes, classes, np.array(subjects)))
    for train, test in splits:
        for cell in CELLS[::3]:  # OO and AA: one training each, tested on both sides
            source = sides[cell[0]]
            rows = train[source.found[train]]
            known = np.bincount(classes[rows], minlength=count) > 1
            rows = rows[known[classes[rows]]]
            if known.sum() < 2:
                continue
            predict = classifier.learn(source.inputs[rows], classes[rows], count, seed)
            for target, side in sides.items():
                seen = test[side.found[test]]
                if len(seen):
                    _record(calls[_cell(cell[0] + target)], seen, predict(side.inputs[seen]), classes[seen], known)
    return calls


def _cell(name: str) -> Cell:
    return next(cell for cell in CELLS if cell == name)


def _record(
    calls: Calls, photos: NDArray[np.intp], chances: Floats, truth: NDArray[np.intp], known: NDArray[np.bool_]
) -> None:
    chances = np.where(known, chances, -1.0)
    own = chances[np.arange(len(truth)), truth]
    best = chances.argmax(axis=1)
    # Of equal chances the first is called; the true class comes after all that are at least as likely and earlier.
    ahead = (chances > own[:, None]) | ((chances == own[:, None]) & (np.arange(chances.shape[1]) < truth[:, None]))
    calls.predicted[photos] = best
    calls.confidence[photos] = chances[np.arange(len(truth)), best]
    calls.rank[photos] = np.where(known[truth], ahead.sum(axis=1) + 1, chances.shape[1] + 1)


@dataclass(frozen=True, slots=True)
class Discriminant:
    """Linear discriminant analysis with a covariance shrunk by Ledoit and Wolf (2004).

    All classes are equally likely a priori, as macro rates want it, or else (`alike` False) as likely as in training.
    """

    alike: bool = True

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:  # noqa: ARG002
        """Of inputs (n, d); nothing is drawn, so `seed` plays no part."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        known = np.unique(classes)
        priors = np.full(len(known), 1 / len(known)) if self.alike else None
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        model.fit(inputs, classes)

        def predict(others: Inputs) -> Floats:
            chances = np.zeros((len(others), count))
            chances[:, known] = model.predict_proba(others)
            return chances

        return predict
