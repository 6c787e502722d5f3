"""The score from which a screening test calls a photo positive, chosen without ever seeing the test set.

A threshold that was chosen on the photos it is then rated on looks better than it is (Leeflang et al. 2008, Clin Chem
54:729). Here a rule cannot be applied to scores that someone brings along: `choose_threshold` trains on parts of the
training set and scores the people left out of each part, never a photo that the scoring model has learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.learner import Inputs, Learner
from ganonym.errors import UsageError
from ganonym.types import Floats

Aim: TypeAlias = Literal["youden", "sensitivity", "specificity"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a threshold is chosen for.

    "youden": the largest sensitivity + specificity − 1 (Youden 1950). "sensitivity": the best specificity with at least
    `target` sensitivity; "specificity": the reverse. Raises UsageError for another rule, and unless `target` is in 0…1.
    """

    by: Aim = "youden"
    target: float = 0.95

    def __post_init__(self) -> None:
        if self.by not in get_args(Aim):
            raise UsageError(f"there is no rule {self.by!r} for a threshold.", f"There are {', '.join(get_args(Aim))}.")
        if not 0.0 <= self.target <= 1.0:
            raise UsageError(f"a target {self.by} of {self.target} is no rate.", "Give one in 0…1.")


def choose_threshold(
    classifier: Learner,
    inputs: Inputs,
    positive: NDArray[np.bool_],
    subjects: Sequence[str],
    rule: Rule,
    seed: int,
    folds: int = 5,
) -> float:
    """The score from which photos are positive, by `rule` on out-of-fold scores of the training set.

    `inputs` (n, ...), `positive` (n,) and `subjects`, one a photo, are the training set. The people are dealt to
    `folds` folds, stratified (scikit-learn's StratifiedGroupKFold); each fold is scored by `classifier` trained on the
    others, and the threshold lies halfway between two neighbouring scores; 0 calls all photos positive, infinity none.
    Every photo counts alike. Deterministic by `seed`. Raises UsageError when a person is both positive and negative or
    there are fewer than `folds` people of either kind.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    people = np.array(subjects)
    check_dealt(positive, people, folds)
    classes = positive.astype(np.intp)
    scores = np.full(len(inputs), np.nan)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32).split(classes, classes, people)
    for learned, held in split:
        scores[held] = classifier.learn(inputs[learned], classes[learned], 2, seed)(inputs[held])[:, 1]
    return _best(scores, positive, rule)


def check_dealt(positive: NDArray[np.bool_], people: NDArray[np.str_], folds: int) -> None:
    """Raises UsageError unless `people` (n,) of photos `positive` (n,) can be dealt to so many folds."""
    both = set(people[positive]) & set(people[~positive])
    if both:
        raise UsageError(f"{min(both)} is both positive and negative.", "Give every person one diagnosis.")
    for kind, number in (("positive", len(set(people[positive]))), ("negative", len(set(people[~positive])))):
        if number < folds:
            raise UsageError(
                f"{number} {kind} people cannot be dealt to {folds} folds.", "Give more people, or ask for fewer folds."
            )


def _best(scores: Floats, positive: NDArray[np.bool_], rule: Rule) -> float:
    """Kept private: the scores must be of people whom the scoring model has not learned from."""
    distinct = np.unique(scores)
    candidates = np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2, [np.inf]])
    sensitivity = 1.0 - np.searchsorted(np.sort(scores[positive]), candidates) / positive.sum()
    specificity = np.searchsorted(np.sort(scores[~positive]), candidates) / (~positive).sum()
    if rule.by == "youden":
        return float(candidates[np.argmax(sensitivity + specificity)])
    if rule.by == "sensitivity":  # falls along the candidates, specificity rises: the last one that reaches the target
        return float(candidates[np.flatnonzero(sensitivity >= rule.target)[-1]])
    return float(candidates[np.flatnonzero(specificity >= rule.target)[0]])
