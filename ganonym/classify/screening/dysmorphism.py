"""Patient or unaffected? A classifier of disorders names one for every face; these scores say whether to believe it.

On 4796 patients and 323 controls (JMIR 2024, e42904) the area under the curve was 0.73 from DeepGestalt's scores, 0.55
from GestaltMatcher's and 0.86 from a score made for the question (D-Score): top-k alone does not show it. A classifier
that learned an unaffected class answers by that class. One that learned from patients alone ranks disorders for
everybody: then the look of its list may tell (PMC7644377), or how sure it is of its first entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cohort import Seen
from ganonym.classify.cross_validation import FOLDS, cross_validated, subject_folds, subjects_of
from ganonym.classify.learner import Inputs, Learner, Predictor
from ganonym.classify.metrics.binary import area
from ganonym.errors import UsageError
from ganonym.statistics.intervals import FEW, ROUNDS, Estimate, Model
from ganonym.types import Floats, Progress

LENGTH = 30


def affected_chance(chances: Floats, unaffected: int) -> Floats:
    """1 − the probability of class `unaffected`, (n,), of probabilities (n, c): learned with unaffected people.

    >>> affected_chance(np.array([[0.2, 0.7, 0.1]]), 1).round(1).tolist()
    [0.3]
    """
    return np.asarray(1.0 - chances[:, unaffected])


def result_list(scores: Floats, length: int = LENGTH) -> Floats:
    """The first `length` scores of each list, the highest first and without names: (n, min(c, length)).

    `scores` (n, c) of disorders, higher is closer: probabilities, or distances with their sign changed.

    >>> result_list(np.array([[0.1, 0.6, 0.3]]), 2).tolist()
    [[0.6, 0.3]]
    """
    return np.asarray(-np.sort(-scores, axis=1)[:, :length])


def list_scores(
    lists: Floats, affected: NDArray[np.bool_], subjects: Sequence[str], seed: int, folds: int = FOLDS
) -> Floats:
    """How much a result list (n, k) looks like a patient's, 0 … 1 (n,), learned on other subjects than it is told of.

    Logistic regression on standardised scores, patients and unaffected people weighted alike. The study that this
    follows (PMC7644377) used a linear support vector machine, whose scores of different folds have no common scale.
    Raises ValueError when neither group has two subjects or a fold is left with one group to learn from.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = np.full(len(lists), np.nan)
    for fold in subject_folds(affected.astype(np.intp), subjects, seed, folds):
        patients = affected[fold.train]
        if patients.all() or not patients.any():
            raise ValueError("a fold has only patients, or only unaffected people, to learn from")
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        model.fit(lists[fold.train], patients)
        scores[fold.test] = model.predict_proba(lists[fold.test])[:, 1]
    return scores


def separation(
    scores: Floats, affected: NDArray[np.bool_], subjects: Sequence[str], rng: np.random.Generator, rounds: int = ROUNDS
) -> Estimate | None:
    """Area under the ROC curve of `scores` (n,) for patients against unaffected people; None without either.

    The interval is by bootstrap over subjects. 0.5 says nothing, 1 parts them.
    """
    return area(scores, affected, subjects, rng, rounds)


@dataclass(frozen=True, slots=True)
class PatientsOnly:
    """`method` that never learns class `unaffected`, and gives it no chance."""

    method: Learner
    unaffected: int

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:
        """Raises UsageError without a patient among `classes`."""
        sick = np.flatnonzero(classes != self.unaffected)
        if not len(sick):
            raise UsageError("a fold has no patients to learn from.", "Give more people of each disorder.")
        disorders = classes[sick] - (classes[sick] > self.unaffected)
        trained = self.method.learn(inputs[sick], disorders, count - 1, seed)
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
    numbers = subjects_of((classes != unaffected).astype(np.intp), subjects)
    people[: len(numbers)] = numbers
    if count < 3:
        raise UsageError("a list of one disorder looks the same for everybody.", "Give two disorders or more.")
    if people.min() < 2:
        raise UsageError(
            f"{people[1]} patients and {people[0]} unaffected people cannot be parted.", "Give two or more of either."
        )
    return people


def separations(
    method: Learner,
    seen: Seen,
    count: int,
    unaffected: int,
    seed: int,
    folds: int = FOLDS,
    tell: Progress = lambda *_: None,
    rounds: int = ROUNDS,
) -> Separations:
    """Rates of `method` on what it has `seen` of `count` classes, of which `unaffected` is no disorder.

    Everybody is scored by a classifier that did not learn from them, in the same folds with and without the unaffected
    class; their list is judged by what learned from other people's lists, each out of its fold. Raises UsageError with
    fewer than two disorders, patients or unaffected people.
    """
    classes, subjects = seen.classes, seen.subjects
    people = check_groups(classes, subjects, count, unaffected)
    affected = classes != unaffected

    def chances(learner: Learner, phase: str) -> Floats:
        return cross_validated(
            learner, seen.inputs, classes, subjects, count, seed, folds, lambda _, done, total: tell(phase, done, total)
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
