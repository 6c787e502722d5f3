"""Piecewise-affine warps over one fixed triangulation of the face (Cootes et al. 1998, active appearance models)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ganonym.types import Floats

Triangles = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
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
    low = np.clip(np.floor(corners.min(axis=1)), 0, size).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, size).astype(np.int64)
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    # Every pixel of every triangle's bounding box in one list: a loop over triangles costs more than the arithmetic.
    width, height = np.where(np.abs(area)[:, None] > 1e-9, high - low, 0).T
    each = np.repeat(np.arange(len(triangles)), width * height)
    place = np.arange(len(each)) - np.repeat(np.cumsum(width * height) - width * height, width * height)
    down, right = np.divmod(place, width[each])
    x, y = low[each, 0] + right, low[each, 1] + down
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


def backward_map(raster: Raster, source_points: Floats) -> NDArray[np.float32]:
    """Where each pixel of the raster's frame comes from: (size, size, 2) positions among `source_points`' pixels.

    Pixels that no triangle covers are NaN.
    """
    grid = np.full((raster.size * raster.size, 2), np.nan, dtype=np.float32)
    corners = source_points.astype(np.float32)[raster.vertices]
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
