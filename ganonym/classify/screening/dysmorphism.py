"""Patient or unaffected? A classifier of disorders names one for every face; these scores say whether to believe it.

On 4796 patients and 323 controls (JMIR 2024, e42904) the area under the curve was 0.73 from DeepGestalt's scores, 0.55
from GestaltMatcher's and 0.86 from a score made for the question (D-Score): top-k alone does not show it. Two scores of
that kind: what a class of unaffected people leaves over, and what the result list looks like when nobody on it fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.metrics.binary import area
from ganonym.classify.metrics.folds import FOLDS, subject_folds
from ganonym.statistics.intervals import ROUNDS, Estimate
from ganonym.types import Floats

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
        known = affected[fold.train]
        if known.all() or not known.any():
            raise ValueError("a fold has only patients, or only unaffected people, to learn from")
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        model.fit(lists[fold.train], known)
        scores[fold.test] = model.predict_proba(lists[fold.test])[:, 1]
    return scores


def separation(
    scores: Floats, affected: NDArray[np.bool_], subjects: Sequence[str], rng: np.random.Generator, rounds: int = ROUNDS
) -> Estimate | None:
    """Area under the ROC curve of `scores` (n,) for patients against unaffected people; None without either.

    The interval is by bootstrap over subjects. 0.5 says nothing, 1 parts them.
    """
    return area(scores, affected, subjects, rng, rounds)
