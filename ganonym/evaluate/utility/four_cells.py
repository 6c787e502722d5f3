"""A classifier in four cells: trained on originals (O) or released pictures (A), tested on either.

OA asks whether a deployed model still works on released pictures, AO whether the release is good to train on (train on
synthetic, test on real), AA whether it is consistent in itself; OO is the ceiling.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.system import Calls, Inputs, Learner, record

Cell: TypeAlias = Literal["OO", "OA", "AO", "AA"]
CELLS: tuple[Cell, ...] = ("OO", "OA", "AO", "AA")
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Side:
    """Originals, or released pictures: `inputs` (n, ...), and which photos have any, (n,)."""

    inputs: Inputs
    found: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A classifier by its `name`, with what it sees of all photos and of all outputs."""

    name: str
    learner: Learner
    originals: Side
    released: Side


def four_cells(
    classifier: Learner,
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
            learned = np.bincount(classes[rows], minlength=count) > 1
            rows = rows[learned[classes[rows]]]
            if learned.sum() < 2:
                continue
            predict = classifier.learn(source.inputs[rows], classes[rows], count, seed)
            for target, side in sides.items():
                seen = test[side.found[test]]
                if len(seen):
                    record(calls[_cell(cell[0] + target)], seen, predict(side.inputs[seen]), classes[seen], learned)
    return calls


def _cell(name: str) -> Cell:
    return next(cell for cell in CELLS if cell == name)
