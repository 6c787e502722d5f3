"""Light taken out of a face: skin gets the colour of its tone, greys stay grey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.light import RANGE, in_daylight, recoloured, usual_skin
from ganonym.faces.tone import skin_colour
from ganonym.phantom.cohort import phantom_cohort
from ganonym.types import RGB, Floats, Points


def lab(rgb: RGB | Floats) -> Floats:
    return np.asarray(rgb2lab(np.asarray(rgb, np.uint8).reshape(-1, 1, 3))[:, 0])


def relit(rgb: RGB, gain: Floats) -> RGB:
    linear = np.where(rgb <= 0.04045 * 255, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4) * gain
    return np.asarray((255 * (1.055 * linear.clip(0.0032, 1) ** (1 / 2.4) - 0.055)).round(), np.uint8)


@pytest.fixture(scope="module")
def photo() -> tuple[RGB, Points]:
    rgb = next(iter(phantom_cohort(1, 1, seed=6))).rgb  # light skin: of dark skin in blue light only part is undone
    return rgb, find_faces(rgb, *reading_backends())[0].points


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
def test_one_face_in_two_lights_comes_out_alike(photo: tuple[RGB, Points], gain: list[float]) -> None:
    rgb, points = photo
    other = relit(rgb, np.array(gain))
    before = np.linalg.norm(lab(skin_colour(rgb, points)) - lab(skin_colour(other, points)))
    first, second = in_daylight(rgb, points), in_daylight(other, points)
    after = np.linalg.norm(lab(skin_colour(first, points)) - lab(skin_colour(second, points)))
    assert after < 0.5 * before
