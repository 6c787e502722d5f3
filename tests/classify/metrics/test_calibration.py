"""Temperature scaling finds what was planted, agrees with scikit-learn, and the table sums to the calibration error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from ganonym.classify.metrics.rates import (
    calibration_error,
    cross_scaled,
    fit_temperature,
    logits,
    negative_log_likelihood,
    scaled,
)
from ganonym.classify.system import Calls


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
    found = fit_temperature(scores, classes)
    grid = [negative_log_likelihood(scores, classes, found * factor) for factor in (0.9, 0.99, 1.01, 1.1)]
    best = negative_log_likelihood(scores, classes, found)
    assert best < min(grid)
    assert best == pytest.approx(log_loss(classes, scaled(scores, found), labels=range(5)))


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
    found = cross_scaled(scores, classes, np.repeat([0, 1], 1500))
    np.testing.assert_allclose(found[:1500], scaled(cold, fit_temperature(hot, second)))
    np.testing.assert_allclose(found[1500:], scaled(hot, fit_temperature(cold, first)))
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
