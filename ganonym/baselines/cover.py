"""Faces and eyes painted black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.appearance import AppearanceModel
from ganonym.synthesis.region import face_region
from ganonym.types import RGB, Points

EYES = slice(36, 48)
BEYOND, ABOVE = 0.35, 0.25
"""How far the bar reaches beyond the outer corners and above and below the lids, in distances between the eyes."""


def blackout(rgb: RGB, points: Points, model: AppearanceModel) -> RGB:
    """`rgb` (H, W, 3) with the outline of the face at `points` (68, 2) filled black: the jaw and the mean hairline.

    Raises ValueError when the landmarks coincide.
    """
    mask = np.zeros(rgb.shape[:2], np.bool_)
    face_region(points, model, (rgb.shape[0], rgb.shape[1]), 0.0).paint(mask)
    return _black(rgb, mask)


def eyebar(rgb: RGB, points: Points) -> RGB:
    """`rgb` (H, W, 3) with one black bar over both eyes of the face at `points` (68, 2), turned as the eyes are.

    Raises ValueError when both eyes lie at the same place or a landmark is not finite.
    """
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    distance = float(np.linalg.norm(left - right))
    if not (np.isfinite(points[EYES]).all() and distance > 0.0):
        raise ValueError("the eyes have no direction")
    along = (left - right) / distance
    frame = np.array([along, [-along[1], along[0]]])  # rows: along the bar, across it
    placed = points[EYES] @ frame.T
    reach = distance * np.array([BEYOND, ABOVE])
    low, high = placed.min(axis=0) - reach, placed.max(axis=0) + reach
    y, x = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    mask = np.ones(rgb.shape[:2], np.bool_)
    for axis in (0, 1):
        position = frame[axis, 0] * x + frame[axis, 1] * y
        mask &= (position >= low[axis]) & (position <= high[axis])
    return _black(rgb, mask)


def _black(rgb: RGB, mask: NDArray[np.bool_]) -> RGB:
    covered = rgb.copy()
    covered[mask] = 0
    return covered
