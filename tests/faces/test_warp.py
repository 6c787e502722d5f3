"""Piecewise-affine warps against SciPy's own interpolators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import map_coordinates
from scipy.spatial import Delaunay

from ganonym.faces.warp import backward_map, rasterize, sample
from ganonym.types import Floats

SIZE = 48


def mesh(seed: int, count: int = 30) -> tuple[Floats, Delaunay]:
    points = np.random.default_rng(seed).uniform(2.0, SIZE - 3.0, (count, 2))
    return points, Delaunay(points)


def positions() -> Floats:
    x, y = np.meshgrid(np.arange(SIZE, dtype=float), np.arange(SIZE, dtype=float))
    return np.stack([x, y], axis=-1)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.lists(st.floats(-100, 100), min_size=2, max_size=2),
)
@settings(max_examples=25, deadline=None)
def test_an_affine_map_is_reproduced_in_every_pixel(seed: int, linear: list[float], shift: list[float]) -> None:
    matrix = np.reshape(linear, (2, 2))
    points, triangulation = mesh(seed)
    grid = backward_map(rasterize(points, triangulation.simplices, SIZE), points @ matrix.T + shift)
    covered = ~np.isnan(grid[..., 0])
    assert covered.sum() > 100
    np.testing.assert_allclose(grid[covered], (positions() @ matrix.T + shift)[covered], atol=2e-4)


@pytest.mark.parametrize("seed", range(8))
def test_a_bent_mesh_is_interpolated_as_scipy_does(seed: int) -> None:
    points, triangulation = mesh(seed)
    source = points + np.random.default_rng(seed + 100).normal(0.0, 5.0, points.shape)
    grid = backward_map(rasterize(points, triangulation.simplices, SIZE), source)
    expected = LinearNDInterpolator(triangulation, source)(positions())
    inside = ~np.isnan(expected[..., 0])
    np.testing.assert_array_equal(np.isnan(grid[..., 0]), ~inside)
    np.testing.assert_allclose(grid[inside], expected[inside], atol=1e-4)


def test_neither_winding_nor_triangles_without_area_matter() -> None:
    points, triangulation = mesh(1)
    source = points * 1.5 - 3
    plain = backward_map(rasterize(points, triangulation.simplices, SIZE), source)
    turned = triangulation.simplices[:, ::-1]
    line = np.array([[0, 0, 1], [2, 2, 2], [3, 4, 3]])
    again = backward_map(rasterize(points, np.concatenate([turned, line]), SIZE), source)
    np.testing.assert_allclose(again, plain, atol=1e-4)


def test_a_mesh_larger_than_the_frame_covers_it_and_one_outside_covers_nothing() -> None:
    corners = np.array([[-500.0, -500.0], [900.0, -500.0], [-500.0, 900.0]])
    triangle = np.array([[0, 1, 2]])
    grid = backward_map(rasterize(corners, triangle, SIZE), corners)
    np.testing.assert_allclose(grid, positions(), atol=1e-3)
    assert len(rasterize(corners + 2000, triangle, SIZE).pixels) == 0
    assert len(rasterize(corners - 2000, triangle, SIZE).pixels) == 0


@pytest.mark.parametrize("seed", range(4))
def test_samples_are_bilinear_and_take_the_border_outside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.random((3, 19, 27), dtype=np.float32)
    grid = rng.uniform(-6.0, 33.0, (11, 13, 2)).astype(np.float32)
    expected = np.stack(
        [map_coordinates(entry, [grid[..., 1], grid[..., 0]], order=1, mode="nearest") for entry in image]
    )
    np.testing.assert_allclose(sample(torch.from_numpy(image), grid).numpy(), expected, atol=1e-5)


def test_uncovered_pixels_are_black_and_covered_ones_are_not() -> None:
    grid = np.full((4, 4, 2), np.nan, dtype=np.float32)
    grid[1, 2] = [3.0, 0.0]
    result = sample(torch.ones(2, 5, 5), grid)
    expected = torch.zeros(2, 4, 4)
    expected[:, 1, 2] = 1
    assert torch.equal(result, expected)


@pytest.mark.parametrize("seed", range(4))
def test_every_pixel_is_that_of_a_loop_over_triangles(seed: int) -> None:
    points, triangulation = mesh(seed)
    points = points + np.random.default_rng(seed).normal(0.0, 4.0, points.shape)  # folded: triangles overlap
    whole = points.round()  # corners on pixels, so edges are shared
    for corners in (points, whole):
        owner = np.full((SIZE, SIZE), -1)
        weights = np.zeros((SIZE, SIZE, 3), dtype=np.float32)
        for number, (a, b, c) in enumerate(corners[triangulation.simplices]):
            area = (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]
            if abs(area) <= 1e-9:
                continue
            dx, dy = np.moveaxis(positions() - a, -1, 0)
            second = (dx * (c - a)[1] - dy * (c - a)[0]) / area
            third = (dy * (b - a)[0] - dx * (b - a)[1]) / area
            inside = (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
            owner[inside] = number
            weights[inside] = np.stack([1 - second - third, second, third], axis=-1)[inside]
        result = rasterize(corners, triangulation.simplices, SIZE)
        np.testing.assert_array_equal(result.pixels, np.flatnonzero(owner >= 0))
        np.testing.assert_array_equal(result.vertices, triangulation.simplices[owner[owner >= 0]])
        assert result.weights.tobytes() == weights[owner >= 0].tobytes()
