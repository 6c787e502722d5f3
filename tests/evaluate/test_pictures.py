"""Measuring sets of pictures: planted faults show in the column that is theirs."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.pictures import Measured, measure_pictures, on_neutral_backdrop, subset
from ganonym.faces.appearance import AppearanceModel, load_appearance, sample_identity
from ganonym.faces.encoder import load_encoder
from ganonym.faces.find import default_backends
from ganonym.faces.shape import join, normalize, split, to_canvas
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
        expression = np.array([1.5 if number % 2 else -1.5, 0, 0, 0]) * model.shape.expression_sd
        points = to_canvas(join(0.5 * sample_identity(model.shape, rng), expression, model.shape))
        faces.append(PrivateFace(points, 1 + number, None, None, number))
    return faces


@pytest.fixture(scope="module")
def pictures(asked: list[PrivateFace], model: AppearanceModel) -> list[RGB]:
    return [plain_surrogate(face, model) for face in asked]


def look(pictures: list[RGB], points: list[Points], model: AppearanceModel) -> Measured:
    return measure_pictures(pictures, points, model, *default_backends(), load_encoder())


def test_faces_are_found_where_they_were_asked_for(
    pictures: list[RGB], asked: list[PrivateFace], model: AppearanceModel
) -> None:
    points = [face.points for face in asked]
    seen = look(pictures, points, model)
    assert seen.found.all()
    assert (seen.error < 0.12).all()
    expected = [split(normalize(each, model.shape), model.shape)[1] / model.shape.expression_sd for each in points]
    np.testing.assert_allclose(seen.asked, expected)
    assert (np.sign(seen.expression[:, 0]) == np.sign(seen.asked[:, 0])).all()
    np.testing.assert_allclose(seen.bands, [bands(p, q) for p, q in zip(pictures, points, strict=True)])
    assert (np.abs(np.linalg.norm(seen.features, axis=1) - 1) < 1e-5).all()


def test_planted_faults_show(pictures: list[RGB], asked: list[PrivateFace], model: AppearanceModel) -> None:
    points = [face.points for face in asked]
    empty = np.full_like(pictures[0], 172)
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
    found = on_neutral_backdrop(photograph, asked[0].points, model)
    surrounding = plain_surrogate(asked[0], model)
    assert (found[:8] == surrounding[:8]).all()
    x, y = asked[0].points[30].round().astype(int)
    np.testing.assert_array_equal(found[y - 8 : y + 8, x - 8 : x + 8], photograph[y - 8 : y + 8, x - 8 : x + 8])
