"""Filling a hole in a picture from its rim: the membrane that the pixels around it span (Laplace's equation)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SWEEPS, SWEEPS_LARGE = 24, 8
LARGE = 400_000


def fill(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`image` (h, w, c) with the pixels that are not `known` (h, w) replaced by a smooth interpolation of the others.

    Nothing that `image` holds where it is not known enters. The picture's own border pulls nowhere. Coarse to fine:
    halved until nothing is missing, then smoothed by Jacobi sweeps, which is near enough to the exact solution for the
    eye. Without any known pixel everything becomes mid-grey.
    """
    if not known.any():
        return np.full_like(image, 127.5)
    start: NDArray[np.float32] = np.where(known[..., None], image, np.float32(0))
    return _solve(start, known)


def _solve(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    if known.all():
        return image
    height, width = known.shape
    rim = ((0, height % 2), (0, width % 2))
    weight = np.pad(known.astype(np.float32), rim)
    total = _pool(np.pad(image, (*rim, (0, 0))))
    count = _pool(weight[..., None])
    mean: NDArray[np.float32] = total / count.clip(1)
    coarse = _solve(mean.astype(np.float32), count[..., 0] > 0)
    guess = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    filled = np.where(known[..., None], image, guess)
    for _ in range(SWEEPS if known.size < LARGE else SWEEPS_LARGE):
        wide = np.pad(filled, ((1, 1), (1, 1), (0, 0)), mode="edge")
        around = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) * np.float32(0.25)
        filled = np.where(known[..., None], image, around)
    return filled


def _pool(image: NDArray[np.float32]) -> NDArray[np.float32]:
    pooled: NDArray[np.float32] = image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]
    return pooled
