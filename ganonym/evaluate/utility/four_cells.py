"""A classifier in four cells: trained on originals (O) or released pictures (A), tested on either.

OA asks whether a deployed model still works on released pictures, AO whether the release is good to train on (train on
synthetic, test on real), AA whether it is consistent in itself; OO is the ceiling.

`candidates`: classifiers that the assessor adds, learners of aligned faces, and published systems, which look for
themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, Portrait, portraits
from ganonym.classify.encoders import read_foundation
from ganonym.classify.learner import Calls, Inputs, Learner, record
from ganonym.classify.look import Look
from ganonym.classify.recipe import load_recipe
from ganonym.errors import UsageError
from ganonym.evaluate.release import Item
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.types import Progress

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


Added: TypeAlias = Union[Learner, str]  # noqa: UP007
"""Anything with `learn`, or a recipe by name (`classify.recipe.recipe_names`), of which the small preset is taken."""


def candidates(
    added: Sequence[Added], items: Sequence[Item], inputs: UtilityInputs, jobs: int, tell: Progress
) -> list[Candidate]:
    """Each classifier with what it sees of originals and of outputs, and the name by which the report calls it.

    Raises UsageError for a system that looks at people instead of photos.
    """
    found: list[Candidate] = []
    for classifier in added:
        if isinstance(classifier, str):
            found.append(_published(classifier, items, jobs, tell))
        else:
            name = str(getattr(classifier, "name", type(classifier).__name__))
            originals = Side(inputs.original_crops, inputs.found)
            found.append(Candidate(name, classifier, originals, Side(inputs.released_crops, inputs.shown)))
    return found


def _published(name: str, items: Sequence[Item], jobs: int, tell: Progress) -> Candidate:
    recipe = load_recipe(name)
    settings = recipe.small
    foundation = read_foundation(bundled=settings.bundled_start) if settings.pretrained_start else {}
    system = settings.system(foundation)
    before = portraits(
        [item.original for item in items], system.look.crops, jobs, tell, choices=[item.row.face for item in items]
    )
    out = [place for place, item in enumerate(items) if item.released is not None]
    released = [path for item in items if (path := item.released) is not None]
    after = dict(zip(out, portraits(released, system.look.crops, jobs, tell), strict=True))
    sides = [
        _side(name, system.look, items, [face if isinstance(face, Portrait) else None for face in faces])
        for faces in (before, [after.get(place) for place in range(len(items))])
    ]
    return Candidate(recipe.name, system.method, sides[0], sides[1])


def _side(name: str, look: Look, items: Sequence[Item], faces: Sequence[Portrait | None]) -> Side:
    """What a system sees of all photos, zeros where it sees no face."""
    seen = np.array([face is not None for face in faces], dtype=bool)
    rows = [item.row for item in items]
    cases = [
        Case(row.image, Path(row.image), row.subject, row.syndrome or "unknown", row.sex, row.age, row.ethnicity)
        for row in rows
    ]
    if not seen.any():
        return Side(np.zeros((len(items), 1)), seen)
    cohort = Cohort(
        tuple(case for case, face in zip(cases, faces, strict=True) if face is not None),
        tuple(face for face in faces if face is not None),
        ("unknown",),
        np.zeros(int(seen.sum()), np.intp),
        (),
    )
    inputs = look(cohort).inputs
    if len(inputs) != seen.sum():
        raise UsageError(f"{name} looks at people, not at single photos.", "Assess with another classifier.")
    whole = np.zeros((len(items), *inputs.shape[1:]), inputs.dtype)
    whole[seen] = inputs
    return Side(whole, seen)
