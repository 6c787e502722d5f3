"""Classifiers that the assessor adds: learners of aligned faces, and published systems, which look for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, Union

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, Portrait, portraits
from ganonym.classify.encoders import read_foundation
from ganonym.classify.recipe import load_recipe
from ganonym.classify.system import Learner, Look
from ganonym.errors import UsageError
from ganonym.evaluate.release import Item
from ganonym.evaluate.utility.four_cells import Candidate, Side
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.types import Progress

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
