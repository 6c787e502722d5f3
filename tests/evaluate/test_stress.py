"""Stress shapes do what their names say, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.pictures import asymmetric, exaggerated, narrow_eyes, open_mouth, stress_shapes
from ganonym.faces.shape import from_canvas, load_shape, split, to_canvas
from ganonym.types import Points


@pytest.fixture
def mean() -> Points:
    return to_canvas(load_shape().mean)


def moved(before: Points, after: Points) -> set[int]:
    return set(np.flatnonzero(np.abs(after - before).max(axis=1) > 1e-6).tolist())


def gap(points: Points, upper: int, lower: int) -> float:
    return float(points[lower, 1] - points[upper, 1])


def test_an_open_mouth_gapes_and_the_chin_follows(mean: Points) -> None:
    eyes = float(np.linalg.norm(mean[36:42].mean(axis=0) - mean[42:48].mean(axis=0)))
    found = open_mouth(mean)
    assert gap(found, 62, 66) - gap(mean, 62, 66) == pytest.approx(0.35 * eyes)
    assert found[8, 1] - mean[8, 1] == pytest.approx(0.35 * eyes)
    assert moved(mean, found) <= {*range(4, 13), *range(55, 60), *range(65, 68)}
    assert found[:, 1].max() < 256


def test_narrow_eyes_keep_their_corners(mean: Points) -> None:
    found = narrow_eyes(mean)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert gap(found, upper, lower) == pytest.approx(0.35 * gap(mean, upper, lower))
    assert moved(mean, found) == {37, 38, 40, 41, 43, 44, 46, 47}


def test_an_asymmetric_face_sags_on_one_side(mean: Points) -> None:
    found = asymmetric(mean)
    assert moved(mean, found) == {*range(22, 27), *range(42, 48), *range(52, 56), *range(63, 66)}
    assert found[54, 1] - found[48, 1] > mean[54, 1] - mean[48, 1] + 4


def test_an_exaggerated_direction_stands_where_it_was_put_and_the_rest_stays(mean: Points) -> None:
    model = load_shape()
    identity, expression = split(from_canvas(exaggerated(mean, model, 4, -3.0)), model)
    assert identity[4] == pytest.approx(-3 * model.identity_sd[4])
    np.testing.assert_allclose(np.delete(identity, 4), 0, atol=1e-9)
    np.testing.assert_allclose(expression, 0, atol=1e-9)


def test_all_stresses_are_drawn_from_the_generator_given(mean: Points) -> None:
    first, again = (stress_shapes(mean, load_shape(), np.random.default_rng(3)) for _ in range(2))
    assert list(first) == ["open mouth", "narrow eyes", "asymmetric", "identity at 3 SD"]
    for name, shape in first.items():
        np.testing.assert_array_equal(shape, again[name])
        assert np.abs(shape - mean).max() > 1
