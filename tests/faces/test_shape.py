"""The shape model: what normalising removes, and how shapes split and join."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.faces.appearance import load_appearance
from ganonym.faces.shape import ShapeModel, centroid_size, from_canvas, join, normalize, split, to_canvas
from ganonym.types import CANVAS, Points

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    return load_appearance().shape


def some_face(model: ShapeModel, seed: int) -> Points:
    return model.mean + np.random.default_rng(seed).normal(0.0, 0.01, (68, 2))


@given(
    seed=seeds,
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.01, 1e4),
    shift=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_normalising_removes_place_size_and_roll(
    model: ShapeModel, seed: int, angle: float, scale: float, shift: tuple[float, float]
) -> None:
    face = some_face(model, seed)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = scale * face @ rotation.T + shift
    np.testing.assert_allclose(normalize(moved, model), normalize(face, model), atol=1e-8)


@given(seed=seeds)
def test_normalised_shapes_are_centred_of_unit_size_and_turned_onto_the_mean(model: ShapeModel, seed: int) -> None:
    shape = normalize(some_face(model, seed) * 90 + 200, model)
    np.testing.assert_allclose(shape.mean(axis=0), 0, atol=1e-12)
    assert centroid_size(shape) == pytest.approx(1, abs=1e-12)
    distance = np.linalg.norm(shape - model.mean)
    for angle in (-0.02, 0.02):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        assert np.linalg.norm(shape @ turn - model.mean) > distance


def test_a_mirrored_face_is_another_shape(model: ShapeModel) -> None:
    face = some_face(model, 3)
    assert np.abs(normalize(face * [-1, 1], model) - normalize(face, model)).max() > 0.05


@pytest.mark.parametrize("place", [0.0, 0.1, 123.456, 1e6])
def test_points_that_coincide_have_no_shape(model: ShapeModel, place: float) -> None:
    with pytest.raises(ValueError, match="coincide"):
        normalize(np.full((68, 2), place), model)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_have_no_shape(model: ShapeModel, value: float) -> None:
    points = some_face(model, 0)
    points[5, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        normalize(points, model)


@given(seed=seeds)
def test_split_undoes_join(model: ShapeModel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    identity = model.identity_sd * rng.standard_normal(len(model.identity_sd))
    expression = model.expression_sd * rng.standard_normal(len(model.expression_sd))
    again_identity, again_expression = split(join(identity, expression, model), model)
    np.testing.assert_allclose(again_identity, identity, atol=1e-7)
    np.testing.assert_allclose(again_expression, expression, atol=1e-7)


@given(seed=seeds)
def test_join_after_split_is_the_projection_onto_the_model(model: ShapeModel, seed: int) -> None:
    shape = some_face(model, seed)
    again = join(*split(shape, model), model)
    np.testing.assert_allclose(join(*split(again, model), model), again, atol=1e-6)
    basis = np.concatenate([model.identity_basis, model.expression_patterns])
    fitted = basis.T @ np.linalg.lstsq(basis.T, (again - model.mean).ravel(), rcond=None)[0]
    np.testing.assert_allclose(again, model.mean + fitted.reshape(68, 2), atol=1e-6)
    # What is lost is seen by no functional: not by those of expression, and not by identity's.
    lost = (shape - again).ravel()
    np.testing.assert_allclose(model.expression_functionals @ lost, 0, atol=1e-6)
    np.testing.assert_allclose(model.identity_basis @ lost, 0, atol=1e-6)


def test_bundled_expression_is_drawn_as_it_is_read_and_no_identity_has_one(model: ShapeModel) -> None:
    functionals, patterns = model.expression_functionals, model.expression_patterns
    assert functionals.shape == patterns.shape == (6, 136)
    np.testing.assert_allclose(functionals @ patterns.T, np.eye(6), atol=1e-5)  # stored as float32
    np.testing.assert_allclose(np.linalg.norm(patterns, axis=1), 1, atol=1e-6)
    basis = model.identity_basis
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-6)
    np.testing.assert_allclose(basis @ functionals.T, 0, atol=1e-6)
    assert (np.diff(model.identity_sd) <= 0).all()
    assert (model.identity_sd > 0).all()
    assert (model.expression_sd > 0).all()


def test_bundled_directions_move_no_face_as_a_whole(model: ShapeModel) -> None:
    basis = np.concatenate([model.identity_basis, model.expression_patterns]).reshape(-1, 68, 2)
    np.testing.assert_allclose(basis.mean(axis=1), 0, atol=1e-4)


def test_bundled_mean_is_upright_and_of_unit_size(model: ShapeModel) -> None:
    np.testing.assert_allclose(normalize(model.mean, model), model.mean, atol=1e-6)
    left, right = model.mean[36:42].mean(axis=0), model.mean[42:48].mean(axis=0)
    assert left[0] < 0 < right[0]
    assert left[1] == pytest.approx(right[1], abs=1e-6)


@given(seed=seeds)
def test_from_canvas_undoes_to_canvas(model: ShapeModel, seed: int) -> None:
    shape = some_face(model, seed)
    np.testing.assert_allclose(from_canvas(to_canvas(shape)), shape, atol=1e-12)


def test_the_canvas_map_is_one_similarity_for_every_face(model: ShapeModel) -> None:
    one, other = some_face(model, 1), some_face(model, 2)
    np.testing.assert_allclose(to_canvas(one) - to_canvas(other), 480 * (one - other), atol=1e-9)
    canvas = to_canvas(model.mean)
    assert canvas.min() > 0
    assert canvas.max() < CANVAS - 1


def _lids(shape: Points) -> float:
    return float((shape[[41, 40, 47, 46], 1] - shape[[37, 38, 43, 44], 1]).mean())


def test_a_smile_widens_the_mouth_and_a_dropped_jaw_comes_with_wide_eyes(model: ShapeModel) -> None:
    nobody = np.zeros(len(model.identity_sd))
    smile, jaw = (join(nobody, model.expression_sd * row, model) for row in np.eye(6)[:2])
    for face, wider, startled in ((smile, True, False), (jaw, False, True)):
        assert (np.ptp(face[48:60, 0]) > 1.1 * np.ptp(model.mean[48:60, 0])) == wider
        assert face[66, 1] - face[62, 1] > model.mean[66, 1] - model.mean[62, 1] + 0.008
        assert (_lids(face) > 1.1 * _lids(model.mean)) == startled
    mirror = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40]
    for pattern in model.expression_patterns.reshape(6, 68, 2):
        np.testing.assert_allclose(pattern[mirror] * [-1, 1], pattern[:48], atol=1e-6)  # no half of a face alone
