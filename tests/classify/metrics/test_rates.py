"""Rates and calibration over different classes against scikit-learn and a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, log_loss, top_k_accuracy_score

from ganonym.classify.learner import Calls
from ganonym.classify.metrics.rates import (
    accuracies,
    calibration_error,
    cross_scaled,
    fit_temperature,
    logits,
    macro_top_k,
    negative_log_likelihood,
    places,
    ranked,
    scaled,
    telling,
)


def drawn(seed: int, photos: int = 200, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that favour the truth, and a truth in which low classes are frequent."""
    rng = np.random.default_rng(seed)
    truth = np.minimum(rng.geometric(0.3, photos) - 1, count - 1).astype(np.intp)
    truth[:count] = np.arange(count)
    chances = rng.dirichlet(np.ones(count), photos)
    chances[np.arange(photos), truth] += 0.1
    return chances / chances.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_place_is_scikit_learns_and_macro_the_mean_over_classes(k: int) -> None:
    chances, truth = drawn(1)
    rank, every = places(ranked(chances), truth, 12), np.arange(len(truth))
    micro = top_k_accuracy_score(truth, chances, k=k, labels=np.arange(12))
    shares = [(rank[truth == label] <= k).mean() for label in range(12)]
    assert (rank <= k).mean() == pytest.approx(micro)
    assert macro_top_k(rank, truth, k)(every) == pytest.approx(np.mean(shares))
    weights = 1 / np.bincount(truth)[truth]
    weighted = top_k_accuracy_score(truth, chances, k=k, labels=np.arange(12), sample_weight=weights)
    assert macro_top_k(rank, truth, k)(every) == pytest.approx(weighted)
    assert abs(np.mean(shares) - micro) > 1e-3  # the two differ, or this shows nothing


def test_macro_top_1_is_balanced_accuracy() -> None:
    chances, truth = drawn(2)
    rank = places(ranked(chances), truth, 12)
    expected = balanced_accuracy_score(truth, chances.argmax(axis=1))
    assert macro_top_k(rank, truth, 1)(np.arange(len(truth))) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 5), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(0, 5))
def test_the_place_is_that_among_different_classes(lists: list[list[int]], truth: int) -> None:
    expected = []
    for names in lists:
        different = list(dict.fromkeys(name for name in names if name >= 0))
        expected.append(different.index(truth) + 1 if truth in different else 7)
    result = places(np.array(lists), np.full(len(lists), truth), 6)
    assert result.tolist() == expected


def test_a_short_list_is_no_hit_at_any_k() -> None:
    rank = places(np.array([[0, 1, -1]]), np.array([2], np.intp), 30)
    assert rank.tolist() == [31]


def test_equal_chances_go_to_the_lower_number() -> None:
    assert ranked(np.array([[0.25, 0.5, 0.25, 0.0]])).tolist() == [[1, 0, 2, 3]]


def test_ranks_can_miss_and_intervals_are_over_subjects() -> None:
    assert telling(100) == (1, 5, 10, 30)
    assert telling(10) == (1, 5), "ten of ten hold the true one always"
    assert telling(1) == ()
    chances, truth = drawn(3, 120)
    rank = places(ranked(chances), truth, 12)
    alone = accuracies(rank, truth, [f"s{n:03d}" for n in range(120)], 12, np.random.default_rng(0), 200)
    assert list(alone) == [1, 5, 10]
    four = np.repeat(np.arange(120), 4)  # four equal photos of each tell no more than one
    subjects = [f"s{n:03d}" for n in four]
    many = accuracies(rank[four], truth[four], subjects, 12, np.random.default_rng(0), 200)
    assert many[5].value == pytest.approx(alone[5].value)
    assert many[5].high - many[5].low == pytest.approx(alone[5].high - alone[5].low, rel=1e-6)


def overconfident(seed: int, temperature: float, photos: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are right once divided by `temperature`."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(photos, 5)) * 2
    cumulated = softmax(scores, axis=1).cumsum(axis=1)
    classes = (rng.random((photos, 1)) > cumulated[:, :-1]).sum(axis=1)
    return scores * temperature, classes.astype(np.intp)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_it_finds_the_planted_temperature(temperature: float) -> None:
    scores, classes = overconfident(1, temperature)
    assert fit_temperature(scores, classes) == pytest.approx(temperature, rel=0.06)


def test_the_likelihood_is_scikit_learns_and_least_at_the_temperature() -> None:
    scores, classes = overconfident(2, 2.5, 500)
    result = fit_temperature(scores, classes)
    grid = [negative_log_likelihood(scores, classes, result * factor) for factor in (0.9, 0.99, 1.01, 1.1)]
    best = negative_log_likelihood(scores, classes, result)
    assert best < min(grid)
    assert best == pytest.approx(log_loss(classes, scaled(scores, result), labels=range(5)))


def test_it_is_scikit_learns_temperature() -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    classes = rng.integers(0, 3, 300)
    inputs = rng.normal(size=(300, 4)) + np.eye(3, 4)[classes]
    model = LogisticRegression(C=1e3).fit(inputs[:60], classes[:60])
    held, truth = inputs[60:], classes[60:]
    other = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(held, truth)
    scores = model.decision_function(held)
    mine = scaled(scores, fit_temperature(scores, truth))
    np.testing.assert_allclose(mine, other.predict_proba(held), atol=2e-4)


def test_scaling_changes_no_call_and_probabilities_are_scores_enough() -> None:
    scores, classes = overconfident(4, 2.0, 300)
    chances = scaled(scores, 1.0)
    np.testing.assert_array_equal(scaled(scores, 7.0).argmax(axis=1), scores.argmax(axis=1))
    np.testing.assert_allclose(scaled(logits(chances), 3.0), scaled(scores, 3.0), atol=1e-6)
    assert np.isfinite(logits(np.array([[0.0, 1.0]]))).all()
    with pytest.raises(ValueError, match="finite"):
        fit_temperature(np.full((3, 2), -np.inf), classes[:3] % 2)


def test_each_fold_is_scaled_by_the_others() -> None:
    """The two folds want opposite temperatures: what each is given is the other's."""
    cold, first = overconfident(5, 0.5, 1500)
    hot, second = overconfident(6, 2.0, 1500)
    scores, classes = np.concatenate([cold, hot]), np.concatenate([first, second])
    result = cross_scaled(scores, classes, np.repeat([0, 1], 1500))
    np.testing.assert_allclose(result[:1500], scaled(cold, fit_temperature(hot, second)))
    np.testing.assert_allclose(result[1500:], scaled(hot, fit_temperature(cold, first)))
    with pytest.raises(ValueError, match="another fold"):
        cross_scaled(scores, classes, np.zeros(3000, np.intp))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_calibration_error_is_the_area_between_scikit_learns_curve_and_the_diagonal(seed: int, photos: int) -> None:
    rng = np.random.default_rng(seed)
    confidence, right = rng.random(photos), rng.random(photos) < 0.5
    confidence[0] = 1.0
    accuracy, mean = calibration_curve(right, confidence, n_bins=15, pos_label=1)
    counts = np.histogram(-confidence, -np.linspace(0, 1, 16)[::-1])[0][::-1]  # of bins open below, closed above
    error = (counts[counts > 0] * np.abs(accuracy - mean)).sum() / photos
    calls = Calls(np.zeros(photos, np.intp), np.where(right, 1, 2), confidence)
    assert error == pytest.approx(calibration_error(calls)(np.arange(photos)))
