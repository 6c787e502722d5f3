"""Blurred faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from ganonym.baselines.area import bounds
from ganonym.types import RGB, Floats

SIGMA = 0.1
"""SD of the Gaussian in widths of the face, at strength 1."""
_TRUNCATED = 4.0


def blur(rgb: RGB, area: NDArray[np.bool_], sigma: float) -> RGB:
    """`rgb` (H, W, 3) with a Gaussian of SD `sigma` pixels over `area` (H, W), and untouched elsewhere.

    The values are those of `scipy.ndimage.gaussian_filter` (cut off at 4 SD, photo mirrored at its border), by FFT,
    since a face of 1500 px would take that a minute. Raises ValueError unless `sigma` is above 0.

    >>> photo = np.zeros((9, 9, 3), np.uint8)
    >>> photo[4, 4] = 255
    >>> blur(photo, np.eye(9, dtype=bool), 1.0)[..., 0].diagonal().tolist()
    [0, 0, 1, 15, 41, 15, 1, 0, 0]
    """
    if not sigma > 0.0:
        raise ValueError(f"sigma must be above 0, not {sigma}")
    blurred = rgb.copy()
    top, left, bottom, right = bounds(area)
    if bottom == 0:
        return blurred
    radius = int(_TRUNCATED * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    window = area[top:bottom, left:right]
    for channel in range(3):
        around = _surroundings(rgb[..., channel], (top, left, bottom, right), radius)
        smooth = fftconvolve(fftconvolve(around, weights[:, None], "valid", axes=0), weights[None], "valid", axes=1)
        blurred[top:bottom, left:right, channel][window] = np.round(smooth[window]).clip(0, 255).astype(np.uint8)
    return blurred


def _surroundings(plane: NDArray[np.uint8], window: tuple[int, int, int, int], radius: int) -> Floats:
    """`window` of `plane` and `radius` pixels on each side of it, mirrored where the photo ends."""
    (top, left, bottom, right), (height, width) = window, plane.shape
    inside = plane[max(0, top - radius) : bottom + radius, max(0, left - radius) : right + radius]
    rim = (
        (max(0, radius - top), max(0, bottom + radius - height)),
        (max(0, radius - left), max(0, right + radius - width)),
    )
    return np.pad(inside.astype(np.float64), rim, mode="symmetric")
