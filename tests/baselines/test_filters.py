"""Pixel filters: what they do inside, that they leave everything else alone, and when they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ganonym.baselines.filters import (
    BLOCKS,
    EYES,
    Filter,
    blackout,
    blur,
    bounds,
    eyebar,
    face_area,
    filter_face,
    filter_photo,
    pixelate,
)
from ganonym.errors import PhotoError
from ganonym.faces.align import apply
from ganonym.faces.appearance import AppearanceModel
from ganonym.phantom.cohort import PhantomPhoto
from ganonym.synthesis.region import face_outline, face_width
from ganonym.types import Box, Face, Points

FILTERS: tuple[Filter, ...] = get_args(Filter)


def turned(points: Points, degrees: float) -> Points:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]])
    centre = points.mean(axis=0)
    return apply(np.column_stack([linear, centre - linear @ centre]), points)


def moved(face: Face, shift: tuple[float, float]) -> Face:
    box = face.box
    shifted = Box(box.left + shift[0], box.top + shift[1], box.right + shift[0], box.bottom + shift[1], box.score)
    return replace(face, box=shifted, points=face.points + shift)


def test_the_area_holds_all_landmarks_and_little_else(
    people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel
) -> None:
    for photo, face in zip(people, faces, strict=True):
        area = face_area(face, model, (480, 480))
        x, y = np.rint(face.points).astype(int).T
        assert area[y, x].all()
        assert 1.0 < area.sum() / face.box.area < 2.2
        assert photo.rgb.shape[:2] == area.shape


@pytest.mark.parametrize("sigma", [0.7, 4.0, 23.0])
@pytest.mark.parametrize("shift", [(0, 0), (-150, 0), (40, -170)])
def test_blur_is_the_gaussian_inside_and_nothing_outside(
    people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel, sigma: float, shift: tuple[int, int]
) -> None:
    """Also for a face that the photo cuts off: the shift stands for it, whatever the pixels show."""
    rgb = people[0].rgb
    area = face_area(moved(faces[0], shift), model, (480, 480))
    blurred = blur(rgb, area, sigma)
    exact = np.stack([gaussian_filter(rgb[..., number].astype(float), sigma) for number in range(3)], axis=-1)
    assert np.abs(blurred[area] - exact[area]).max() <= 0.5 + 1e-6  # nothing but rounding
    np.testing.assert_array_equal(blurred[~area], rgb[~area])


def test_blur_scales_with_the_face_and_the_strength(
    people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel
) -> None:
    rgb, face = people[1].rgb, faces[1]
    area, width = face_area(face, model, (480, 480)), face_width(face.points, model)
    for strength in (0.5, 1.0, 2.0):
        np.testing.assert_array_equal(
            filter_face(rgb, face, "blur", model, strength), blur(rgb, area, 0.1 * width * strength)
        )
    details = [np.std(filter_face(rgb, face, "blur", model, number)[area]) for number in (0.5, 1.0, 2.0)]
    assert details[0] > details[1] > details[2]


def test_pixelated_squares_hold_the_mean(people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel) -> None:
    rgb, block = people[0].rgb, 13
    area = face_area(moved(faces[0], (170, 120)), model, (480, 480))  # cut off right and below
    mosaic = pixelate(rgb, area, block)
    top, left, _, _ = bounds(area)
    treated = np.zeros(area.shape, bool)
    for y in range(top, 480, block):
        for x in range(left, 480, block):
            square = np.s_[y : y + block, x : x + block]
            if area[square].any():
                treated[square] = True
                np.testing.assert_array_equal(mosaic[square] - np.round(rgb[square].mean(axis=(0, 1))), 0)
    assert treated[area].all()
    np.testing.assert_array_equal(mosaic[~treated], rgb[~treated])


@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_sixteen_squares_across_a_face(
    people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel, strength: float
) -> None:
    face = faces[0]
    noise = np.random.default_rng(0).integers(0, 256, people[0].rgb.shape, dtype=np.uint8)
    row = filter_face(noise, face, "pixelate", model, strength)[round(face.points[30, 1])].astype(int)
    left, right = face.points[[0, 16], 0].tolist()
    steps = np.any(np.diff(row[round(left) : round(right)], axis=0), axis=1).sum()
    across = BLOCKS * (right - left) / face_width(face.points, model)  # a turned face is narrower than it is wide
    assert abs(steps * strength - across) <= 2


def test_blackout_fills_the_outline_only(people: list[PhantomPhoto], model: AppearanceModel) -> None:
    for photo in people:
        white = np.full_like(photo.rgb, 255)
        black = ~blackout(white, photo.points, model).any(axis=-1)
        x, y = np.rint(photo.points).astype(int).T
        assert black[y, x].all()
        corners = face_outline(photo.points, model)
        following = np.roll(corners, -1, axis=0)
        polygon = abs(np.sum(corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1])) / 2
        assert black.sum() == pytest.approx(polygon, rel=0.02)
        np.testing.assert_array_equal(blackout(photo.rgb, photo.points, model)[~black], photo.rgb[~black])


@pytest.mark.parametrize("roll", [-90, -40, -7, 0, 25, 60, 180])
def test_the_bar_covers_both_eyes_however_the_head_is_rolled(people: list[PhantomPhoto], roll: float) -> None:
    for photo in people:
        points = turned(photo.points, roll)
        white = np.full_like(photo.rgb, 255)
        bar = ~eyebar(white, points).any(axis=-1)
        for x, y in points[EYES]:
            assert bar[int(np.floor(y)) : int(np.ceil(y)) + 1, int(np.floor(x)) : int(np.ceil(x)) + 1].all()
        for x, y in np.rint(points[[8, 30, 48, 54, 57]]).astype(int):  # chin, nose, mouth
            assert not bar[y, x]
        upright = ~eyebar(white, turned(points, -roll)).any(axis=-1)
        assert bar.sum() == pytest.approx(upright.sum(), rel=0.02)
        np.testing.assert_array_equal(eyebar(photo.rgb, points)[~bar], photo.rgb[~bar])


@pytest.mark.parametrize("method", FILTERS)
def test_every_face_of_a_photo_is_treated_and_the_order_is_nothing(
    people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel, method: Filter
) -> None:
    rgb = np.concatenate([people[0].rgb, people[1].rgb], axis=1)
    both = [faces[0], moved(faces[1], (480, 0))]
    filtered = filter_photo(rgb, both, method, model)
    np.testing.assert_array_equal(filtered, filter_photo(rgb, both[::-1], method, model))
    changed = np.any(filtered != rgb, axis=-1)
    for face in both:
        x, y = np.rint(face.points[EYES]).astype(int).T
        assert changed[y, x].mean() > 0.8
    assert not changed[:20].any()
    assert not changed[-20:].any()


@pytest.mark.parametrize("method", FILTERS)
def test_no_face_leaves_as_it_was(
    people: list[PhantomPhoto], faces: list[Face], model: AppearanceModel, method: Filter
) -> None:
    rgb = people[0].rgb
    outside = moved(faces[0], (2000, 2000))
    nowhere = replace(faces[0], points=np.full((68, 2), 7.0))
    unknown = replace(faces[0], points=np.full((68, 2), np.nan))
    for photo, entry, reason in [
        (rgb, [], "no-face"),
        (np.zeros_like(rgb), [faces[0]], "unaltered"),
        (rgb, [faces[0], outside], "unaltered"),
        (rgb, [faces[0], nowhere], "landmarks"),
        (rgb, [unknown], "landmarks"),
    ]:
        with pytest.raises(PhotoError) as refused:
            filter_photo(photo, entry, method, model)
        assert refused.value.reason == reason


def test_filters_refuse_what_does_nothing(people: list[PhantomPhoto]) -> None:
    area = np.ones((480, 480), bool)
    with pytest.raises(ValueError, match="sigma"):
        blur(people[0].rgb, area, 0.0)
    with pytest.raises(ValueError, match="block"):
        pixelate(people[0].rgb, area, 0)
