"""Measuring sets of pictures: planted faults show in the column that is theirs; stress shapes do as they say."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.pictures import (
    Measured,
    asymmetric,
    exaggerated,
    measure_pictures,
    narrow_eyes,
    on_neutral_backdrop,
    open_mouth,
    stress_shapes,
    subset,
)
from ganonym.faces.appearance import AppearanceModel, load_appearance, sample_identity
from ganonym.faces.encoder import load_encoder
from ganonym.faces.find import judge_backends
from ganonym.faces.shape import from_canvas, join, load_shape, normalize, split, to_canvas
from ganonym.synthesis.quality import bands
from ganonym.synthesis.synthesizer import plain_surrogate
from ganonym.types import RGB, Points, PrivateFace

FACES = 4


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def asked(model: AppearanceModel) -> list[PrivateFace]:
    rng, faces = np.random.default_rng(5), []
    for number in range(FACES):
        expression = np.array([1.5 if number % 2 else -1.5, *[0.0] * 5]) * model.shape.expression_sd
        points = to_canvas(join(0.5 * sample_identity(model.shape, rng), expression, model.shape))
        faces.append(PrivateFace(points, 1 + number, None, None, number))
    return faces


@pytest.fixture(scope="module")
def pictures(asked: list[PrivateFace], model: AppearanceModel) -> list[RGB]:
    return [plain_surrogate(face, model) for face in asked]


def look(pictures: list[RGB], points: list[Points], model: AppearanceModel) -> Measured:
    return measure_pictures(pictures, points, model, *judge_backends(), load_encoder())


def test_faces_are_found_where_they_were_asked_for(
    pictures: list[RGB], asked: list[PrivateFace], model: AppearanceModel
) -> None:
    points = [face.points for face in asked]
    seen = look(pictures, points, model)
    assert seen.found.all()
    assert (seen.error < 0.12).all()
    expected = [split(normalize(point, model.shape), model.shape)[1] / model.shape.expression_sd for point in points]
    np.testing.assert_allclose(seen.asked, expected)
    assert (np.sign(seen.expression[:, 0]) == np.sign(seen.asked[:, 0])).all()
    np.testing.assert_allclose(seen.bands, [bands(p, q) for p, q in zip(pictures, points, strict=True)])
    assert (np.abs(np.linalg.norm(seen.features, axis=1) - 1) < 1e-5).all()


def test_planted_faults_show(pictures: list[RGB], asked: list[PrivateFace], model: AppearanceModel) -> None:
    points = [face.points for face in asked]
    empty = np.full_like(pictures[0], 203)
    moved = [points[0], points[1] + 12.0, points[2], points[3]]
    seen = look([pictures[0], pictures[1], empty, pictures[3]], moved, model)
    assert seen.found.tolist() == [True, True, False, True]
    assert np.isnan(seen.error[2])
    assert np.isnan(seen.descriptors[2]).all()
    assert seen.error[1] > 2 * max(seen.error[0], seen.error[3])
    chosen = subset(seen, seen.found)
    assert len(chosen.error) == 3
    np.testing.assert_array_equal(chosen.features, seen.features[[0, 1, 3]])


def test_the_backdrop_hides_all_but_the_face(asked: list[PrivateFace], model: AppearanceModel) -> None:
    photograph = np.random.default_rng(1).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    result = on_neutral_backdrop(photograph, asked[0].points, model)
    assert (result[:8] == 172).all()  # the grey of the encoder, (0.35 + 1) · 127.5
    x, y = asked[0].points[30].round().astype(int)
    np.testing.assert_array_equal(result[y - 8 : y + 8, x - 8 : x + 8], photograph[y - 8 : y + 8, x - 8 : x + 8])


@pytest.fixture
def mean() -> Points:
    return to_canvas(load_shape().mean)


def moved(before: Points, after: Points) -> set[int]:
    return set(np.flatnonzero(np.abs(after - before).max(axis=1) > 1e-6).tolist())


def gap(points: Points, upper: int, lower: int) -> float:
    return float(points[lower, 1] - points[upper, 1])


def test_an_open_mouth_gapes_and_the_chin_follows(mean: Points) -> None:
    eyes = float(np.linalg.norm(mean[36:42].mean(axis=0) - mean[42:48].mean(axis=0)))
    result = open_mouth(mean)
    assert gap(result, 62, 66) - gap(mean, 62, 66) == pytest.approx(0.35 * eyes)
    assert result[8, 1] - mean[8, 1] == pytest.approx(0.35 * eyes)
    assert moved(mean, result) <= {*range(4, 13), *range(55, 60), *range(65, 68)}
    assert result[:, 1].max() < 256


def test_narrow_eyes_keep_their_corners(mean: Points) -> None:
    result = narrow_eyes(mean)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert gap(result, upper, lower) == pytest.approx(0.35 * gap(mean, upper, lower))
    assert moved(mean, result) == {37, 38, 40, 41, 43, 44, 46, 47}


def test_an_asymmetric_face_sags_on_one_side(mean: Points) -> None:
    result = asymmetric(mean)
    assert moved(mean, result) == {*range(22, 27), *range(42, 48), *range(52, 56), *range(63, 66)}
    assert result[54, 1] - result[48, 1] > mean[54, 1] - mean[48, 1] + 4


def test_an_exaggerated_direction_stands_where_it_was_put_and_the_rest_stays(mean: Points) -> None:
    model = load_shape()
    identity, expression = split(from_canvas(exaggerated(mean, model, 4, -3.0)), model)
    assert identity[4] == pytest.approx(-3 * model.identity_sd[4])
    np.testing.assert_allclose(np.delete(identity, 4), 0, atol=1e-8)  # the model is stored in single precision
    np.testing.assert_allclose(expression, 0, atol=1e-8)


def test_all_stresses_are_drawn_from_the_generator_given(mean: Points) -> None:
    first, again = (stress_shapes(mean, load_shape(), np.random.default_rng(3)) for _ in range(2))
    assert list(first) == ["open mouth", "narrow eyes", "asymmetric", "identity at 3 SD"]
    for name, shape in first.items():
        np.testing.assert_array_equal(shape, again[name])
        assert np.abs(shape - mean).max() > 1
