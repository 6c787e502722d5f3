"""Faces brought to one place, size and roll, for whatever compares them pixel by pixel; and a grey thumbnail.

The thumbnail is enough to see that two pictures are the same photograph, and little more.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.align import crop, similarity
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import CANVAS, RGB, Floats, Points, luma

SIDE = 24
# Where the eyes' centres and the mouth's centre lie in the thumbnail: the face from brows to chin fills it.
ANCHORS = np.array([[7.0, 8.0], [16.0, 8.0], [11.5, 17.5]])


def face_thumbnail(rgb: RGB, points: Points, side: int = SIDE, anchors: Points = ANCHORS) -> NDArray[np.uint8]:
    """Grey (side, side) uint8 of the face with landmarks `points` (68, 2), Rec. 601 luma; black outside the photo.

    `anchors` (3, 2): where the eyes' centres and the mouth's centre are to lie in it.
    """
    places = np.array([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[48:60].mean(axis=0)])
    grey: NDArray[np.uint8] = np.round(luma(crop(rgb, similarity(places, anchors), side))).astype(np.uint8)
    return grey


def correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Pearson correlation of two thumbnails in −1…1; 0 when either is of one grey.

    >>> ramp = np.arange(576, dtype=np.uint8).reshape(24, 24)
    >>> round(correlation(ramp, ramp), 6), correlation(ramp, np.zeros((24, 24), np.uint8))
    (1.0, 0.0)
    """
    a, b = first.ravel() - first.mean(), second.ravel() - second.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale > 0 else 0.0


def upright(points: Points, side: int) -> Floats:
    """The similarity (2, 3) that brings landmarks (68, 2) nearest to the mean face in a picture of `side` px."""
    return similarity(points, _place() * (side / CANVAS))


def aligned(rgb: RGB, points: Points, side: int) -> RGB:
    """The face with landmarks `points` (68, 2), (side, side, 3). A similarity only: its shape is not normalised."""
    return crop(rgb, upright(points, side), side)


@cache
def _place() -> Points:
    """Landmarks of the mean face on the canvas; once a process, because each reading verifies the weights."""
    place: Points = np.array(to_canvas(load_shape().mean))
    place.flags.writeable = False
    return place
