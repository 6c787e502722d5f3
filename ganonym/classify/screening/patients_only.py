"""Three answers to "is this a patient?" by one classifier, in folds over subjects: what each parts, side by side.

A classifier that knows an unaffected class says it by that class. One that learned from patients alone ranks disorders
for everybody: then the look of its list may say it (PMC7644377), or how sure it is of its first entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cross_validation import cross_validated
from ganonym.classify.metrics.folds import FOLDS, subjects_of
from ganonym.classify.progress import Tell
from ganonym.classify.screening.dysmorphism import affected_chance, list_scores, result_list, separation
from ganonym.classify.system import Classifier, Inputs, Predictor
from ganonym.errors import UsageError
from ganonym.statistics.intervals import FEW, ROUNDS, Estimate, Model
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class PatientsOnly:
    """`method` that never learns class `unaffected`, and gives it no chance."""

    method: Classifier
    unaffected: int

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:
        """Raises UsageError without a patient among `classes`."""
        sick = np.flatnonzero(classes != self.unaffected)
        if not len(sick):
            raise UsageError("a fold has no patients to learn from.", "Give more people of each disorder.")
        known = classes[sick] - (classes[sick] > self.unaffected)
        trained = self.method.learn(inputs[sick], known, count - 1, seed)
        return lambda others: np.insert(trained(others), self.unaffected, 0.0, axis=1)


class Separations(Model):
    """Areas under the ROC curve for `patients` against `unaffected` (people), 0.5 says nothing, with 95 % intervals.

    `few_people`: one side has fewer than ten. `unaffected_class`: by 1 − the probability of the unaffected class,
    learned. Learned from patients alone:
    `result_list` by a score made of the list's probabilities, `highest` by the highest of them.
    """

    photos: int
    patients: int
    unaffected: int
    few_people: bool
    disorders: int
    unaffected_class: Estimate
    result_list: Estimate
    highest: Estimate


def check_groups(classes: NDArray[np.intp], subjects: Sequence[str], count: int, unaffected: int) -> NDArray[np.intp]:
    """How many people (2,) are unaffected and patients. Raises UsageError where they cannot be parted."""
    people = np.zeros(2, np.intp)
    found = subjects_of((classes != unaffected).astype(np.intp), subjects)
    people[: len(found)] = found
    if count < 3:
        raise UsageError("a list of one disorder looks the same for everybody.", "Give two disorders or more.")
    if people.min() < 2:
        raise UsageError(
            f"{people[1]} patients and {people[0]} unaffected people cannot be parted.", "Give two or more of either."
        )
    return people


def separations(
    method: Classifier,
    inputs: Inputs,
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    count: int,
    unaffected: int,
    seed: int,
    folds: int = FOLDS,
    tell: Tell = lambda *_: None,
    rounds: int = ROUNDS,
) -> Separations:
    """Rates of `method` on inputs (n, ...) of `classes` (n,), of which `unaffected` is no disorder.

    Everybody is scored by a classifier that did not learn from them, in the same folds with and without the unaffected
    class; their list is judged by what learned from other people's lists, each out of its fold. Raises UsageError with
    fewer than two disorders, patients or unaffected people.
    """
    people = check_groups(classes, subjects, count, unaffected)
    affected = classes != unaffected

    def chances(learner: Classifier, phase: str) -> Floats:
        return cross_validated(
            learner, inputs, classes, subjects, count, seed, folds, lambda _, done, total: tell(phase, done, total)
        )

    by_class = affected_chance(chances(method, "train"), unaffected)
    disorders = np.delete(chances(PatientsOnly(method, unaffected), "patients only"), unaffected, axis=1)
    lists = result_list(disorders)

    def area(scores: Floats) -> Estimate:
        one = separation(scores, affected, subjects, np.random.default_rng(seed), rounds)
        assert one is not None  # both groups are there
        return one

    return Separations(
        photos=len(classes),
        patients=int(people[1]),
        unaffected=int(people[0]),
        few_people=int(people.min()) < FEW,
        disorders=count - 1,
        unaffected_class=area(by_class),
        result_list=area(list_scores(lists, affected, subjects, seed, folds)),
        highest=area(lists[:, 0]),
    )
