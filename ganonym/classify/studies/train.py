"""Train a published system on a table of cases and write the model's folder, with the key beside it; and test one.

Rates are of people whom the classifier did not learn from: of a trained model, or of a recipe in folds over people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ganonym.classify.case import Classed, Roster, check_folds, check_two, people_of
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.cross_validation import Rated, Tempered, cross_validated, rated, tempered
from ganonym.classify.learner import Learner
from ganonym.classify.metrics.rates import fit_temperature, logits
from ganonym.classify.model_folder import Card, check_new, keep_model, learned_model
from ganonym.classify.model_key import key_place
from ganonym.classify.recipe import Chosen
from ganonym.classify.studies.model import check_key, key_of, opened, unchecked
from ganonym.classify.studies.study import UNHEARD, Remark, Study, chosen, fold_remarks, gathered, reasons_of
from ganonym.errors import UsageError
from ganonym.types import Floats, Payload, Progress

FEW = 5
"""Of fewer people a mean says much of each."""


@dataclass(frozen=True, slots=True)
class Training:
    """A model that was trained and written to `folder`: its `card`, and the key at `key_file`.

    `few`: classes of few people whose mean the model keeps; `left_out`: how many photographs.
    """

    name: str
    folder: Path
    key_file: Path
    card: Card
    few: tuple[str, ...]
    left_out: int
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON."""
        return {
            "model": str(self.folder),
            "key_file": str(self.key_file),
            "classes": list(self.card.names),
            "photos": self.card.photos,
            "subjects": self.card.subjects,
            "classes_of_few_people": list(self.few),
            "temperature": self.card.temperature,
            "simulated": self.card.simulated,
            "left_out": self.left_out,
        }


def train(
    study: Study, folder: Path, key_file: Path | None = None, calibrate: bool = False, tell: Progress = UNHEARD
) -> Training:
    """Learn the study's recipe from all of its cases, and write the model to `folder`.

    The key by which the model knows its photographs again is kept at `key_file`, by default beside the folder
    (`key_place`), and made where there is none. `calibrate`: fit a temperature in five folds over people. Raises
    UsageError for what `chosen` and `gathered` refuse, for a folder or key that cannot be, and for training that
    diverged; EnvironmentFault when nothing can be written, and then leaves no new key.
    """
    check_new(folder)
    choice, device_remarks = chosen(study)
    place = key_file or key_place(folder)
    if folder.absolute() in place.absolute().parents:
        raise UsageError(
            f"the key {place} would be shared with the model.", "Keep it outside of the model's folder (--out)."
        )
    check_key(place)

    def check(cohort: Classed) -> None:
        (check_folds if calibrate else check_two)(cohort)
        choice.check(cohort)

    gathering = gathered(study, check, choice.system.look.crops, tell=tell)
    cohort = gathering.cohort
    seen = choice.system.look(cohort)
    temperature = _temperature(choice.system.method, seen, len(cohort.names), study.seed, tell) if calibrate else 1.0
    tell("train", 0, 1)
    model = learned_model(choice, cohort, seen, study.seed)
    tell("train", 1, 1)
    model = replace(model, card=model.card.model_copy(update={"temperature": temperature}))
    card = keep_model(folder, place, model, cohort.cases)
    people = people_of(cohort).items() if choice.configuration.keeps_means else ()
    few = tuple(name for name, number in people if number < FEW)
    remarks = (*device_remarks, *gathering.remarks, *_remarks(choice, cohort, few, place))
    return Training(choice.recipe.name, folder, place, card, few, len(cohort.left_out), remarks)


def _temperature(method: Learner, seen: Seen, count: int, seed: int, tell: Progress) -> float:
    chances = cross_validated(method, seen.inputs, seen.classes, seen.subjects, count, seed, tell=tell)
    return fit_temperature(logits(chances), seen.classes)


def _remarks(choice: Chosen, cohort: Cohort, few: tuple[str, ...], place: Path) -> list[Remark]:
    remarks = []
    if few:
        text = (
            f"{choice.recipe.name} keeps the mean of each class, and {len(few)} classes have fewer than {FEW} people "
            f"({', '.join(few[:5])}{' …' * (len(few) > 5)}): the mean of one person is that person, so the model is as "
            "private as the photographs."
        )
        remarks.append(Remark(text, warning=True))
    remarks += [Remark(f"Not as published: {deviation}.") for deviation in choice.recipe.deviations]
    if cohort.simulated:
        remarks.append(Remark("Learned from SIMULATED syndromes: it knows nothing of patients."))
    remarks.append(
        Remark(f"Key: {place} (mode 600). With it the model knows whom it learned from; keep it, never share it.")
    )
    return remarks


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

    def payload(self) -> Payload:
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


def evaluate(study: Study, tell: Progress = UNHEARD) -> Evaluation:
    """Train and test the study's recipe in folds over people.

    Raises UsageError for what `chosen` and `gathered` refuse, and for classes that cannot be told apart in folds.
    """
    choice, device_remarks = chosen(study)
    method = choice.system.method

    def check(cohort: Classed) -> None:
        check_folds(cohort)
        choice.check(cohort)

    gathering = gathered(study, check, choice.system.look.crops, tell=tell)
    cohort = gathering.cohort
    seen = choice.system.look(cohort)
    chances = cross_validated(
        method, seen.inputs, seen.classes, seen.subjects, len(cohort.names), study.seed, study.folds, tell
    )
    scaled = tempered(chances, seen.classes, seen.subjects, study.seed, study.folds)
    remarks = (*device_remarks, *gathering.remarks, *fold_remarks(cohort, study.folds))
    return _evaluation(choice.recipe.name, cohort, seen, chances, study.seed, scaled, True, remarks)


def evaluate_model(study: Study, folder: Path, key_file: Path | None = None, tell: Progress = UNHEARD) -> Evaluation:
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

    gathering = gathered(study, unseen, model.look.crops, model.card.names, tell)
    seen, chances = model.chances(gathering.cohort)
    remarks = (*opening.remarks, *gathering.remarks, *([] if key is not None else [unchecked(folder)]))
    return _evaluation(model.recipe.name, gathering.cohort, seen, chances, study.seed, None, key is not None, remarks)


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
