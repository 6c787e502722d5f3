"""Conditioning maps against polygons that Pillow draws from the target landmarks themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt

from ganonym.faces.appearance import AppearanceModel, boundary_of, load_appearance, sample_identity, warp_points
from ganonym.faces.condition import CHANNELS, condition
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.photos import sample_expression
from ganonym.types import CANVAS, Points

# The iBUG-68 scheme, written down once more; the order is that of the channels after the surrogate and the mask.
PARTS = ("mask", "brows", "nose", "eyes", "upper lip", "lower lip", "mouth")
LINES = {"brows": (range(17, 22), range(22, 27)), "nose": (range(27, 31), range(31, 36))}
AREAS = {
    "eyes": (range(36, 42), range(42, 48)),
    "upper lip": ((*range(48, 55), 64, 63, 62, 61, 60),),
    "lower lip": ((*range(54, 60), 48, 60, 67, 66, 65, 64),),
    "mouth": (range(60, 68),),
}
People = list[tuple[Points, torch.Tensor]]


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def people(model: AppearanceModel) -> People:
    """Twelve sampled faces, as warp points, with their maps; each texture is bright noise, black nowhere."""
    rng, sampled = np.random.default_rng(0), []
    for _ in range(12):
        expression = model.shape.expression_sd * sample_expression(model, rng)[1]
        points = to_canvas(join(sample_identity(model.shape, rng), expression, model.shape))
        texture = rng.uniform(0.6, 1.0, model.texture_mean.shape).astype(np.float32)
        sampled.append((warp_points(points, model.shape.mean, model.forehead), condition(points, texture, model)))
    return sampled


def drawn(shapes: list[Points], line: bool = False) -> NDArray[np.float64]:
    large = Image.new("L", (CANVAS * 4, CANVAS * 4))
    draw = ImageDraw.Draw(large)
    for shape in shapes:
        corners = [(float(x), float(y)) for x, y in (shape + 0.5) * 4 - 0.5]
        if line:
            draw.line(corners, fill=255, width=12, joint="curve")
        else:
            draw.polygon(corners, fill=255)
    return np.asarray(large.reduce(4)) / 255.0


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


def test_there_are_ten_channels_in_their_ranges(people: People) -> None:
    for _, maps in people:
        assert maps.shape == (CHANNELS, CANVAS, CANVAS) == (10, 256, 256)
        assert maps.dtype == torch.float32
        assert maps[:3].min() >= -1
        assert maps[:3].max() <= 1
        assert maps[3:].min() >= 0
        assert maps[3:].max() <= 1
        assert maps[3].max() == 1


@pytest.mark.parametrize(("part", "median", "least"), [
    ("mask", 0.9, 0.88), ("brows", 0.85, 0.75), ("nose", 0.83, 0.72), ("eyes", 0.94, 0.88),
    ("upper lip", 0.92, 0.85), ("lower lip", 0.93, 0.8), ("mouth", 0.9, 0.6),
])  # fmt: skip
def test_parts_lie_where_the_landmarks_are(
    model: AppearanceModel, people: People, part: str, median: float, least: float
) -> None:
    results = []
    for points, maps in people:
        if part == "mask":
            expected = drawn([boundary_of(points, len(model.forehead))])
        else:
            expected = drawn([points[list(entry)] for entry in {**LINES, **AREAS}[part]], line=part in LINES)
        if (expected > 0.5).sum() > 30:  # a closed mouth has no inside
            results.append(overlap(maps[3 + PARTS.index(part)].numpy() > 0.5, expected > 0.5))
    assert len(results) >= 5
    assert np.median(results) >= median
    assert min(results) >= least


def test_nothing_lies_outside_the_face(model: AppearanceModel, people: People) -> None:
    for points, maps in people:
        away = distance_transform_edt(drawn([boundary_of(points, len(model.forehead))]) == 0)
        assert not maps[4:].numpy()[:, away > 1.5].any()  # the end of a long brow touches a small face's outline
        assert maps[3].numpy()[away > 0].max() < 0.4  # the feather
        assert not maps[3].numpy()[away > 4].any()
        ring = distance_transform_edt(drawn([points[68 + len(model.forehead) :]]) == 0)
        assert not maps[:3].numpy()[:, ring > 1].any()


def test_the_surrogate_covers_the_whole_mask(people: People) -> None:
    for _, maps in people:
        assert maps[:3].numpy()[:, maps[3].numpy() > 0].min() > 0.1  # noise of 0.6 … 1 lies above 0.2


def test_maps_depend_on_their_arguments_alone(model: AppearanceModel) -> None:
    points = to_canvas(model.shape.mean)
    texture = model.texture_mean.copy()
    first = condition(points, texture, model)
    first_copy = first.clone()
    other = condition(points + 3.0, 1 - texture, model)
    first.zero_()
    again = condition(points, texture, model)
    assert torch.equal(again, first_copy)
    assert not torch.equal(other, again)
    np.testing.assert_array_equal(points, to_canvas(model.shape.mean))
    np.testing.assert_array_equal(texture, model.texture_mean)


def test_the_surrogate_moves_with_the_points(model: AppearanceModel) -> None:
    points = to_canvas(model.shape.mean)
    still = condition(points, model.texture_mean, model)
    moved = condition(points + np.array([4.0, 6.0]), model.texture_mean, model)
    torch.testing.assert_close(moved[:, 20:240, 20:240], still[:, 14:234, 16:236], atol=2e-3, rtol=0)
