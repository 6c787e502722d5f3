"""Patients against unaffected people: planted lists are told apart, and nobody is judged by what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganonym.classify.screening.dysmorphism import affected_chance, list_scores, result_list, separation


def lists(seed: int, people: int, photos: int = 2) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Probabilities of 20 disorders: of patients one is likely, any one; of unaffected people several, a little."""
    rng = np.random.default_rng(seed)
    chances, affected, subjects = [], [], []
    for person in range(people):
        patient = person % 3 > 0
        for _ in range(photos):
            weights = rng.gamma(0.5, size=20)
            if patient:
                weights[rng.integers(20)] += rng.gamma(6.0)
            chances.append(weights / weights.sum())
            affected.append(patient)
            subjects.append(f"p{person:03d}")
    return np.array(chances), np.array(affected), subjects


def test_the_result_list_has_no_names() -> None:
    chances = np.array([[0.1, 0.6, 0.3], [0.6, 0.3, 0.1]])
    np.testing.assert_array_equal(result_list(chances), [[0.6, 0.3, 0.1]] * 2)
    np.testing.assert_array_equal(result_list(-chances, 2), [[-0.1, -0.3]] * 2)


def test_patients_are_told_by_the_shape_of_their_list() -> None:
    chances, affected, subjects = lists(1, 90)
    scores = list_scores(result_list(chances), affected, subjects, seed=2)
    result = separation(scores, affected, subjects, np.random.default_rng(0), 200)
    assert result is not None
    assert result.value == pytest.approx(roc_auc_score(affected, scores))
    assert result.low > 0.75
    assert ((scores >= 0) & (scores <= 1)).all()
    again = list_scores(result_list(chances), affected, subjects, seed=2)
    assert again.tobytes() == scores.tobytes()
    shuffled = np.random.default_rng(3).permutation(90)[[int(name[1:]) for name in subjects]] % 3 > 0
    chance = separation(
        list_scores(result_list(chances), shuffled, subjects, 2), shuffled, subjects, np.random.default_rng(0), 200
    )
    assert chance is not None
    assert chance.low < 0.5 < chance.high


def test_nobody_is_judged_by_their_own_photos() -> None:
    """Each person's list has a mark of its own, equal on all photos and random otherwise: only a leak can be right."""
    affected = np.repeat(np.arange(40) % 2 > 0, 4)
    marks = np.repeat(np.eye(40), 4, axis=0)
    subjects = [f"p{row // 4:02d}" for row in range(160)]
    scores = list_scores(marks, affected, subjects, seed=1)
    assert roc_auc_score(affected, scores) < 0.6
    leaking = list_scores(marks, affected, [str(row) for row in range(160)], seed=1)
    assert roc_auc_score(affected, leaking) > 0.95


def test_the_unaffected_class_leaves_the_rest_over() -> None:
    chances = np.array([[0.1, 0.2, 0.7], [0.3, 0.5, 0.2], [0.6, 0.3, 0.1]])
    np.testing.assert_allclose(affected_chance(chances, 0), [0.9, 0.7, 0.4])
    affected = np.array([True, True, False])
    result = separation(affected_chance(chances, 0), affected, ["a", "b", "c"], np.random.default_rng(0), 50)
    assert result is not None
    assert result.value == 1.0
    assert separation(affected_chance(chances, 0), affected | True, ["a", "b", "c"], np.random.default_rng(0)) is None


def test_one_group_is_nothing_to_learn_from() -> None:
    chances, affected, subjects = lists(4, 12)
    with pytest.raises(ValueError, match="only patients"):
        list_scores(result_list(chances), affected | True, subjects, 0)
