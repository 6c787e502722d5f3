"""What a study is of: a table of cases, the classes in it, the system that is studied, and how it runs.

    study = Study(Path("people.csv"), recipe=load_recipe("deepgestalt"), folds=5)
    print(evaluate(study).rated.accuracy)

Every study returns its result with the remarks that a person should read; nothing is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ganonym.classify.case import Case, Check, Classed, of_enough, roster
from ganonym.classify.cohort import Cohort, Crop, gather
from ganonym.classify.cross_validation import FOLDS, possible_folds
from ganonym.classify.gestaltmatcher_release import lists_of, read_data, table_of
from ganonym.classify.recipe import BUNDLED, Chosen, Encoder, Recipe, altered, chosen_system
from ganonym.errors import EnvironmentFault, GanonymError, UsageError
from ganonym.faces.cache import FaceCache
from ganonym.types import Progress

_LISTED = 10
SIMULATED = "SIMULATED syndromes. "
UNHEARD: Progress = lambda *_: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence for a person: a warning, which must be seen, or a note."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Study:
    """What to study, and how.

    `data`: a manifest, GestaltMatcher's folder or a table of it; `images`: the folder of the photographs, by default
    beside it. `label`: the column to tell apart in place of the disorder; `only`: the classes that take part, by
    default all; `at_least`: people that a class has at least; `positive`: the class to tell from all others.
    `recipe` with its `preset`, "small" or "full", and `changes` ("epochs=5"), which starts from `encoder`, on `device`
    "cpu", "cuda" or "auto". `folds` keep people apart; `jobs` processes look at photographs, and `cache`
    keeps the faces that they find.
    """

    data: Path
    images: Path | None = None
    label: str | None = None
    only: tuple[str, ...] = ()
    at_least: int = 1
    positive: str | None = None
    recipe: Recipe | None = None
    preset: str = "small"
    changes: tuple[str, ...] = ()
    encoder: Encoder = BUNDLED
    device: str = "auto"
    folds: int = FOLDS
    seed: int = 0
    jobs: int = 1
    cache: FaceCache | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """A cohort, and what there is to say of how it came about."""

    cohort: Cohort
    remarks: tuple[Remark, ...]


def chosen(study: Study) -> tuple[Chosen, tuple[Remark, ...]]:
    """The system that a study describes, and a word on where it computes.

    Raises UsageError for a setting that cannot be, a choice that does nothing for this recipe, and as `chosen_system`.
    """
    recipe = study.recipe
    if recipe is None:
        raise UsageError(
            "the study has no recipe.", "Name one: `ganonym classify recipes` lists those that come along."
        )
    configuration = altered(recipe.preset(study.preset), study.changes)
    if study.device != "auto" and not configuration.network_of_faces:
        raise UsageError(
            f"device {study.device} (--device): {recipe.name} looks at landmarks, by no network.", "Leave it out."
        )
    device, remarks = device_of(study.device)
    return chosen_system(recipe, configuration, study.preset, study.encoder, device), remarks


def gathered(
    study: Study,
    check: Check = lambda _: None,
    crops: Sequence[Crop] = (),
    names: Sequence[str] | None = None,
    tell: Progress = UNHEARD,
) -> Gathered:
    """The faces of a study's table, with `crops`. Classes are those of `roster`, or `names`.

    Raises UsageError for a class of `only` that nobody has, and as `check` does of the table, before any photograph is
    looked at, and of those in which a face was found.
    """
    cases, remarks = chosen_cases(study)
    with remembered(remarks):
        enough, few = of_enough(cases, study.at_least)
        if few:
            text = f"{len(few)} photographs left out: their classes have fewer than {study.at_least} people."
            remarks.append(Remark(text, warning=True))
        gathering = gathered_cases(enough, study, check, crops, names, tell)
    left = tuple((case.image, f"its class has fewer than {study.at_least} people") for case in few)
    cohort = replace(gathering.cohort, left_out=(*gathering.cohort.left_out, *left))
    return Gathered(cohort, (*remarks, *gathering.remarks))


def gathered_cases(
    cases: Sequence[Case],
    study: Study,
    check: Check = lambda _: None,
    crops: Sequence[Crop] = (),
    names: Sequence[str] | None = None,
    tell: Progress = UNHEARD,
) -> Gathered:
    """The faces of `cases`, checked as `gathered` does; of the study's table only, whatever it says of classes."""
    check(roster(cases, names, study.positive))
    cohort = gather(cases, study.jobs, names, study.positive, tell, crops, study.cache)
    remarks = tuple(left_out_remarks(cohort.left_out))
    with remembered(remarks):
        check(cohort)
    return Gathered(cohort, remarks)


def chosen_cases(study: Study) -> tuple[list[Case], list[Remark]]:
    """The cases of a table, or of them those of the classes `only`. Raises UsageError for one that nobody has."""
    cases, remarks = cases_of([study.data], study.images, study.label)
    with remembered(remarks):
        absent = sorted(set(study.only) - {case.disorder for case in cases if case.disorder is not None})
        if absent:
            raise UsageError(f"nobody in {study.data} has {', '.join(absent)}.", "Write classes as in the table.")
    return [case for case in cases if not study.only or case.disorder in study.only], remarks


def cases_of(
    tables: Sequence[Path], images: Path | None, label: str | None = None, splits: bool = False
) -> tuple[list[Case], list[Remark]]:
    """The cases of all tables, and a word on what joined in. `splits`: of a release's folder its published lists."""
    cases: list[Case] = []
    remarks: list[Remark] = []
    for table in [path for data in tables for path in (lists_of(data) if splits else [table_of(data)])]:
        content = read_data(table, images, label)
        remarks += [Remark(f"{table.name}: {note}.") for note in content.notes]
        remarks += [Remark(f"{table.name}: {fault}", warning=True) for fault in content.faults[:_LISTED]]
        if (more := len(content.faults) - _LISTED) > 0:
            remarks.append(Remark(f"{table.name}: … and {more} more faults of its metadata", warning=True))
        cases += content.cases
    return cases, remarks


def fold_remarks(cohort: Classed, folds: int) -> list[Remark]:
    """A word where there can be fewer folds than asked for."""
    most = possible_folds(cohort.classes, cohort.subjects, folds)
    return [Remark(f"{most} folds instead of {folds}: no class has more people.", warning=True)] if most < folds else []


def left_out_remarks(left_out: Sequence[tuple[str, str]]) -> list[Remark]:
    """The first photographs that are left out, by name, and the number of the others."""
    remarks = [Remark(f"{image}: {reason}", warning=True) for image, reason in left_out[:_LISTED]]
    if (more := len(left_out) - _LISTED) > 0:
        remarks.append(Remark(f"… and {more} more photographs left out", warning=True))
    return remarks


def reasons_of(left_out: Sequence[tuple[str, str]], name: str = "image") -> list[dict[str, str]]:
    """What could not be used and why, for JSON."""
    return [{name: image, "reason": reason} for image, reason in left_out]


def device_of(text: str) -> tuple[str, tuple[Remark, ...]]:
    """Where networks compute, as torch names it. Raises UsageError for an unknown place, EnvironmentFault for a GPU
    that is not there."""
    from torch import cuda

    if text not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device {text} (--device) is nothing to compute on.", "Give cpu, cuda or auto.")
    if text == "cuda" and not cuda.is_available():
        raise EnvironmentFault(
            "there is no GPU that torch can use.", "Give device cpu (--device cpu), or install a driver."
        )
    if text == "cpu" or not cuda.is_available():
        return "cpu", ()
    return "cuda", (Remark("On the GPU: the same seed gives the same draws, sums differ in their last digits."),)


@contextmanager
def remembered(remarks: Sequence[Remark]) -> Iterator[None]:
    """An error that ends a study takes its warnings along (`__notes__`): they may say why."""
    try:
        yield
    except GanonymError as error:
        for remark in remarks:
            if remark.warning:
                error.add_note(remark.text)
        raise
