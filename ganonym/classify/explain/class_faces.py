"""The composite of every class of a cohort, and how each differs from one of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.classify.case import Classed, people_of
from ganonym.classify.cohort import Cohort, Portrait
from ganonym.classify.explain.composite import FEWEST, Composite, Difference, composite, difference
from ganonym.classify.progress import Tell
from ganonym.errors import UsageError

_LONGEST = 80
# Windows takes these for devices, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}


@dataclass(frozen=True, slots=True)
class ClassFace:
    """The composite of class `name` of `photos` photographs, and its difference from another, None without one."""

    name: str
    photos: int
    face: Composite
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class ClassFaces:
    """`faces` in the order of classes; `left_out`: people in each class that has fewer than 5."""

    faces: tuple[ClassFace, ...]
    left_out: dict[str, int]


def class_faces(
    cohort: Cohort,
    against: str | None = None,
    only: Sequence[str] = (),
    tell: Tell = lambda *_: None,
) -> ClassFaces:
    """Composites of all classes, or `only` of those named; with `against`, how the others differ from that one.

    Raises UsageError for classes that there are not, when `against` has fewer than 5 people, and when all have.
    """
    ready, left_out = check_people(cohort, against, only)
    sides = {name: _side(cohort, name) for name in cohort.names}
    faces = []
    for done, name in enumerate(ready):
        tell("composites", done, len(ready))
        other = None if against in (None, name) else difference(*sides[name], *sides[str(against)])
        faces.append(ClassFace(name, len(sides[name][0]), composite(*sides[name]), other))
    tell("composites", len(ready), len(ready))
    return ClassFaces(tuple(faces), left_out)


def check_people(
    cohort: Classed, against: str | None = None, only: Sequence[str] = ()
) -> tuple[list[str], dict[str, int]]:
    """The classes of whom composites can be made, and the people in those that have too few. Raises UsageError as
    `class_faces` does."""
    for name in (*only, *([] if against is None else [against])):
        if name not in cohort.names:
            raise UsageError(f"nobody has the disorder {name!r}.", f"There are {', '.join(cohort.names)}.")
    people = people_of(cohort)
    if against is not None and people[against] < FEWEST:
        raise UsageError(f"{against!r} has {people[against]} people, a composite takes {FEWEST}.", "Choose another.")
    wanted = [name for name in cohort.names if not only or name in only]
    ready = [name for name in wanted if people[name] >= FEWEST]
    left_out = {name: people[name] for name in wanted if name not in ready}
    if not ready:
        told = ", ".join(f"{name} ({number})" for name, number in left_out.items())
        raise UsageError(f"a composite takes {FEWEST} people; there are {told}.", "Merge classes, or add people.")
    return ready, left_out


def file_names(names: Sequence[str], suffix: str = ".png") -> dict[str, str]:
    """A file name for each name, safe on any system: letters a–z, digits, "-", "_"; no two alike whatever the case.

    >>> file_names(["Noonan syndrome 1/2", "noonan syndrome 1-2", "../..", "CON"])
    {'Noonan syndrome 1/2': 'Noonan-syndrome-1-2.png', 'noonan syndrome 1-2': 'noonan-syndrome-1-2-2.png', '../..': \
'class.png', 'CON': 'CON-2.png'}
    """
    taken, found = set(_DEVICES), {}
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")[:_LONGEST] or "class"
        number, chosen = 1, stem
        while chosen.lower() in taken:
            number += 1
            chosen = f"{stem}-{number}"
        taken.add(chosen.lower())
        found[name] = chosen + suffix
    return found


def _side(cohort: Cohort, name: str) -> tuple[list[Portrait], list[str]]:
    rows = np.flatnonzero(cohort.classes == cohort.names.index(name)).tolist()
    return [cohort.portraits[row] for row in rows], [cohort.subjects[row] for row in rows]
