"""Faces brought to one place, size and roll, for whatever compares them pixel by pixel."""

from __future__ import annotations

from functools import cache

import numpy as np

from ganonym.faces.align import crop, similarity
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import CANVAS, RGB, Floats, Points


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
