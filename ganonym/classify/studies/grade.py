"""Grade photographs into ordered levels, in folds over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case, Classed, check_folds
from ganonym.classify.cohort import Seen
from ganonym.classify.cross_validation import cross_validated
from ganonym.classify.studies.study import (
    UNHEARD,
    Remark,
    Study,
    cases_of,
    chosen,
    fold_remarks,
    gathered_cases,
    reasons_of,
    remembered,
)
from ganonym.classify.systems.ordinal import level_rates, levels_by_signs, median_level, quadratic_kappa
from ganonym.errors import UsageError
from ganonym.statistics.intervals import Estimate, few, subject_bootstrap
from ganonym.types import Payload, Progress


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its `photos` and `people`, how many of the photos were `called` each level, and its rates.

    A rate is None where nobody could show it; `few_people` names the rates of fewer than ten people.
    """

    name: str
    photos: int
    people: int
    called: tuple[int, ...]
    sensitivity: float | None
    specificity: float | None
    few_people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grading:
    """How well the system called `name` grades: quadratic `kappa`, 0 chance and 1 full agreement, and each level."""

    name: str
    photos: int
    subjects: int
    few_people: bool
    kappa: Estimate
    levels: tuple[Level, ...]
    simulated: bool
    left_out: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON."""
        levels = {
            level.name: {
                "photos": level.photos,
                "people": level.people,
                "called": list(level.called),
                "sensitivity": level.sensitivity,
                "specificity": level.specificity,
                "few_people": list(level.few_people),
            }
            for level in self.levels
        }
        return {
            "name": self.name,
            "simulated": self.simulated,
            "photos": self.photos,
            "subjects": self.subjects,
            "few_people": self.few_people,
            "kappa": self.kappa.model_dump(),
            "levels": levels,
            "left_out": reasons_of(self.left_out),
        }


def grade(study: Study, levels: Sequence[str] = (), signs: str | None = None, tell: Progress = UNHEARD) -> Grading:
    """Grade into `levels` of the study's `label`, the lowest first, or by numbers of `signs`, "1,5", in folds.

    A photograph is called the level at which half of the probability lies below. Raises UsageError for levels that are
    said in two ways or in none, and for what `chosen` and `gathered_cases` refuse.
    """
    if (signs is None) == (study.label is None) or (study.label is None) != (not levels):
        raise UsageError(
            "levels are said in two ways.", "Give label (--label) and every level (--level), or signs (--signs)."
        )
    choice, device_remarks = chosen(study)
    cases, told = cases_of([study.data], study.images, study.label)
    names = tuple(levels)
    if signs is not None:
        cases, names = by_signs(cases, signs)

    def check(cohort: Classed) -> None:
        check_folds(cohort)
        choice.check(cohort)

    with remembered(told):
        gathering = gathered_cases(cases, study, check, choice.system.look.crops, names, tell)
    cohort = gathering.cohort
    seen = choice.system.look(cohort)
    chances = cross_validated(
        choice.system.method, seen.inputs, seen.classes, seen.subjects, len(names), study.seed, study.folds, tell
    )
    called = median_level(chances)
    agreement = quadratic_kappa(called, seen.classes, len(names))
    return Grading(
        name=choice.recipe.name,
        photos=len(called),
        subjects=len(set(seen.subjects)),
        few_people=few(seen.subjects),
        kappa=subject_bootstrap(agreement, seen.subjects, np.random.default_rng(study.seed)),
        levels=tuple(_levels(names, seen, called)),
        simulated=cohort.simulated,
        left_out=cohort.left_out,
        remarks=(*device_remarks, *told, *gathering.remarks, *fold_remarks(cohort, study.folds)),
    )


def by_signs(cases: Sequence[Case], text: str) -> tuple[list[Case], tuple[str, ...]]:
    """The cases with their level, by number of HPO terms, for disorder; and the levels in order.

    Raises UsageError for a `text` that is not like "1,5".

    >>> from pathlib import Path
    >>> case = Case("1", Path("1"), "p", present=("HP:0000316", "HP:0000343"))
    >>> cases, levels = by_signs([case], "1,5")
    >>> cases[0].disorder, levels
    ('1 to 4 signs', ('0 signs', '1 to 4 signs', '5 signs and more'))
    """
    try:
        starts = [int(number) for number in text.split(",")]
    except ValueError:
        starts = []
    if not starts or starts != sorted(set(starts)) or starts[0] < 1:
        raise UsageError(f"signs {text} (--signs) are no numbers of signs that rise from 1.", "Give them as 1,5.")
    tops = [*(f"{number - 1}" for number in starts), ""]
    names = tuple(
        f"{low} signs" if str(low) == top else f"{low} to {top} signs" if top else f"{low} signs and more"
        for low, top in zip([0, *starts], tops, strict=True)
    )
    levels = levels_by_signs([case.present for case in cases], starts)
    return [replace(case, disorder=names[row]) for case, row in zip(cases, levels.tolist(), strict=True)], names


def _levels(names: Sequence[str], seen: Seen, called: NDArray[np.intp]) -> list[Level]:
    count = len(names)
    confusion = np.zeros((count, count), int)
    np.add.at(confusion, (seen.classes, called), 1)
    levels = []
    for place, rates in enumerate(level_rates(called, seen.classes, count)):
        people = {seen.subjects[row] for row in np.flatnonzero(seen.classes == place)}
        lacking = {"sensitivity": few(people), "specificity": few(set(seen.subjects) - people)}
        levels.append(
            Level(
                name=names[place],
                photos=rates.photos,
                people=len(people),
                called=tuple(confusion[place].tolist()),
                sensitivity=_number(rates.sensitivity),
                specificity=_number(rates.specificity),
                few_people=tuple(name for name, short in lacking.items() if short),
            )
        )
    return levels


def _number(rate: float) -> float | None:
    """JSON has no NaN."""
    return None if rate != rate else rate
