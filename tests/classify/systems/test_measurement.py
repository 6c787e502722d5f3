"""Classifiers on measurements: they learn a planted sign, are saved without pickle, and equal scikit-learn's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ganonym.classify.learner import Method
from ganonym.classify.learning.tabular import grown
from ganonym.classify.measurement.lengths import measurements
from ganonym.classify.systems.measurement import (
    AstleyClarren,
    MeasuredForest,
    MeasuredLogistic,
    features,
)
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.weights import read_tensors

METHODS: list[Method] = [MeasuredLogistic(), MeasuredForest(trees=20), AstleyClarren()]


def people(seed: int, each: int = 40) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Controls, and as many people with short palpebral fissures and thin upper lips."""
    classes = np.repeat([0, 1], each).astype(np.intp)
    points = to_canvas(load_shape().mean) + np.random.default_rng(seed).normal(0, 1.2, (2 * each, 68, 2))
    points[classes == 1, 36, 0] += 4
    points[classes == 1, 45, 0] -= 4
    points[classes == 1, 51, 1] += 2
    return points, classes


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_it_learns_a_planted_sign_and_comes_back_from_its_file(method: Method, tmp_path: Path) -> None:
    points, classes = people(1)
    others, truth = people(2)
    trained = method.learn(points, classes, 2, seed=3)
    chances = trained(others)
    assert chances.shape == (80, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)
    assert roc_auc_score(truth, chances[:, 1]) > 0.9
    path = tmp_path / "trained.safetensors"
    save_file(dict(trained.arrays), path)
    restored = method.restore(read_tensors(path)[0], 2)
    assert restored(others).tobytes() == chances.tobytes()
    assert restored(others[5:6]).tobytes() == chances[5:6].tobytes()  # one photo's do not depend on the others
    # Neither size nor place of the face in its picture matters.
    np.testing.assert_allclose(
        trained(others * 3 + 50), chances, atol=0.06 if isinstance(method, MeasuredForest) else 1e-6
    )
    state = np.random.get_state()[1].tobytes()  # type: ignore[union-attr,index]  # noqa: NPY002
    assert method.learn(points, classes, 2, seed=3)(others).tobytes() == chances.tobytes()
    assert np.random.get_state()[1].tobytes() == state  # type: ignore[union-attr,index]  # noqa: NPY002


def test_the_forest_is_scikit_learns() -> None:
    points, classes = people(4)
    classes = np.where(np.arange(80) % 3 == 0, 3, classes).astype(np.intp)  # classes 0, 1 and 3 of 5
    seen, others = features(points), features(people(5)[0])
    model = RandomForestClassifier(15, min_samples_leaf=2, class_weight="balanced", random_state=0).fit(seen, classes)
    forest = grown(model)
    np.testing.assert_allclose(forest(others), model.predict_proba(others), atol=1e-12)
    np.testing.assert_allclose(forest(seen), model.predict_proba(seen), atol=1e-12)
    ours = MeasuredForest(15).learn(points, classes, 5, seed=0)
    np.testing.assert_array_equal(ours(people(5)[0])[:, [2, 4]], 0.0)
    np.testing.assert_allclose(ours(people(5)[0])[:, [0, 1, 3]], model.predict_proba(others), atol=1e-12)
    assert MeasuredForest(15).learn(points, classes, 5, seed=1)(points).tobytes() != ours(points).tobytes()


def test_at_a_threshold_a_photo_goes_where_scikit_learn_sends_it() -> None:
    grid = np.arange(12.0)[:, None]
    model = RandomForestClassifier(9, bootstrap=False, random_state=0).fit(grid, (grid[:, 0] > 5).astype(int))
    half = np.array([[5.5], [np.nextafter(5.5, 6)], [5.500001], [4.0]])
    np.testing.assert_allclose(grown(model)(half), model.predict_proba(half), atol=1e-12)


@pytest.mark.parametrize("kinds", [2, 3])
def test_the_logistic_regression_is_scikit_learns(kinds: int) -> None:
    points, classes = people(6)
    classes = np.where(np.arange(80) % 4 == 0, kinds - 1, classes).astype(np.intp)
    seen, others = features(points), people(7)[0]
    scaled = (seen - seen.mean(axis=0)) / seen.std(axis=0)
    model = LogisticRegression(C=0.05, class_weight="balanced", max_iter=2000).fit(scaled, classes)
    expected = model.predict_proba((features(others) - seen.mean(axis=0)) / seen.std(axis=0))
    chances = MeasuredLogistic().learn(points, classes, kinds + 1, seed=0)(others)
    np.testing.assert_allclose(chances[:, :kinds], expected, atol=1e-9)
    np.testing.assert_array_equal(chances[:, kinds], 0.0)


def test_the_rule_scores_short_fissures_and_thin_lips() -> None:
    points, classes = people(8)
    trained = AstleyClarren().learn(points, classes, 2, seed=0)
    result = measurements(points)
    z = [
        (result[key] - result[key][classes == 0].mean()) / result[key][classes == 0].std(ddof=1)
        for key in ("PFLEN/ENEN", "UVERM")
    ]
    np.testing.assert_allclose(trained.score(points), -(z[0] + z[1]) / 2, rtol=1e-9)
    chances = trained(points)[:, 1]
    assert (np.diff(chances[np.argsort(trained.score(points))]) >= 0).all()
    turned = AstleyClarren(control=1).learn(points, 1 - classes, 2, seed=0)
    np.testing.assert_allclose(turned(points)[:, 0], chances, atol=1e-12)


def test_the_rule_is_for_two_classes() -> None:
    points, classes = people(9)
    with pytest.raises(UsageError, match="two classes"):
        AstleyClarren().learn(points, classes, 3, seed=0)
    with pytest.raises(UsageError, match="both"):
        AstleyClarren().learn(points, np.zeros(80, np.intp), 2, seed=0)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_foreign_arrays_are_refused(method: Method) -> None:
    points, classes = people(10)
    good = dict(method.learn(points, classes, 2, seed=0).arrays)
    first = next(iter(good))
    bad = [
        {},
        {key: entry for key, entry in good.items() if key != first},
        good | {"more": np.zeros(1)},
        good | {first: good[first][:-1]},
        good | {first: np.full(good[first].shape, np.nan)},
    ]
    if "known" in good:
        bad += [good | {"known": np.array([0, 2])}, good | {"known": np.array([1, 1])}]
    if "roots" in good:
        bad += [good | {"left": np.where(good["left"] >= 0, 0, -1)}]  # a walk that would never end
        bad += [good | {"feature": good["feature"] + 500}, good | {"roots": good["roots"] + 10**6}]
    for arrays in bad:
        with pytest.raises(EnvironmentFault, match="not of this classifier"):
            method.restore(arrays, 2)
