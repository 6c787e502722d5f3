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
    owner = np.full((size, size), -1, dtype=np.int64)
    weights = np.zeros((size, size, 3), dtype=np.float32)
    corners = points[triangles]
    low = np.clip(np.floor(corners.min(axis=1)), 0, size).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, size).astype(int)
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    for index in np.flatnonzero(np.abs(area) > 1e-9):
        (x0, y0), (x1, y1) = low[index], high[index]
        dx = np.arange(x0, x1) - corners[index, 0, 0]
        dy = np.arange(y0, y1)[:, None] - corners[index, 0, 1]
        second = (dx * edge2[index, 1] - dy * edge2[index, 0]) / area[index]
        third = (dy * edge1[index, 0] - dx * edge1[index, 1]) / area[index]
        inside = (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
        owner[y0:y1, x0:x1][inside] = index
        weights[y0:y1, x0:x1][inside] = np.stack([1 - second - third, second, third], axis=-1)[inside]
    pixels = np.flatnonzero(owner.ravel() >= 0)
    return Raster(pixels, triangles[owner.ravel()[pixels]], weights.reshape(-1, 3)[pixels], size)


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
