"""Thumbnails: the same face wherever it stands, and a correlation that NumPy agrees with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from ganonym.faces.align import apply, crop
from ganonym.faces.aligned import ANCHORS, SIDE, correlation, face_thumbnail
from ganonym.faces.appearance import load_appearance
from ganonym.faces.shape import to_canvas
from ganonym.types import RGB, Points

ASTRONAUT: RGB = np.asarray(data.astronaut())


@pytest.fixture(scope="module")
def points() -> Points:
    """The mean face, placed over the astronaut's."""
    return to_canvas(load_appearance().shape.mean) * 0.5 + [158.0, 55.0]


@settings(max_examples=15, deadline=None)
@given(st.floats(-40, 40), st.floats(0.8, 1.6), st.tuples(st.floats(-40, 40), st.floats(-40, 40)))
def test_the_thumbnail_follows_the_face(points: Points, angle: float, scale: float, shift: tuple[float, float]) -> None:
    cos, sin = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = points.mean(axis=0)
    matrix = np.column_stack([linear, np.array([350.0, 350.0]) + shift - linear @ middle])
    moved = face_thumbnail(crop(ASTRONAUT, matrix, 700), apply(matrix, points))
    assert correlation(moved, face_thumbnail(ASTRONAUT, points)) > 0.98


def test_eyes_and_mouth_lie_at_their_anchors(points: Points) -> None:
    places = [points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[48:60].mean(axis=0)]
    for place, anchor in zip(places, ANCHORS, strict=True):
        rgb = np.zeros((512, 512, 3), dtype=np.uint8)
        x, y = np.round(place).astype(int)
        rgb[y - 6 : y + 7, x - 6 : x + 7] = 255
        grey = face_thumbnail(rgb, points).astype(float)
        rows, columns = np.indices((SIDE, SIDE))
        centre = [(columns * grey).sum() / grey.sum(), (rows * grey).sum() / grey.sum()]
        np.testing.assert_allclose(centre, anchor, atol=0.75)


def test_grey_is_rec_601_luma_and_black_outside_the_photo(points: Points) -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 160, 20)):
        rgb = np.broadcast_to(np.array(colour, np.uint8), (512, 512, 3)).copy()
        expected = np.asarray(Image.new("RGB", (1, 1), colour).convert("L"))[0, 0]
        assert np.abs(face_thumbnail(rgb, points).astype(int) - expected).max() <= 1
    assert face_thumbnail(np.full((40, 40, 3), 255, np.uint8), points + 1000).max() == 0


@given(st.integers(0, 2**32 - 1))
def test_correlation_is_pearsons(seed: int) -> None:
    first, second = np.random.default_rng(seed).integers(0, 256, (2, SIDE, SIDE), dtype=np.uint8)
    assert correlation(first, second) == pytest.approx(np.corrcoef(first.ravel(), second.ravel())[0, 1], abs=1e-9)
    assert correlation(first, 255 - first) == pytest.approx(-1)


def test_one_grey_correlates_with_nothing() -> None:
    ramp = np.arange(SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8)
    for value in (0, 37, 255):
        assert correlation(ramp, np.full((SIDE, SIDE), value, np.uint8)) == 0.0
