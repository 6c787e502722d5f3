"""A map lies on the photograph where it lay on the crop, and the rest of the photograph is as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import AffineTransform, warp

from ganonym.classify.explain.gradcam import drawn_on_photo, overlay
from ganonym.faces.align import apply, invert
from ganonym.types import RGB, Floats

PHOTO: RGB = np.random.default_rng(0).integers(0, 256, (420, 350, 3)).astype(np.uint8)


def to_crop(scale: float, degrees: float, middle: tuple[float, float], side: int) -> Floats:
    """Brings `middle` of the photo to the middle of the crop."""
    turn = scale * np.array(
        [
            [np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))],
            [np.sin(np.radians(degrees)), np.cos(np.radians(degrees))],
        ]
    )
    return np.column_stack([turn, (side - 1) / 2 - turn @ middle])


@given(
    st.floats(0.2, 2.0),
    st.floats(-180, 180),
    st.tuples(st.floats(0, 349), st.floats(0, 419)),
    st.sampled_from([48, 112]),
)
@settings(max_examples=30)
def test_the_map_lies_as_scikit_image_lays_it(
    scale: float, degrees: float, middle: tuple[float, float], side: int
) -> None:
    heat = np.random.default_rng(side).random((side, side))
    matrix = to_crop(scale, degrees, middle, side)
    found = drawn_on_photo(PHOTO, heat, matrix)
    laid = warp(heat, AffineTransform(np.vstack([matrix, [0, 0, 1]])), output_shape=PHOTO.shape[:2], order=1)
    y, x = np.mgrid[: PHOTO.shape[0], : PHOTO.shape[1]]
    on_crop = apply(matrix, np.stack([x, y], axis=-1).reshape(-1, 2).astype(float)).reshape(*PHOTO.shape[:2], 2)
    inside = ((on_crop > 0.01) & (on_crop < side - 1.01)).all(axis=-1)
    outside = ((on_crop < -0.51) | (on_crop > side - 0.49)).any(axis=-1)
    assert np.array_equal(found[outside], PHOTO[outside])
    wanted = overlay(PHOTO, laid)
    # A colour of 256 may be the next one where the map is between two.
    assert np.abs(found.astype(int) - wanted)[inside].max(initial=0) <= 6


def test_it_shows_a_spot_at_the_place_it_was_seen() -> None:
    place = (310, 95)
    dark = np.zeros((420, 350, 3), np.uint8)
    matrix = to_crop(0.3, 70.0, (300.0, 100.0), 48)
    x, y = apply(matrix, np.array([place], float))[0]
    rows, columns = np.mgrid[:48, :48]
    heat = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    seen = drawn_on_photo(dark, heat, matrix).astype(float).sum(axis=2)
    rows, columns = np.mgrid[:420, :350]
    assert (seen * columns).sum() / seen.sum() == pytest.approx(place[0], abs=1.0)
    assert (seen * rows).sum() / seen.sum() == pytest.approx(place[1], abs=1.0)


def test_a_map_of_nothing_and_a_face_beside_the_photo_leave_it_as_it_is() -> None:
    before = PHOTO.copy()
    assert np.array_equal(drawn_on_photo(PHOTO, np.zeros((48, 48)), to_crop(0.3, 10, (100, 100), 48)), PHOTO)
    for middle in ((-900.0, 100.0), (900.0, 100.0), (100.0, -900.0), (100.0, 900.0)):
        assert np.array_equal(drawn_on_photo(PHOTO, np.ones((48, 48)), to_crop(0.3, 10, middle, 48)), PHOTO)
    all_over = drawn_on_photo(PHOTO, np.ones((48, 48)), to_crop(0.01, 0, (175, 210), 48))
    assert np.array_equal(all_over, overlay(PHOTO, np.ones(PHOTO.shape[:2])))
    assert np.array_equal(PHOTO, before), "the photo itself is not drawn on"


def test_the_border_is_that_of_the_crop() -> None:
    matrix = to_crop(0.5, 30.0, (170.0, 200.0), 48)
    changed = (drawn_on_photo(np.full_like(PHOTO, 90), np.ones((48, 48)), matrix) != 90).any(axis=2)
    assert changed.sum() == pytest.approx((48 / 0.5) ** 2, rel=0.03)
    corners = apply(invert(matrix), np.array([[0.0, 0], [47, 0], [47, 47], [0, 47]])).round().astype(int)
    assert changed[corners[:, 1], corners[:, 0]].all()
