"""Rates on people whom a classifier did not learn from: of a trained model, or of a recipe in folds over people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganonym.classify.case import Classed, Roster, check_folds
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.cross_validation import Rated, Tempered, cross_validated, rated, tempered
from ganonym.classify.progress import Tell
from ganonym.classify.studies.model import key_of, opened, unchecked
from ganonym.classify.studies.study import UNHEARD, Remark, Study, chosen, fold_remarks, gathered, reasons_of
from ganonym.errors import UsageError
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a test found of the system called `name`: rates over all classes and of each of `names` against the rest.

    `tempered`: what temperature scaling would change, of a recipe. `known_unseen`: whether it is known that nobody in
    the test was learned from. `left_out`: (image, reason). `simulated`: phantoms were among the people.
    """

    name: str
    names: tuple[str, ...]
    rated: Rated
    tempered: Tempered | None
    known_unseen: bool
    simulated: bool
    left_out: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...] = ()

    def payload(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "simulated": self.simulated,
            "known_to_be_unseen": self.known_unseen,
            "photos": self.rated.photos,
            "subjects": self.rated.subjects,
            "few_people": self.rated.few_people,
            "top": {str(k): rate.model_dump() for k, rate in self.rated.top.items()},
            "accuracy": self.rated.accuracy.model_dump(),
            "f1": self.rated.f1.model_dump(),
            "calibration": self.rated.calibration.model_dump(),
            "classes": {name: row.model_dump() for name, row in zip(self.names, self.rated.classes, strict=True)},
            "temperature": None if self.tempered is None else self.tempered.temperature,
            "scaled_calibration": None if self.tempered is None else self.tempered.error.model_dump(),
            "left_out": reasons_of(self.left_out),
        }


def evaluate(study: Study, tell: Tell = UNHEARD) -> Evaluation:
    """Train and test the study's recipe in folds over people.

    Raises UsageError for what `chosen` and `gathered` refuse, and for classes that cannot be told apart in folds.
    """
    choice, device_remarks = chosen(study)
    method = choice.system.method

    def check(cohort: Classed) -> None:
        check_folds(cohort)
        choice.check(cohort)

    found = gathered(study, check, choice.system.look.crops, tell=tell)
    cohort = found.cohort
    seen = choice.system.look(cohort)
    chances = cross_validated(
        method, seen.inputs, seen.classes, seen.subjects, len(cohort.names), study.seed, study.folds, tell
    )
    scaled = tempered(chances, seen.classes, seen.subjects, study.seed, study.folds)
    remarks = (*device_remarks, *found.remarks, *fold_remarks(cohort, study.folds))
    return _evaluation(choice.recipe.name, cohort, seen, chances, study.seed, scaled, True, remarks)


def evaluate_model(study: Study, folder: Path, key_file: Path | None = None, tell: Tell = UNHEARD) -> Evaluation:
    """Test the trained model in `folder` on the study's table; its `key_file` tells whether it has learned from them.

    Raises UsageError when it has, and as `opened` and `gathered` do.
    """
    opening = opened(folder, study.encoder, study.device)
    model, key = opening.model, key_of(folder, key_file)

    def unseen(cohort: Classed) -> None:
        if key is None or not isinstance(cohort, Roster):
            return
        learned = model.learned_from(cohort.cases, key).words("these photographs")
        if learned:
            raise UsageError(
                f"the model has learned from {learned}.",
                "Test it on other people; if they only have the same ids, give them ids of their own.",
            )

    found = gathered(study, unseen, model.look.crops, model.card.names, tell)
    seen, chances = model.chances(found.cohort)
    remarks = (*opening.remarks, *found.remarks, *([] if key is not None else [unchecked(folder)]))
    return _evaluation(model.recipe.name, found.cohort, seen, chances, study.seed, None, key is not None, remarks)


def _evaluation(
    name: str,
    cohort: Cohort,
    seen: Seen,
    chances: Floats,
    seed: int,
    scaled: Tempered | None,
    known_unseen: bool,
    remarks: tuple[Remark, ...],
) -> Evaluation:
    rates = rated(chances, seen.classes, seen.subjects, seed)
    return Evaluation(name, cohort.names, rates, scaled, known_unseen, cohort.simulated, cohort.left_out, remarks)
