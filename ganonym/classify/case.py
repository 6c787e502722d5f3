"""A photograph with its diagnosis: what the published classifiers learn from and are tested on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cross_validation import subjects_of
from ganonym.errors import UsageError
from ganonym.subjects import FaceChoice
from ganonym.types import Sex


@dataclass(frozen=True, slots=True)
class Case:
    """One photograph of one patient.

    `image` is the name by which tables call it, `path` the file. `disorder` None: unknown, to be predicted. `present`
    and `absent` are HPO ids ("HP:0000316"). `age` in years. `split` is a published part of a data set ("train", "test",
    or with the number of a random split, "test 3"); None without one. `simulated`: nobody, made by `ganonym phantom`.
    `face`: which of several faces is the patient's, None: the largest.
    """

    image: str
    path: Path
    subject: str
    disorder: str | None = None
    sex: Sex | None = None
    age: float | None = None
    ancestry: str | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    split: str | None = None
    simulated: bool = False
    face: FaceChoice | None = None


_LISTED = 10


class Classed(Protocol):
    """`names` of classes, `classes` (n,) as places in them and `subjects` (n) of n photographs."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> NDArray[np.intp]: ...
    @property
    def subjects(self) -> tuple[str, ...]: ...


Check: TypeAlias = Callable[[Classed], None]
"""Raises UsageError for classes and people with whom a command cannot do what it is asked to."""


@dataclass(frozen=True, slots=True)
class Roster:
    """`cases` whose class is known, `names` of the classes in order, `classes` (n,) as places in them."""

    cases: tuple[Case, ...]
    names: tuple[str, ...]
    classes: NDArray[np.intp]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(case.subject for case in self.cases)


def roster(cases: Sequence[Case], names: Sequence[str] | None = None, positive: str | None = None) -> Roster:
    """Classes are the disorders in alphabetical order, or `names` in theirs; with `positive` two: all else, and it.

    Raises UsageError when no class is known, when `positive` is nobody's disorder, or when a case has a disorder that
    is not among `names`.

    >>> from pathlib import Path
    >>> listed = roster([Case("1", Path("1"), "p", "b"), Case("2", Path("2"), "q", "a"), Case("3", Path("3"), "r")])
    >>> listed.names, listed.classes.tolist(), listed.subjects
    (('a', 'b'), [1, 0], ('p', 'q'))
    """
    labelled = [case for case in cases if case.disorder is not None]
    if not labelled:
        raise UsageError(
            f"none of {len(cases)} cases has a disorder that is given." if cases else "the table has no cases.",
            "Check the disorders: their column, or another one by label (--label).",
        )
    disorders = sorted({str(case.disorder) for case in labelled})
    if positive is not None and positive not in disorders:
        raise UsageError(f"no case has the disorder {positive!r}.", f"There are {_some(disorders)}.")

    def named(case: Case) -> str:
        return (
            str(case.disorder) if positive is None else (positive if case.disorder == positive else f"not {positive}")
        )

    if names is None:
        names = disorders if positive is None else [f"not {positive}", positive]
    foreign = sorted({named(case) for case in labelled} - set(names))
    if foreign:
        raise UsageError(f"disorders {_some(foreign)} are none of {_some(names)}.", "Leave those cases out.")
    place = {name: index for index, name in enumerate(names)}
    return Roster(tuple(labelled), tuple(names), np.array([place[named(case)] for case in labelled], dtype=np.intp))


def people_of(classed: Classed) -> dict[str, int]:
    """How many people each class has, 0 included."""
    people = subjects_of(classed.classes, classed.subjects)
    return dict(zip(classed.names, [*people.tolist(), *[0] * (len(classed.names) - len(people))], strict=True))


def of_enough(cases: Sequence[Case], people: int) -> tuple[list[Case], list[Case]]:
    """The cases whose class has at least so many people, with those of unknown class, and those whose class has fewer.

    Raises UsageError when there is no such class.
    """
    subjects: dict[str | None, set[str]] = {}
    for case in cases:
        subjects.setdefault(case.disorder, set()).add(case.subject)
    most = max((len(own) for name, own in subjects.items() if name is not None), default=people)
    if most < people:
        raise UsageError(
            f"no class has {people} people, the largest has {most}.", "Ask for fewer: at_least (--at-least)."
        )
    enough = [case.disorder is None or len(subjects[case.disorder]) >= people for case in cases]
    return (
        [case for case, kept in zip(cases, enough, strict=True) if kept],
        [case for case, kept in zip(cases, enough, strict=True) if not kept],
    )


def check_two(classed: Classed) -> None:
    """Raises UsageError where all people are of one class: there is nothing to tell apart."""
    present = [name for name, number in people_of(classed).items() if number]
    if len(present) < 2:
        raise UsageError(
            f"all {len(set(classed.subjects))} people are of one class, {present[0]}: there is nothing to tell apart.",
            "Give people of another class, or tell apart another column by label (--label).",
        )


def check_folds(classed: Classed) -> None:
    """Raises UsageError as `check_two`, and for classes of one person, whom nobody is left to be told by in folds."""
    check_two(classed)
    alone = [name for name, number in people_of(classed).items() if number == 1]
    if alone:
        raise UsageError(
            f"{len(alone)} classes have one person only: {_some(alone)}. In folds nobody is left to learn them from.",
            "Leave them out by at_least 2 (--at-least 2), or name the classes to tell apart by only (--only).",
        )


def _some(names: Sequence[str]) -> str:
    more = f" … and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
