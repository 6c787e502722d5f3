"""Skin tone against scikit-image's CIELAB, and its steadiness under light that says nothing about skin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from ganonym.errors import PhotoError
from ganonym.faces.find import default_backends, find_faces
from ganonym.faces.tone import _skin, ita_degrees, lab_of_linear, linear_of, tone_class
from ganonym.types import RGB, Floats, Points


@pytest.fixture(scope="module")
def astronaut() -> tuple[RGB, Points]:
    rgb: RGB = np.asarray(data.astronaut())
    return rgb, find_faces(rgb, *default_backends())[0].points


def relight(rgb: RGB, gain: float | Floats) -> RGB:
    light = (linear_of(rgb) * gain).clip(0.0, 1.0)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (encoded * 255.0).round().astype(np.uint8)


def test_lab_is_scikit_images() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5000, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        lab_of_linear(linear_of(rgb)), rgb2lab(rgb[None])[0], atol=0.03
    )  # other digits of the matrix


@given(st.floats(-90.0, 90.0))
def test_classes_follow_the_published_edges(ita: float) -> None:
    published = [(55, 91), (41, 55), (28, 41), (10, 28), (-30, 10), (-91, -30)]
    low, high = published[tone_class(ita)]
    assert low < ita <= high or (low == -91 and ita <= high)


def test_darker_skin_in_the_same_light_has_a_lower_angle(astronaut: tuple[RGB, Points]) -> None:
    rgb, points = astronaut
    hull = np.zeros(rgb.shape[:2], dtype=bool)
    (left, top), (right, bottom) = points.min(axis=0).astype(int), points.max(axis=0).astype(int)
    hull[top - 20 : bottom, left:right] = True
    angles = []
    for gain in (1.0, 0.6, 0.3, 0.1):
        darker = rgb.copy()
        darker[hull] = relight(rgb, gain)[hull]
        darker[:, :left] = darker[:, right:][:, :left]  # the light comes from beside the face
        angles.append(ita_degrees(darker, points))
    assert angles == sorted(angles, reverse=True)
    assert angles[0] - angles[-1] > 20.0


@pytest.mark.parametrize("gain", [0.5, 0.8, [1.0, 0.9, 0.8], [0.8, 0.9, 1.0], [0.9, 1.0, 0.9]])
def test_the_light_hardly_matters(astronaut: tuple[RGB, Points], gain: float | list[float]) -> None:
    rgb, points = astronaut
    assert abs(ita_degrees(relight(rgb, np.array(gain)), points) - ita_degrees(rgb, points)) < 2.0


def test_the_frame_hardly_matters(astronaut: tuple[RGB, Points]) -> None:
    rgb, points = astronaut
    cut = np.array([120, 0])
    part = np.ascontiguousarray(rgb[:260, 120:330])
    assert abs(ita_degrees(part, points - cut) - ita_degrees(rgb, points)) < 0.5


def test_a_grey_photo_is_no_extreme(astronaut: tuple[RGB, Points]) -> None:
    rgb, points = astronaut
    grey = np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))
    assert abs(ita_degrees(grey, points)) < 80.0  # without any yellow it would be 90 or -90
    assert abs(tone_class(ita_degrees(grey, points)) - tone_class(ita_degrees(rgb, points))) <= 1


def test_the_mask_holds_skin_only(astronaut: tuple[RGB, Points]) -> None:
    _, points = astronaut
    mask = _skin((points - points.min(axis=0)) * (127.0 / np.ptp(points, axis=0).max()))
    local = (points - points.min(axis=0)) * (127.0 / np.ptp(points, axis=0).max())
    assert mask.sum() > 500
    for landmark in (30, 33, 37, 40, 43, 46, 51, 57, 62, 8):  # nose tip, eyes, mouth, chin
        x, y = local[landmark].round().astype(int)
        assert not mask[min(y, 127), min(x, 127)]


@pytest.mark.parametrize("shift", [5000.0, -5000.0])
def test_a_face_outside_the_photo_has_no_skin(astronaut: tuple[RGB, Points], shift: float) -> None:
    rgb, points = astronaut
    with pytest.raises(PhotoError, match="outside") as caught:
        ita_degrees(rgb, points + shift)
    assert caught.value.reason == "no-skin"


def test_coinciding_points_have_no_skin(astronaut: tuple[RGB, Points]) -> None:
    with pytest.raises(PhotoError, match="same place"):
        ita_degrees(astronaut[0], np.full((68, 2), 100.0))


def test_a_smile_and_the_light_keep_the_class(london_folder: Path) -> None:
    classes = []
    for neutral in sorted(london_folder.glob("*_neutral.jpg"))[:24]:
        backends = default_backends()
        row = []
        for path in (neutral, neutral.with_name(neutral.name.replace("neutral", "smiling"))):
            rgb = np.asarray(Image.open(path).convert("RGB"))
            points = find_faces(rgb, *backends)[0].points
            row += [tone_class(ita_degrees(relight(rgb, gain), points)) for gain in (1.0, 0.8, 1.2)]
        classes.append(row)
    rows = np.array(classes)
    assert (np.ptp(rows[:, :3], axis=1) == 0).mean() >= 0.9
    assert (rows[:, 0] == rows[:, 3]).mean() >= 0.85
    assert np.ptp(rows, axis=1).max() <= 1
