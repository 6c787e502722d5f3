"""Train a published system on a table of cases, and write the model's folder with the key beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganonym.classify.case import Classed, check_folds, check_two, people_of
from ganonym.classify.chosen import Chosen, learned_model
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.cross_validation import cross_validated
from ganonym.classify.metrics.rates import fit_temperature, logits
from ganonym.classify.model_folder import Card, check_new, keep_model
from ganonym.classify.model_key import key_place
from ganonym.classify.progress import Tell
from ganonym.classify.studies.model import check_key
from ganonym.classify.studies.study import UNHEARD, Remark, Study, chosen, gathered
from ganonym.classify.system import Learner
from ganonym.errors import UsageError

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

    def payload(self) -> dict[str, Any]:
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
    study: Study, folder: Path, key_file: Path | None = None, calibrate: bool = False, tell: Tell = UNHEARD
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
        raise UsageError(f"the key {place} would be shared with the model.", "Keep it outside of --out.")
    check_key(place)

    def check(cohort: Classed) -> None:
        (check_folds if calibrate else check_two)(cohort)
        choice.check(cohort)

    found = gathered(study, check, choice.system.look.crops, tell=tell)
    cohort = found.cohort
    seen = choice.system.look(cohort)
    temperature = _temperature(choice.system.method, seen, len(cohort.names), study.seed, tell) if calibrate else 1.0
    tell("train", 0, 1)
    model = learned_model(choice, cohort, seen, study.seed)
    tell("train", 1, 1)
    model = replace(model, card=model.card.model_copy(update={"temperature": temperature}))
    card = keep_model(folder, place, model, cohort.cases)
    people = people_of(cohort).items() if choice.configuration.keeps_means else ()
    few = tuple(name for name, number in people if number < FEW)
    remarks = (*device_remarks, *found.remarks, *_remarks(choice, cohort, few, place))
    return Training(choice.recipe.name, folder, place, card, few, len(cohort.left_out), remarks)


def _temperature(method: Learner, seen: Seen, count: int, seed: int, tell: Tell) -> float:
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
