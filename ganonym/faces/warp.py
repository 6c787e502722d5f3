"""Piecewise-affine warps over one fixed triangulation of the face (Cootes et al. 1998, active appearance models)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ganonym.types import Floats

Triangles = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Which triangle covers each pixel, and where in it: computed once per frame, reused for any source points.

    `vertices` (p, 3) point indices and `weights` (p, 3) barycentric weights of the p covered pixels; `pixels` (p,)
    their flat indices in a `size` × `size` frame.
    """

    pixels: NDArray[np.int64]
    vertices: NDArray[np.int64]
    weights: NDArray[np.float32]
    size: int


def rasterize(points: Floats, triangles: Triangles, size: int) -> Raster:
    """Cover a `size` × `size` frame by the triangles of `points` (n, 2), in that frame's pixels.

    Pixels on a shared edge go to the later triangle; a triangle without area covers nothing.
    """
    corners = points[triangles]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    each, x, y = _candidates(corners, np.abs(area) > 1e-9, size)
    dx, dy = x - corners[each, 0, 0], y - corners[each, 0, 1]
    second = (dx * edge2[each, 1] - dy * edge2[each, 0]) / area[each]
    third = (dy * edge1[each, 0] - dx * edge1[each, 1]) / area[each]
    inside = np.flatnonzero((second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9))
    # Of a pixel named twice NumPy keeps the last value, which is the later triangle's.
    owner = np.full(size * size, -1, dtype=np.int64)
    owner[y[inside] * size + x[inside]] = inside
    pixels = np.flatnonzero(owner >= 0)
    winner = owner[pixels]
    weights = np.stack([1 - second[winner] - third[winner], second[winner], third[winner]], axis=-1)
    return Raster(pixels, triangles[each[winner]], weights.astype(np.float32), size)


def _candidates(
    corners: Floats, solid: NDArray[np.bool_], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Triangle, column and row of every pixel in reach of each `solid` one of `corners` (t, 3, 2), in their order.

    All in three lists, row by row: a loop over triangles costs more than the arithmetic, and most of a bounding box
    lies outside its triangle.
    """
    first = np.clip(np.floor(corners[..., 1].min(axis=1)), 0, size).astype(np.int64)
    last = np.clip(np.ceil(corners[..., 1].max(axis=1)) + 1, 0, size).astype(np.int64)
    triangle, row = _ranges(first, np.where(solid, last, first))
    start, end = corners[triangle], np.roll(corners, -1, axis=1)[triangle]
    # Where the line through each row meets the edges, which is where the triangle begins and ends in it. Half a pixel
    # of tolerance up and down takes in the corners, whose row is cut by no edge.
    reach = np.abs(row[:, None] - (start[..., 1] + end[..., 1]) / 2) <= np.abs(end[..., 1] - start[..., 1]) / 2 + 0.5
    height = end[..., 1] - start[..., 1]
    flat = np.abs(height) < 1e-6
    share = np.clip((row[:, None] - start[..., 1]) / np.where(flat, 1.0, height), 0.0, 1.0)
    across = start[..., 0] + share * (end[..., 0] - start[..., 0])
    ends = np.where(flat, end[..., 0], across)
    across = np.where(flat, start[..., 0], across)
    low = np.where(reach, np.minimum(across, ends), np.inf).min(axis=1)
    high = np.where(reach, np.maximum(across, ends), -np.inf).max(axis=1)
    left = np.clip(np.floor(np.clip(low, -1, size)), 0, size).astype(np.int64)
    right = np.clip(np.ceil(np.clip(high, -1, size)) + 1, 0, size).astype(np.int64)
    span, x = _ranges(left, np.maximum(right, left))
    return triangle[span], x, row[span]


def _ranges(first: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All integers of the ranges first…end (without end), one after the other, and which range each is of.

    >>> [each.tolist() for each in _ranges(np.array([4, 7, 0]), np.array([6, 7, 1]))]
    [[0, 0, 2], [4, 5, 0]]
    """
    count = end - first
    each = np.repeat(np.arange(len(first)), count)
    return each, np.arange(len(each)) + (first - np.cumsum(count) + count)[each]


def backward_map(raster: Raster, source_points: Floats) -> NDArray[np.float32]:
    """Where each pixel of the raster's frame comes from: (size, size, 2) positions among `source_points`' pixels.

    Pixels that no triangle covers are NaN.
    """
    grid = np.full((raster.size * raster.size, 2), np.nan, dtype=np.float32)
    corners = source_points.astype(np.float32).take(raster.vertices, axis=0)
    grid[raster.pixels] = np.einsum("pk,pkd->pd", raster.weights, corners)
    return grid.reshape(raster.size, raster.size, 2)


def sample(image: torch.Tensor, grid: NDArray[np.float32]) -> torch.Tensor:
    """Bilinear samples of `image` (C, H, W) at pixel positions `grid` (h, w, 2); NaN positions give 0.

    Positions outside the image take the nearest border pixel.
    """
    height, width = image.shape[-2:]
    scaled = torch.from_numpy((grid + 0.5) * (2.0 / np.array([width, height], dtype=np.float32)) - 1.0)
    covered = ~torch.isnan(scaled).any(dim=-1)
    found = functional.grid_sample(
        image[None], torch.nan_to_num(scaled, nan=0.0)[None], padding_mode="border", align_corners=False
    )[0]
    return found * covered
