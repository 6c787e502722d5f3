"""One warp of one face: all displacements added up first, then a thin-plate spline that must not fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.phantom.thin_plate import ThinPlate, thin_plate
from ganonym.types import CANVAS, LANDMARKS, Points

LEAST_AREA = 0.2
SHRINK = 0.9
_RIM = 40.0
_STEP = 6.0


@dataclass(frozen=True, slots=True)
class FaceWarp:
    """Where the marks of a face come to lie, and the map from there back to the face as rendered.

    `marks` (m, 2) canvas pixels after the warp; `back` takes warped canvas positions to rendered ones; `shrink` 0…1,
    the factor by which all displacements were reduced so that nothing folds (1: not at all).
    """

    marks: Points
    back: ThinPlate
    shrink: float


def face_warp(marks: Points, displacement: Points) -> FaceWarp:
    """Move `marks` (m, 2) of a rendered canvas by `displacement` (m, 2), both in pixels; the rim of the canvas stays.

    Area shrinks and grows fivefold at most (Jacobian determinant between 0.2 and 5 at every place tried: a grid of
    6 px and the landmarks themselves); the displacement is reduced by tenths until that holds.
    """
    shrink = 1.0
    while True:
        moved = marks + shrink * displacement
        still = np.zeros_like(_ANCHORS)
        back = thin_plate(np.concatenate([moved, _ANCHORS]), np.concatenate([marks - moved, still]))
        area = back.area(np.concatenate([_GRID, moved[:LANDMARKS]]))
        if area.min() > LEAST_AREA and area.max() < 1 / LEAST_AREA:
            return FaceWarp(moved, back, shrink)
        shrink *= SHRINK


def _lattice(low: float, high: float, step: float) -> Points:
    ticks = np.arange(low, high + step / 2, step)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


_GRID = _lattice(0.0, CANVAS - 1.0, _STEP)
_ANCHORS = _lattice(-_RIM, CANVAS - 1 + _RIM, (CANVAS - 1 + 2 * _RIM) / 4)
_ANCHORS = _ANCHORS[np.abs(_ANCHORS - (CANVAS - 1) / 2).max(axis=1) > CANVAS / 2 + _RIM / 2]
