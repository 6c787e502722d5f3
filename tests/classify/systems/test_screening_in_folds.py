"""Screens in folds: pooled rates are counts of what each fold's own screen calls, and no screen knows its fold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import class_likelihood_ratios, confusion_matrix, roc_auc_score, roc_curve

from ganonym.classify.cross_validation import subject_folds
from ganonym.classify.screening.rates import Terms, ratios
from ganonym.classify.screening.threshold import Rule
from ganonym.classify.systems.screening import BinaryScreening, assess_in_folds
from ganonym.errors import UsageError
from ganonym.types import Pose

QUICK = Terms(rounds=50)


def cohort(
    seed: int, people: int = 40, sign: float = 1.2
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[str], list[Pose | None]]:
    """Two photos a person, one frontal; a third of the people have the sign."""
    rng = np.random.default_rng(seed)
    positive = np.repeat(np.arange(people) % 3 == 0, 2)
    vectors = rng.normal(0, 1, (2 * people, 4))
    vectors[:, 0] += np.where(positive, sign, -sign)
    poses: list[Pose | None] = [Pose(30.0 * (row % 2), 0.0, 0.0) for row in range(2 * people)]
    return vectors, positive, [f"person {row // 2}" for row in range(2 * people)], poses


def test_pooled_rates_are_counts_by_hand() -> None:
    vectors, positive, subjects, poses = cohort(1, sign=0.6)
    method = BinaryScreening(rule=Rule("sensitivity", 0.8), folds=3)
    folds = assess_in_folds(method, vectors, positive, subjects, poses, 7, 4, QUICK)
    called, scores, thresholds = np.zeros(80, bool), np.zeros(80), []
    for number, fold in enumerate(subject_folds(positive.astype(np.intp), subjects, 7, 4)):
        assert not {subjects[row] for row in fold.train} & {subjects[row] for row in fold.test}
        screen = method.learn(vectors[fold.train], positive[fold.train], [subjects[r] for r in fold.train], 7 + number)
        scores[fold.test] = screen.head(vectors[fold.test])[:, 1]
        called[fold.test] = scores[fold.test] >= screen.threshold
        thresholds.append(screen.threshold)
    assert folds.thresholds == tuple(thresholds)
    assert len(set(thresholds)) > 1
    ahead = np.arange(80) % 2 == 0
    assert folds.angles.left.tolist() == np.flatnonzero(~ahead).tolist()
    assert folds.frontal is not None
    for rates, among in ((folds.any_angle, np.ones(80, bool)), (folds.frontal, ahead)):
        (cleared, alarmed), (missed, hit) = confusion_matrix(positive[among], called[among])
        assert rates.photos == among.sum()
        assert (rates.patients, rates.others) == (14, 26)
        assert rates.sensitivity.value == pytest.approx(hit / (hit + missed))
        assert rates.specificity.value == pytest.approx(cleared / (cleared + alarmed))
        assert rates.accuracy.value == pytest.approx((hit + cleared) / among.sum())
        assert rates.auroc.value == pytest.approx(roc_auc_score(positive[among], scores[among]))
        assert rates.ppv is not None and rates.npv is not None  # noqa: PT018
        assert rates.ppv.value == pytest.approx(hit / (hit + alarmed))
        assert rates.npv.value == pytest.approx(cleared / (cleared + missed))
        above, below = class_likelihood_ratios(positive[among], called[among])
        assert rates.positive_ratio is not None and rates.negative_ratio is not None  # noqa: PT018
        assert rates.positive_ratio.value == pytest.approx(above)
        assert rates.negative_ratio.value == pytest.approx(below)
    rare = assess_in_folds(method, vectors, positive, subjects, poses, 7, 4, Terms(0.01, rounds=50))
    odds = folds.any_angle.positive_ratio
    assert rare.any_angle.ppv is not None and odds is not None and odds.value is not None  # noqa: PT018
    assert rare.any_angle.ppv.value == pytest.approx(odds.value / (odds.value + 99))
    assert rare.thresholds == folds.thresholds


def marked(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([vectors, np.arange(len(vectors)) // 2])


class Blind:
    """What a photo is scored is its first number; whom it learns from it tells `note`."""

    def __init__(self, note: Callable[[set[int]], None]) -> None:
        self.note = note

    def learn(self, inputs: NDArray, classes: NDArray[np.intp], count: int, seed: int) -> Callable:  # noqa: ARG002
        self.note({int(entry) for entry in inputs[:, -1]})
        return lambda others: np.stack([1 - others[:, 0], others[:, 0]], axis=1)


def test_neither_head_nor_threshold_sees_the_fold_that_is_tested() -> None:
    """Every learner of a fold is told of others only, and photos changed in one fold leave its threshold as it was."""
    vectors, positive, subjects, poses = cohort(2)
    inputs = marked(1 / (1 + np.exp(-vectors)))
    learned: list[set[int]] = []
    method = BinaryScreening(Blind(learned.append), folds=3)  # type: ignore[arg-type]
    result = assess_in_folds(method, inputs, positive, subjects, poses, 3, 4, QUICK)
    folds = subject_folds(positive.astype(np.intp), subjects, 3, 4)
    assert len(learned) == 4 * (3 + 1)
    for number, fold in enumerate(folds):
        tested = {int(row) // 2 for row in fold.test}
        assert not any(tested & entry for entry in learned[4 * number : 4 * number + 4])
        other = inputs.copy()
        other[fold.test, 0] = 1 - other[fold.test, 0]
        again = assess_in_folds(method, other, positive, subjects, poses, 3, 4, QUICK)
        same = [one == two for one, two in zip(result.thresholds, again.thresholds, strict=True)]
        assert same[number]
        assert not all(same)


def test_noise_is_worth_nothing() -> None:
    """Youden's index in folds is 0 on average; with a threshold of the tested people themselves it would not be."""
    ours, theirs = [], []
    for seed in range(12):
        vectors, positive, subjects, poses = cohort(100 + seed, sign=0.0)
        inputs = 1 / (1 + np.exp(-vectors))
        method = BinaryScreening(Blind(lambda _: None), folds=3)  # type: ignore[arg-type]
        rates = assess_in_folds(method, inputs, positive, subjects, poses, seed, 4, Terms(rounds=20)).any_angle
        ours.append(rates.sensitivity.value + rates.specificity.value - 1)
        alarms, hits, _ = roc_curve(positive, inputs[:, 0])
        theirs.append((hits - alarms).max())
    assert np.mean(ours) < 0.08
    assert np.mean(theirs) > 0.15


def test_ratios_hold_whatever_was_counted() -> None:
    """Infinite ones have a lower end, and the intervals hold the study's ratio; Simel's are inside, roughly."""
    truth = np.arange(60) < 30
    people = [str(row) for row in range(60)]
    called = truth.copy()
    called[25:30] = False
    above, below = ratios(truth, called, people, np.random.default_rng(0))
    assert above is not None and below is not None  # noqa: PT018
    assert (above.value, above.high) == (None, None)
    assert above.low > 3
    assert below.value == pytest.approx(5 / 30)
    called[40:46] = True
    above, _ = ratios(truth, called, people, np.random.default_rng(0))
    simel, wide = 25 / 30 / (6 / 30), 1.959964 * np.sqrt(5 / 30 / 25 + 24 / 30 / 6)  # J Clin Epidemiol 1991;44:763
    assert above is not None and above.value is not None and above.high is not None  # noqa: PT018
    assert above.value == pytest.approx(simel)
    assert all(
        low <= high
        for low, high in pairwise([above.low, simel * np.exp(-wide), simel, simel * np.exp(wide), above.high])
    )
    assert ratios(truth, truth | True, people, np.random.default_rng(0))[1] is None
    with pytest.raises(ValueError, match="patients with controls"):
        ratios(truth | True, called, people, np.random.default_rng(0))


def test_ends_of_ratios_are_those_of_exact_intervals_of_either_group() -> None:
    """One photo a person: Clopper and Pearson's intervals at 97.5 %, by SciPy, of 25 in 30 and 18 in 20."""
    truth, called = np.arange(50) < 30, np.r_[np.arange(30) < 25, np.arange(20) < 2]
    above, below = ratios(truth, called, [str(row) for row in range(50)], np.random.default_rng(0))
    result, cleared = (binomtest(hits, of).proportion_ci(0.975, "exact") for hits, of in ((25, 30), (18, 20)))
    assert above is not None and below is not None  # noqa: PT018
    assert (above.low, above.high) == pytest.approx((result.low / (1 - cleared.low), result.high / (1 - cleared.high)))
    assert (below.low, below.high) == pytest.approx(((1 - result.high) / cleared.high, (1 - result.low) / cleared.low))


def test_refusals() -> None:
    vectors, positive, subjects, poses = cohort(4, people=12)
    with pytest.raises(UsageError, match="patients and controls"):
        assess_in_folds(BinaryScreening(), vectors, positive | True, subjects, poses, 0)
    one = np.arange(24) < 2
    with pytest.raises(UsageError, match="1 patients and 11 controls"):
        assess_in_folds(BinaryScreening(), vectors, one, subjects, poses, 0)
    with pytest.raises(UsageError, match="cannot be dealt to 5 folds"):
        assess_in_folds(BinaryScreening(), vectors, positive, subjects, poses, 0)
    with pytest.raises(UsageError, match="no rule"):
        Rule("horoscope")  # type: ignore[arg-type]
