"""Screen for one disorder, and tell patients from the unaffected: yes or no, in folds over people."""

from __future__ import annotations

from dataclasses import dataclass

from ganonym.classify.case import Classed
from ganonym.classify.progress import heard
from ganonym.classify.screening.dysmorphism import Separations, check_groups, separations
from ganonym.classify.screening.rates import TERMS, Screened, Terms
from ganonym.classify.screening.threshold import Rule
from ganonym.classify.studies.study import UNHEARD, Remark, Study, chosen, gathered, reasons_of
from ganonym.classify.systems.screening import YOUDEN, BinaryScreening, assess_in_folds, check_people
from ganonym.errors import UsageError
from ganonym.types import Payload, Progress


@dataclass(frozen=True, slots=True)
class Screening:
    """What a screen of the system called `name` for the disorder `positive` is worth, on whom, and under which rule."""

    name: str
    positive: str
    rule: Rule
    terms: Terms
    screened: Screened
    simulated: bool
    left_out: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON, which has no infinity: a threshold of null calls nobody positive."""
        screened = self.screened
        target = None if self.rule.by == "youden" else self.rule.target
        return {
            "name": self.name,
            "simulated": self.simulated,
            "positive": self.positive,
            "threshold": {"rule": self.rule.by, "target": target},
            "thresholds": [None if value == float("inf") else value for value in screened.thresholds],
            "any_angle": screened.any_angle.model_dump(),
            "frontal": screened.frontal and screened.frontal.model_dump(),
            "yaw": self.terms.yaw,
            "pitch": self.terms.pitch,
            "not_frontal": len(screened.angles.left),
            "left_out": reasons_of(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class Dysmorphism:
    """How well the scores of the system called `name` part patients from people of the class `unaffected`."""

    name: str
    unaffected: str
    separations: Separations
    simulated: bool
    left_out: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON."""
        return {
            "name": self.name,
            "simulated": self.simulated,
            "unaffected_is": self.unaffected,
            **self.separations.model_dump(),
            "left_out": reasons_of(self.left_out),
        }


def screen(study: Study, rule: Rule = YOUDEN, terms: Terms = TERMS, tell: Progress = UNHEARD) -> Screening:
    """Screen for the study's `positive` class, in folds over people; frontal photographs are rated beside all.

    In every fold the threshold is chosen by `rule` on the people learned from, by as many folds of those. Raises
    UsageError for what `chosen` and `gathered` refuse, for a system that calls people, and without enough people of
    either kind.
    """
    choice, device_remarks = chosen(study)
    if study.positive is None:
        raise UsageError("a screen is for one disorder.", "Name it as positive (--positive).")
    if choice.recipe.system == "photo-set":
        raise UsageError(
            f"{choice.recipe.name} calls people, not photographs, and people have no angle.",
            "Evaluate it for that disorder (`ganonym classify evaluate --positive`), or screen by another recipe.",
        )

    def check(cohort: Classed) -> None:
        check_people(cohort.classes == 1, cohort.subjects, study.seed, study.folds, study.folds)
        choice.check(cohort)

    gathering = gathered(study, check, choice.system.look.crops, tell=tell)
    cohort = gathering.cohort
    seen = choice.system.look(cohort)
    poses = [portrait.pose for portrait in cohort.portraits]
    method = BinaryScreening(choice.system.method, rule, study.folds)
    with heard(tell):
        screened = assess_in_folds(
            method, seen.inputs, seen.classes == 1, seen.subjects, poses, study.seed, study.folds, terms
        )
    remarks = (*device_remarks, *gathering.remarks)
    name, positive = choice.recipe.name, study.positive
    return Screening(name, positive, rule, terms, screened, cohort.simulated, cohort.left_out, remarks)


def dysmorphism(study: Study, unaffected: str, tell: Progress = UNHEARD) -> Dysmorphism:
    """Patient, or of the class `unaffected`? How well the recipe's scores part them, in folds over people.

    Raises UsageError for what `chosen` and `gathered` refuse, and where there is nothing to part.
    """
    choice, device_remarks = chosen(study)

    def check(cohort: Classed) -> None:
        if unaffected not in cohort.names:
            raise UsageError(f"no case is of class {unaffected!r}.", f"There are {', '.join(cohort.names)}.")
        check_groups(cohort.classes, cohort.subjects, len(cohort.names), cohort.names.index(unaffected))
        choice.check(cohort)

    gathering = gathered(study, check, choice.system.look.crops, tell=tell)
    cohort = gathering.cohort
    seen, place = choice.system.look(cohort), cohort.names.index(unaffected)
    parted = separations(choice.system.method, seen, len(cohort.names), place, study.seed, study.folds, tell)
    remarks = (*device_remarks, *gathering.remarks)
    return Dysmorphism(choice.recipe.name, unaffected, parted, cohort.simulated, cohort.left_out, remarks)
