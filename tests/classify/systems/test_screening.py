"""Screening finds a planted sign, better from the front; its rates are counts, its file makes the same screen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ganonym.classify.screening.rates import Terms
from ganonym.classify.screening.threshold import Rule
from ganonym.classify.systems.screening import BinaryScreening, Logistic, Screen, assess
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Pose


def cohort(seed: int, people: int = 80) -> tuple[NDArray, NDArray[np.bool_], list[str], list[Pose | None]]:
    """Two photos a person, one frontal, one turned by 40 degrees: there the sign in the first number hardly shows."""
    rng = np.random.default_rng(seed)
    positive = np.repeat(np.arange(people) % 2 == 0, 2)
    turned = np.tile([False, True], people)
    vectors = rng.normal(0, 1, (2 * people, 6)) * [1, 1, 1, 50, 1, 0] + [0, 0, 0, 900, 0, 3]
    vectors[:, 0] += np.where(positive, 2.2, -2.2) * np.where(turned, 0.2, 1.0)
    poses: list[Pose | None] = [Pose(40.0 if entry else 3.0, 0.0, 0.0) for entry in turned]
    return vectors, positive, [f"person {n // 2}" for n in range(2 * people)], poses


def test_a_planted_sign_is_found_better_from_the_front() -> None:
    vectors, positive, subjects, _ = cohort(1)
    screen = BinaryScreening().learn(vectors, positive, subjects, seed=0)
    others, truth, people, poses = cohort(2)
    result = assess(screen, others, truth, people, poses, seed=0, terms=Terms(rounds=100))
    assert result.frontal is not None
    assert result.frontal.accuracy.value > 0.95
    assert 0.65 < result.any_angle.accuracy.value < 0.9
    assert (result.any_angle.photos, result.any_angle.patients, result.any_angle.others) == (160, 40, 40)
    assert (result.frontal.photos, result.frontal.patients) == (80, 40)
    assert result.angles.left.tolist() == list(range(1, 160, 2))


def test_nodding_is_not_frontal_where_a_limit_of_pitch_is_given() -> None:
    vectors, positive, subjects, poses = cohort(8)
    screen = BinaryScreening().learn(vectors, positive, subjects, seed=0)
    nodding = [Pose(3.0, 25.0 * (row % 2), 0.0) for row in range(len(poses))]
    for pitch, photos in ((None, 160), (20.0, 80), (30.0, 160)):
        result = assess(screen, vectors, positive, subjects, nodding, seed=0, terms=Terms(pitch=pitch, rounds=20))
        assert result.frontal is not None
        assert result.frontal.photos == photos == len(result.angles.kept)


def test_rates_are_counts_and_predictive_values_move_with_prevalence() -> None:
    vectors, positive, subjects, poses = cohort(3)
    screen = BinaryScreening().learn(vectors, positive, subjects, seed=0)
    some = np.r_[0:40, 41:160:2]  # unequal numbers
    truth, people = positive[some], [subjects[row] for row in some]
    angles = [poses[row] for row in some]
    rates = assess(screen, vectors[some], truth, people, angles, 0, Terms(rounds=50)).any_angle
    (cleared, alarmed), (missed, hit) = confusion_matrix(truth, screen.call(vectors[some]).positive)
    assert rates.sensitivity.value == pytest.approx(hit / (hit + missed))
    assert rates.specificity.value == pytest.approx(cleared / (cleared + alarmed))
    assert rates.accuracy.value == pytest.approx((hit + cleared) / len(some))
    assert rates.ppv is not None and rates.npv is not None  # noqa: PT018
    assert rates.ppv.value == pytest.approx(hit / (hit + alarmed))
    assert rates.npv.value == pytest.approx(cleared / (cleared + missed))
    for value in (rates.sensitivity, rates.specificity, rates.ppv, rates.npv, rates.accuracy):
        assert value.low < value.value < value.high
    rare = assess(screen, vectors[some], truth, people, angles, 0, Terms(0.01, rounds=50)).any_angle
    assert rare.ppv is not None and rare.npv is not None  # noqa: PT018
    odds = rates.sensitivity.value / (1 - rates.specificity.value) * 0.01 / 0.99
    assert rare.ppv.value == pytest.approx(odds / (1 + odds))
    odds = rates.specificity.value / (1 - rates.sensitivity.value) * 0.99 / 0.01
    assert rare.npv.value == pytest.approx(odds / (1 + odds))
    assert rare.sensitivity == rates.sensitivity


def test_intervals_are_by_person() -> None:
    """Every photo ten times over says nothing new."""
    vectors, positive, subjects, poses = cohort(4, people=24)
    screen = BinaryScreening().learn(vectors, positive, subjects, seed=0)
    once = assess(screen, vectors, positive, subjects, poses, 0, Terms(rounds=100)).any_angle
    many = np.repeat(np.arange(48), 10)
    repeated = [subjects[row] for row in many], [poses[row] for row in many]
    tenfold = assess(screen, vectors[many], positive[many], *repeated, 0, Terms(rounds=100)).any_angle
    assert tenfold.sensitivity.low == pytest.approx(once.sensitivity.low)
    assert tenfold.photos == 480 and tenfold.patients == 12  # noqa: PT018


def test_head_is_scikit_learns_and_sees_each_photo_alone() -> None:
    vectors, positive, _, _ = cohort(5)
    few = np.r_[0:100:2, 1:160:8]
    classes = positive[few].astype(np.intp)
    trained = Logistic(0.5).learn(vectors[few], classes, 2, seed=0)
    oracle = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, class_weight="balanced", max_iter=1000))
    oracle.fit(vectors[few], classes)
    np.testing.assert_allclose(trained(vectors), oracle.predict_proba(vectors), atol=1e-9)
    alone = np.concatenate([trained(vectors[row : row + 1]) for row in range(160)])
    assert alone.tobytes() == trained(vectors).tobytes()
    np.testing.assert_allclose(trained(vectors * 1e3).sum(axis=1), 1.0, atol=1e-12)


def test_the_arrays_make_the_same_screen() -> None:
    vectors, positive, subjects, _ = cohort(6)
    method = BinaryScreening(rule=Rule("sensitivity", 0.95))
    screen = method.learn(vectors, positive, subjects, seed=0)
    again = method.restore(screen.arrays)
    assert again.threshold == screen.threshold
    assert again.head(vectors).tobytes() == screen.head(vectors).tobytes()
    assert not any(name in repr(screen.arrays) for name in ("person", "subject"))
    assert (
        screen.call(vectors).positive[positive].mean()
        > 0.9
        > BinaryScreening(rule=Rule("specificity", 0.95))
        .learn(vectors, positive, subjects, seed=0)
        .call(vectors)
        .positive[positive]
        .mean()
    )
    with pytest.raises(EnvironmentFault, match="no threshold"):
        method.restore(screen.head.arrays)
    with pytest.raises(EnvironmentFault, match="no logistic regression"):
        method.restore({**screen.arrays, "head.slope": np.zeros((2, 3))})


def test_what_is_undefined_is_none_and_what_cannot_be_rated_is_refused() -> None:
    vectors, positive, subjects, _ = cohort(7, people=20)
    head = Logistic().learn(vectors, positive.astype(np.intp), 2, seed=0)
    nobody = Screen(head, float("inf"))
    result = assess(nobody, vectors, positive, subjects, [None] * 40, seed=0, terms=Terms(rounds=20))
    assert result.frontal is None
    assert result.any_angle.ppv is None
    assert result.any_angle.specificity.value == 1.0
    assert result.any_angle.positive_ratio is None
    assert result.any_angle.negative_ratio is not None
    assert result.any_angle.negative_ratio.value == 1.0
    assert result.any_angle.auroc.value > 0.5
    with pytest.raises(UsageError, match="patients and controls"):
        assess(nobody, vectors[:2], positive[:2], subjects[:2], [None] * 2, seed=0)
    with pytest.raises(UsageError, match="no prior"):
        Terms(prevalence=1.0)
    with pytest.raises(UsageError, match="degrees of yaw"):
        Terms(yaw=-1.0)
    with pytest.raises(UsageError, match="two classes"):
        Logistic().learn(vectors, positive.astype(np.intp), 3, seed=0)
