"""Training photographs: which are read, their light taken out, their hair filled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.color import rgb2lab

from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel, boundary_of, load_appearance, sample_texture, texture_of
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.tone import skin_colour
from ganonym.phantom.cohort import phantom_cohort
from ganonym.types import RGB, Floats
from ganonym_train.photographs import (
    RANGE,
    TrainingPhoto,
    daylight,
    fill_hidden,
    hidden_by_hair,
    recoloured,
    training_photographs,
    usual_skin,
)


def test_only_training_sets_with_a_face_are_used(training_folder: Path) -> None:
    photos = list(training_photographs(training_folder))
    assert [photo.name for photo in photos] == [f"{n:02d}-{e}.png" for n in range(12) for e in ("neutral", "smiling")]
    assert [photo.smiling for photo in photos] == [False, True] * 12
    assert photos[0].age is None
    assert photos[2].age is not None
    assert {photo.subject for photo in photos[:2]} == {"person-0"}


def test_a_missing_or_malformed_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        next(training_photographs(tmp_path))
    (tmp_path / "manifest.csv").write_text("path,subject,expression,age\n")
    with pytest.raises(UsageError, match="lacks the columns set, sex"):
        next(training_photographs(tmp_path))


def lab(rgb: RGB | Floats) -> Floats:
    return np.asarray(rgb2lab(np.asarray(rgb, np.uint8).reshape(-1, 1, 3))[:, 0])


def relit(rgb: RGB, gain: Floats) -> RGB:
    linear = np.where(rgb <= 0.04045 * 255, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4) * gain
    return np.asarray((255 * (1.055 * linear.clip(0.0032, 1) ** (1 / 2.4) - 0.055)).round(), np.uint8)


@pytest.fixture(scope="module")
def photo() -> TrainingPhoto:
    rgb = next(iter(phantom_cohort(1, 1, seed=3))).rgb
    points = find_faces(rgb, *reading_backends())[0].points
    return TrainingPhoto("nobody.png", "nobody", False, None, None, rgb, points)


@given(st.floats(*RANGE))
def test_usual_skin_has_the_tone_it_is_for(ita: float) -> None:
    lightness, _, yellow = usual_skin(ita)
    assert np.degrees(np.arctan2(lightness - 50, yellow)) == pytest.approx(ita, abs=0.01)


def test_skin_comes_to_the_wanted_colour_and_greys_stay_grey() -> None:
    skin, greys = np.array([170, 120, 95]), np.array([[0, 0, 0], [90, 90, 90], [255, 255, 255]])
    now = lab(skin)[0]
    wanted = np.array([now[0] + 8, *(1.1 * now[1:])])
    picture = np.asarray(np.vstack([skin[None], greys]), np.uint8)[None]
    changed = recoloured(picture, now, wanted)[0]
    np.testing.assert_allclose(lab(changed)[0], wanted, atol=0.6)
    assert np.ptp(changed[1:].astype(int), axis=1).max() <= 1
    assert changed[2, 0] > 95
    np.testing.assert_array_equal(changed[[1, 3]], picture[0, [1, 3]])


def test_nothing_changes_where_the_colour_is_right_already() -> None:
    rng = np.random.default_rng(0)
    now = usual_skin(30.0)
    skins = np.asarray(np.array([150, 110, 85]) + rng.integers(-8, 8, (20, 20, 3)), np.uint8)
    assert np.abs(recoloured(skins, now, now).astype(int) - skins).max() <= 1


def test_colours_change_by_a_limited_factor_and_reflections_fade() -> None:
    picture = np.array([[[170, 120, 95], [90, 140, 100]]], np.uint8)
    now = lab(picture[0, 0])[0]
    stronger = lab(recoloured(picture, now, now * [1, 5, 5])[0])
    assert np.hypot(*stronger[0, 1:]) / np.hypot(*now[1:]) == pytest.approx(1.25, abs=0.03)
    kept = lab(recoloured(picture, now, now)[0])[1]
    assert np.hypot(*kept[1:]) / np.hypot(*lab(picture[0, 1])[0, 1:]) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("gain", [[0.6, 0.6, 0.6], [1.12, 1.0, 0.88], [0.8, 1.0, 1.15]])
def test_one_face_in_two_lights_comes_out_alike(photo: TrainingPhoto, gain: list[float]) -> None:
    other = replace(photo, rgb=relit(photo.rgb, np.array(gain)))
    before = np.linalg.norm(lab(skin_colour(photo.rgb, photo.points)) - lab(skin_colour(other.rgb, other.points)))
    first, second = daylight(photo), daylight(other)
    after = np.linalg.norm(lab(skin_colour(first.rgb, photo.points)) - lab(skin_colour(second.rgb, photo.points)))
    assert after < 0.5 * before
    assert (second.points == photo.points).all()


Textures = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def bare(model: AppearanceModel) -> Textures:
    """Sixty sampled faces, whose model knows little hair."""
    rng = np.random.default_rng(3)
    scores = np.zeros(len(model.attribute_mean))
    return np.stack([texture_of(sample_texture(scores, model, rng)[:12], model) for _ in range(60)]).clip(0.02, 1)


@pytest.fixture(scope="module")
def fringe(model: AppearanceModel) -> NDArray[np.bool_]:
    """The pixels (p,) more than 10 px above the highest brow point."""
    return np.asarray(model.raster.pixels // model.raster.size < model.reference[17:27, 1].min() - 10)


@pytest.fixture(scope="module")
def worn(bare: Textures, fringe: NDArray[np.bool_]) -> Textures:
    """The same faces; every third wears a dark fringe."""
    worn = bare.copy()
    worn[::3, fringe] = np.array([0.04, 0.03, 0.02]) + 0.02 * np.random.default_rng(4).random((fringe.sum(), 3))
    return worn


def test_a_fringe_is_found_and_skin_is_left(
    model: AppearanceModel, bare: Textures, worn: Textures, fringe: NDArray[np.bool_]
) -> None:
    hidden = hidden_by_hair(worn, model.reference, model.raster)
    assert hidden.shape == worn.shape[:2]
    assert hidden.min() >= 0
    assert hidden.max() <= 1
    assert np.mean(hidden[::3, fringe] > 0.9) > 0.9
    face = inner_face(model)
    assert hidden[:, face].max() < 0.1


def inner_face(model: AppearanceModel) -> NDArray[np.bool_]:
    """A box from brows to chin as wide as the mouth, which is never hair."""
    rows, columns = np.divmod(model.raster.pixels, model.raster.size)
    points = model.reference
    across = (columns > points[48, 0]) & (columns < points[54, 0])
    return np.asarray(across & (rows > points[19, 1]) & (rows < points[57, 1]))


def test_hair_of_the_colour_of_skin_is_found_where_darker_hair_hangs_below_it(
    model: AppearanceModel, worn: Textures, fringe: NDArray[np.bool_]
) -> None:
    rows = model.raster.pixels // model.raster.size
    upper = fringe & (rows < np.median(rows[fringe]))
    blond = worn[:1].copy()
    blond[0, upper] = np.median(worn[0, inner_face(model)], axis=0)
    hidden = hidden_by_hair(blond, model.reference, model.raster)
    below = boundary_of(model.reference, len(model.forehead))
    columns = model.raster.pixels % model.raster.size
    middle = np.abs(columns - below[:, 0].mean()) < 30
    assert np.mean(hidden[0, upper & middle] > 0.9) > 0.9


def test_filling_brings_back_what_the_hair_hid(bare: Textures, worn: Textures, fringe: NDArray[np.bool_]) -> None:
    hidden = np.zeros(worn.shape[:2], dtype=np.float32)
    hidden[::3, fringe] = 1
    filled = fill_hidden(worn, hidden)
    np.testing.assert_allclose(filled[hidden == 0], bare[hidden == 0], atol=1e-6)
    error = np.abs(filled - bare)[::3, fringe].mean()
    of_the_mean = np.abs(bare[1::3].mean(axis=0) - bare[::3])[:, fringe].mean()
    assert error < 0.4 * of_the_mean
