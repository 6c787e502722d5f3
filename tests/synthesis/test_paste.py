"""Filling, erasing and pasting: what a region holds depends on nothing that the source showed there."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganonym.faces.appearance import load_appearance
from ganonym.faces.shape import to_canvas
from ganonym.phantom.cohort import phantom_cohort
from ganonym.phantom.photos import turned
from ganonym.synthesis.paste import Patch, coarse_colour, compose_photo, make_patch
from ganonym.synthesis.region import Region, box_region, face_outline, face_region, face_width, fill
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.types import Box, Points, PrivateFace

Pixels = NDArray[np.uint8]
MODEL = load_appearance()


def source_points(scale: float = 1.5, angle: float = 8.0, yaw: float = 12.0) -> Points:
    """Landmarks of somebody in a photo of 480 px: the mean head, turned, rolled, wider than the mean."""
    points = turned(to_canvas(MODEL.shape.mean), yaw, 3.0) * [1.08, 1.0]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.asarray((points - points.mean(axis=0)) * scale @ np.array([[cos, sin], [-sin, cos]]) + [245.0, 255.0])


@cache
def photo() -> Pixels:
    return next(phantom_cohort(1, 1, seed=3)).rgb


@cache
def patch() -> Patch:
    synthesizer = load_synthesizer()
    face = PrivateFace(to_canvas(MODEL.shape.mean), 2, None, None, seed=4)
    return make_patch(photo(), source_points(), face, synthesizer.layers(face), MODEL)


def mask_of(*regions: Region) -> NDArray[np.bool_]:
    mask = np.zeros((480, 480), np.bool_)
    for region in regions:
        region.paint(mask)
    return mask


def noise(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (480, 480, 3), dtype=np.uint8)


@given(st.integers(0, 1000))
def test_fill_keeps_to_the_range_of_what_is_known_and_knows_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(3, 40, 2)
    mask = rng.random(shape) < 0.6
    mask[0, 0] = True
    image = rng.uniform(20, 200, (*shape, 3)).astype(np.float32)
    filled = fill(image, mask)
    np.testing.assert_array_equal(filled[mask], image[mask])
    assert filled.min() >= image[mask].min() - 1e-3
    assert filled.max() <= image[mask].max() + 1e-3
    other = np.where(mask[..., None], image, np.float32(np.nan))
    np.testing.assert_array_equal(fill(other, mask), filled)


def test_fill_continues_a_ramp_as_laplace_does() -> None:
    ramp = np.repeat(np.linspace(0, 200, 81, dtype=np.float32)[None, :, None], 81, axis=0).repeat(3, axis=2)
    mask = np.ones((81, 81), np.bool_)
    mask[20:61, 20:61] = False
    assert np.abs(fill(ramp, mask) - ramp).max() < 8


def test_fill_without_anything_known_is_grey() -> None:
    assert np.all(fill(np.full((5, 4, 3), 9, np.float32), np.zeros((5, 4), np.bool_)) == 127.5)


def test_the_region_holds_the_outline_and_its_margin_and_no_more() -> None:
    points = source_points()
    mask = mask_of(face_region(points, MODEL, (480, 480), 0.09))
    outline, width = face_outline(points, MODEL), face_width(points, MODEL)
    middle = outline.mean(axis=0)
    away = (outline - middle) / np.linalg.norm(outline - middle, axis=1, keepdims=True)
    for reach, expected in ((0.0, True), (0.05, True), (0.2, False)):
        x, y = np.rint(outline + reach * width * away).astype(int).T
        assert np.all(mask[y, x] == expected)
    assert np.all(mask[tuple(np.rint(points).astype(int).T[::-1])])


@pytest.mark.parametrize("shift", [(-300.0, 0.0), (300.0, 0.0), (0.0, -330.0), (0.0, 900.0)])
def test_regions_end_at_the_photo(shift: tuple[float, float]) -> None:
    points = source_points() + shift
    whole = face_region(points + 1000, MODEL, (2480, 2480))
    large = np.zeros((2480, 2480), np.bool_)
    whole.paint(large)
    assert np.array_equal(mask_of(face_region(points, MODEL, (480, 480))), large[1000:1480, 1000:1480])
    x, y = points.min(axis=0).tolist()
    box_region(Box(x, y, x + 200, y + 200), (480, 480)).paint(np.zeros((480, 480), np.bool_))


@pytest.mark.parametrize("background", ["keep", "blur", "grey"])
def test_photos_that_differ_inside_the_region_only_give_the_same_bytes(background: str) -> None:
    inside = mask_of(patch().region)
    other = np.where(inside[..., None], noise(1), photo())
    assert not np.array_equal(other, photo())
    first, second = (compose_photo(value, [patch()], [], background) for value in (photo(), other))  # type: ignore[arg-type]
    assert np.array_equal(first, second)


def test_neighbours_do_not_serve_to_fill_each_other() -> None:
    """The cover overlaps the rim of the face: what it hides must not seep into the face's surroundings."""
    cover = box_region(Box(330, 150, 420, 250), (480, 480))
    hidden = mask_of(cover)
    other = np.where(hidden[..., None], noise(2), photo())
    assert (hidden & mask_of(patch().region)).any()
    assert np.array_equal(compose_photo(photo(), [patch()], [cover]), compose_photo(other, [patch()], [cover]))


def test_keep_leaves_the_outside_as_it_is_and_grey_leaves_nothing() -> None:
    outside = ~mask_of(patch().region)
    assert np.array_equal(compose_photo(photo(), [patch()], [])[outside], photo()[outside])
    grey = compose_photo(photo(), [patch()], [], "grey")
    assert np.array_equal(grey, compose_photo(noise(3), [patch()], [], "grey"))
    assert len(np.unique(grey[outside])) == 1
    blur = compose_photo(photo(), [patch()], [], "blur").astype(float)
    assert np.abs(np.diff(blur, axis=0))[outside[1:] & outside[:-1]].max() < 4


def test_the_seam_has_no_step() -> None:
    """On a flat photo, no two neighbours across the rim of the region differ by more than a shade."""
    flat = np.full((480, 480, 3), (120, 90, 70), np.uint8)
    result = compose_photo(flat, [patch()], []).astype(int)
    inside = mask_of(patch().region)
    for axis in (0, 1):
        rim = np.diff(inside.astype(int), axis=axis) != 0
        assert np.abs(np.diff(result, axis=axis))[rim].max() <= 4


def test_the_face_is_there_with_the_colour_of_the_source() -> None:
    result = compose_photo(photo(), [patch()], [])
    x, y = np.rint(patch().points[[1, 15, 30]].mean(axis=0)).astype(int)
    assert not np.array_equal(result, compose_photo(photo(), [], [patch().region]))
    assert np.abs(result[y, x].astype(float) - photo()[y, x]).max() < 45


def test_light_knows_a_few_coarse_numbers_only() -> None:
    rng = np.random.default_rng(0)
    colours = np.clip(rng.uniform(30, 240, (4000, 1)) * np.exp(rng.normal(0, 0.3, (4000, 3))), 0, 255)
    seen = {tuple(coarse_colour(colour).round(6)) for colour in colours}
    assert len(seen) <= 14 * 12 * 12
    assert (
        coarse_colour(np.array([201.0, 151.0, 131.0])).tolist()
        == coarse_colour(np.array([204.0, 153.0, 132.0])).tolist()
    )


def test_sources_of_the_same_coarse_colour_give_the_same_photo() -> None:
    """The whole way from the source's pixels: faces that differ by less than a step leave no trace of it."""
    face = PrivateFace(to_canvas(MODEL.shape.mean), 2, None, None, seed=4)
    inside = mask_of(patch().region)
    results = []
    for colour in ((201, 151, 131), (204, 153, 132)):
        flat = np.where(inside[..., None], np.array(colour, np.uint8), photo())
        made = make_patch(flat, source_points(), face, patch().layers, MODEL)
        results.append(compose_photo(flat, [made], []))
    assert np.array_equal(*results)


def test_light_follows_the_exposure_of_the_photo() -> None:
    face = PrivateFace(to_canvas(MODEL.shape.mean), 2, None, None, seed=4)
    dark = (photo() * 0.5).astype(np.uint8)
    points = source_points()
    (bright, dim) = (make_patch(value, points, face, patch().layers, MODEL) for value in (photo(), dark))
    first, second = (compose_photo(photo(), [value], []).astype(float) for value in (bright, dim))
    region = mask_of(face_region(points, MODEL, (480, 480), 0.0))
    assert first[region].mean() > 1.4 * second[region].mean()
