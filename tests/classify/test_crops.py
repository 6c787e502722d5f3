"""Crops show the right part of a face in the right place, size, channel order and grey, straight from the photo."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import AffineTransform, warp

from ganonym.classify.case import Case
from ganonym.classify.cohort import CanvasCrop, Cohort, Crop, Portrait, gather, portrait_at, portraits
from ganonym.classify.crops import (
    REGIONS,
    TEMPLATE,
    ArcFaceCrop,
    RegionCrops,
    arcface_matrix,
    five_points,
    grey,
    region_boxes,
)
from ganonym.classify.encoders import read_foundation
from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.classify.recipe import load_recipe, recipe_names
from ganonym.errors import UsageError
from ganonym.faces.align import apply, compose
from ganonym.faces.aligned import upright
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import RGB, Floats, Points


@pytest.fixture(scope="module")
def face() -> Points:
    return to_canvas(load_shape().mean)


def ramp(axis: int) -> RGB:
    """A canvas whose grey is the row (axis 0) or the column (axis 1)."""
    values = np.arange(256, dtype=np.uint8)[:, None] if axis == 0 else np.arange(256, dtype=np.uint8)[None, :]
    return np.repeat(np.broadcast_to(values, (256, 256))[..., None], 3, axis=2)


def points_at_template(scale: float, angle: float, shift: tuple[float, float]) -> Points:
    """68 landmarks whose five points are the template, scaled, turned and shifted."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    five = TEMPLATE @ turn.T + shift
    points = np.zeros((68, 2))
    ring = 5 * np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1)
    points[36:42], points[42:48] = five[0] + ring, five[1] + ring
    points[30], points[48], points[54] = five[2], five[3], five[4]
    return points


def test_arcface_template_is_that_of_insightface() -> None:
    expected = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    assert TEMPLATE.tolist() == expected


@given(st.floats(0.5, 4), st.floats(-3, 3), st.floats(-50, 50), st.floats(-50, 50))
def test_arcface_matrix_brings_the_five_points_onto_the_template(s: float, a: float, x: float, y: float) -> None:
    points = points_at_template(s, a, (x, y))
    np.testing.assert_allclose(apply(arcface_matrix(points), five_points(points)), TEMPLATE, atol=1e-8)


@pytest.mark.parametrize("side", [112, 56])
def test_arcface_crop_shows_each_feature_where_the_template_says(side: int) -> None:
    points = points_at_template(2.0, 0.0, (10.0, 20.0))
    y, x = np.mgrid[:256, :256]
    for place, wanted in zip(five_points(points), (TEMPLATE + 0.5) * side / 112 - 0.5, strict=True):
        blob = 255 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 8.0**2))
        canvas = np.repeat(blob.round().astype(np.uint8)[..., None], 3, axis=2)
        seen = ArcFaceCrop(side)(canvas, points)[..., 0].astype(float)
        assert seen.shape == (side, side)
        rows, columns = np.mgrid[:side, :side]
        centre = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum()
        np.testing.assert_allclose(centre, wanted, atol=0.1)


def test_arcface_crop_is_rgb_and_black_outside_the_photo(face: Points) -> None:
    red = np.zeros((256, 256, 3), np.uint8)
    red[..., 0] = 200
    inside = ArcFaceCrop()(red, face)
    assert inside[56, 56].tolist() == [200, 0, 0]
    outside = ArcFaceCrop()(red, face - [150.0, 0.0])
    assert outside[56, 0].tolist() == [0, 0, 0]
    assert outside[56, 111].tolist() == [200, 0, 0]


def test_regions_hold_the_features_that_they_are_named_after(face: Points) -> None:
    boxes = dict(zip(REGIONS, region_boxes(face), strict=True))

    def within(region: str, points: Points) -> bool:
        left, top, right, bottom = boxes[region]
        x, y = points.T
        return bool(((x > left) & (x < right) & (y > top) & (y < bottom)).all())

    eyes, nose, mouth, chin = face[36:48], face[27:36], face[48:60], face[6:11]
    assert within("full", face)
    assert within("upper", np.concatenate([eyes, face[17:27]]))
    assert within("middle", np.concatenate([nose, face[[0, 1, 15, 16]]]))
    assert within("lower", np.concatenate([mouth, chin, face[31:36]]))
    assert not within("upper", mouth)
    assert not within("lower", eyes)
    assert not within("middle", chin)
    assert boxes["full"][1] < face[:, 1].min() - 0.15 * np.ptp(face[:, 1])  # some of the forehead


@given(st.floats(0.3, 3), st.floats(-90, 90), st.floats(-90, 90))
def test_region_boxes_follow_the_face(scale: float, x: float, y: float) -> None:
    points = points_at_template(1.0, 0.0, (0.0, 0.0)) + np.arange(68)[:, None] * [0.5, 0.3]
    moved = region_boxes(points * scale + [x, y])
    np.testing.assert_allclose(moved, region_boxes(points) * scale + [x, y, x, y], atol=1e-6)


@given(st.floats(0.7, 1.4))
def test_regions_stretch_all_faces_alike(longer: float) -> None:
    points = points_at_template(2.0, 0.0, (0.0, 0.0)) * [1.0, longer]
    boxes = region_boxes(points)
    ratio = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    np.testing.assert_allclose(ratio, [1, 2, 2, 2], atol=1e-9)
    size = np.sqrt(np.prod(np.ptp(points, axis=0)))
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], 1.3 * size)


@pytest.mark.parametrize(("axis", "side"), [(0, 100), (1, 100), (0, 48), (1, 48)])
def test_region_crops_show_what_is_in_their_boxes(face: Points, axis: int, side: int) -> None:
    crops = RegionCrops(side)(ramp(axis), face)
    assert (crops.shape, crops.dtype) == ((4, side, side), np.uint8)
    for crop, box in zip(crops, region_boxes(face), strict=True):
        start, end = (box[1], box[3]) if axis == 0 else (box[0], box[2])
        expected = start + (np.arange(side) + 0.5) * (end - start) / side
        np.testing.assert_allclose(crop.mean(axis=1 - axis)[2:-2], expected[2:-2], atol=0.6)


def test_region_crops_are_black_outside_the_photo(face: Points) -> None:
    white = np.full((256, 256, 3), 255, np.uint8)
    full = RegionCrops()(white, face - [100.0, 0.0])[0]
    left, _, right, _ = region_boxes(face - [100.0, 0.0])[0]
    edge = round(-(left + 0.5) / (right - left) * 100)
    assert (full[:, : edge - 2] == 0).all()
    assert (full[:, edge + 2 :] == 255).all()


def test_grey_has_the_weights_of_pillow() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    red, green, blue = rgb.astype(np.int64).transpose(2, 0, 1)
    np.testing.assert_array_equal(grey(rgb), (19595 * red + 38470 * green + 7471 * blue + 2**15) >> 16)


@cache
def faced(name: str) -> tuple[RGB, Points]:
    """The astronaut's face as it is; cut off by the photo's left border; turned by 20°; and 600 px wide."""
    import skimage

    photo = skimage.data.astronaut()
    if name == "border":
        photo = np.ascontiguousarray(photo[:, 172:])
    if name == "turned":
        photo = np.asarray(Image.fromarray(photo).rotate(20, Image.Resampling.BICUBIC))
    if name == "large":
        photo = np.asarray(Image.fromarray(photo).resize((2048, 2048), Image.Resampling.LANCZOS))
    return photo, find_faces(photo, *reading_backends())[0].points


PHOTOS = ["small", "border", "turned", "large"]


def areas(rgb: RGB, matrix: Floats, side: int, fine: int = 8) -> Floats:
    """scikit-image's answer: the mean of 8 × 8 samples, by cubic splines, of what each pixel covers; black outside."""
    finer = np.array([[fine, 0, (fine - 1) / 2], [0, fine, (fine - 1) / 2], [0, 0, 1]]) @ np.vstack([matrix, [0, 0, 1]])
    to_photo, size = AffineTransform(finer).inverse, (side * fine, side * fine)
    sampled = warp(rgb.astype(float), to_photo, output_shape=size, order=3, preserve_range=True)
    return sampled.reshape(side, fine, side, fine, 3).mean(axis=(1, 3)).clip(0, 255)


def assert_near(crop: NDArray[np.uint8], wanted: Floats, large: bool) -> None:
    """Cubic splines and Pillow's cubic differ between few pixels, hardly where many are averaged."""
    off = np.abs(crop - wanted)
    assert off.mean() < (0.6 if large else 1.5)
    assert np.percentile(off, 99) < (3 if large else 12)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("side", [112, 96])
def test_arcface_crop_is_scikit_images_similarity_of_the_photo(name: str, side: int) -> None:
    photo, points = faced(name)
    assert_near(ArcFaceCrop(side)(photo, points), areas(photo, arcface_matrix(points, side), side), name == "large")


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("side", [100, 48])
def test_region_crops_are_scikit_images_stretched_boxes_of_the_photo(name: str, side: int) -> None:
    photo, points = faced(name)
    to_canvas = upright(points, 256)
    boxes = region_boxes(apply(to_canvas, points))
    for crop, (left, top, right, bottom) in zip(RegionCrops(side)(photo, points), boxes, strict=True):
        x, y = side / (right - left), side / (bottom - top)
        to_crop = compose(to_canvas, np.array([[x, 0, -left * x - 0.5], [0, y, -top * y - 0.5]]))
        assert_near(crop, areas(photo, to_crop, side) @ [0.299, 0.587, 0.114], name == "large")


def test_a_portrait_has_the_crops_that_were_named(tmp_path: Path) -> None:
    photo, points = faced("small")
    Image.fromarray(photo).save(tmp_path / "a.png")
    wanted: list[Crop] = [ArcFaceCrop(96), RegionCrops(48), CanvasCrop()]
    (result,) = portraits([tmp_path / "a.png"], wanted)
    assert isinstance(result, Portrait)
    for crop in wanted:
        assert np.array_equal(result.crop(crop), crop(photo, points))
    assert result.canvas.shape == (256, 256, 3)
    np.testing.assert_allclose(result.points, apply(upright(points, 256), points))
    with pytest.raises(KeyError, match=r"ArcFaceCrop\(side=112\) was not cut"):
        result.crop(ArcFaceCrop(112))
    assert portrait_at(photo, points).crops == {}


def test_the_manifest_says_whose_face_it_is(tmp_path: Path) -> None:
    """One person and her mirror image side by side: the column `face` tells which is looked at."""
    photo, _ = faced("small")
    alone = {"left": photo, "right": np.ascontiguousarray(photo[:, ::-1])}
    Image.fromarray(np.concatenate([*alone.values()], axis=1)).save(tmp_path / "two.png")
    for side, picture in alone.items():
        Image.fromarray(picture).save(tmp_path / f"{side}.png")
        (tmp_path / "people.csv").write_text(f"image,subject,syndrome,face\ntwo.png,p,x,{side}\n")
        cohort = gather(read_cases(tmp_path / "people.csv", tmp_path), crops=[CanvasCrop()])
        (expected,) = portraits([tmp_path / f"{side}.png"], [CanvasCrop()])
        assert isinstance(expected, Portrait)
        off = np.abs(cohort.portraits[0].canvas.astype(int) - expected.canvas)
        mirrored = np.abs(cohort.portraits[0].canvas[:, ::-1].astype(int) - expected.canvas)
        assert off.mean() < 5 < mirrored.mean()
    (tmp_path / "people.csv").write_text("image,subject,syndrome,face\ntwo.png,p,x,0 0 5 5\n")
    with pytest.raises(UsageError, match="no face has its middle in the box"):
        gather(read_cases(tmp_path / "people.csv", tmp_path))


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_names_all_crops_that_it_looks_at(name: str) -> None:
    photo, points = faced("small")
    recipe = load_recipe(name)
    system = recipe.small.system(read_foundation(bundled=recipe.small.bundled_start))
    face = portrait_at(photo, points, system.look.crops)
    cohort = Cohort((Case("a", Path("a"), "a", "x"),), (face,), ("x",), np.zeros(1, np.intp), ())
    assert len(system.look(cohort).inputs) == 1
