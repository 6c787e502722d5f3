"""One warp of one face: a thin-plate spline (Bookstein 1989) that must not fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.types import CANVAS, LANDMARKS, Floats, Points

# Points that coincide, such as closed lips, would make the interpolation singular.
SMOOTHING = 1.0


@dataclass(frozen=True, slots=True)
class ThinPlate:
    """A map of the plane, x → x + displacement(x).

    `centres` (n, 2) and `origin` (2,) in pixels; `weights` (n, 2) of r² log r; `affine` (3, 2) of 1, x, y.
    """

    centres: Points
    origin: Floats
    weights: Floats
    affine: Floats

    def displacement(self, places: Points) -> Points:
        """Displacement (k, 2) at `places` (k, 2)."""
        places = places - self.origin
        kernel = _kernel(_squared(places, self.centres))
        return np.asarray(kernel @ self.weights + self.affine[0] + places @ self.affine[1:])

    def area(self, places: Points) -> Floats:
        """Determinant of the map's Jacobian (k,) at `places` (k, 2): how it magnifies area; ≤ 0 where it folds."""
        places = places - self.origin
        # The gradient of r² log r is (log r² + 1) (x − centre).
        radial = np.log(np.maximum(_squared(places, self.centres), 1e-9)) + 1.0
        by_place = places[:, :, None] * (radial @ self.weights)[:, None]
        by_centre = radial @ (self.centres[:, :, None] * self.weights[:, None]).reshape(len(self.centres), 4)
        jacobian = by_place - by_centre.reshape(-1, 2, 2) + self.affine[1:] + np.eye(2)
        return np.asarray(np.linalg.det(jacobian))


def thin_plate(places: Points, displacements: Points) -> ThinPlate:
    """The spline with `displacements` (n, 2) at `places` (n, 2), n ≥ 3, not all on a line; coinciding places average.

    >>> square = np.array([[0.0, 0], [9, 0], [0, 9], [9, 9]])
    >>> thin_plate(square, square / 3).displacement(np.array([[6.0, 3.0]])).round(6).tolist()
    [[2.0, 1.0]]
    """
    count, origin = len(places), places.mean(axis=0)
    centres = places - origin
    polynomial = np.column_stack([np.ones(count), centres])
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(_squared(centres, centres)) + SMOOTHING * np.eye(count)
    system[:count, count:], system[count:, :count] = polynomial, polynomial.T
    solution = np.linalg.solve(system, np.concatenate([displacements, np.zeros((3, 2))]))
    return ThinPlate(centres, origin, solution[:count], solution[count:])


def _squared(one: Points, other: Points) -> Floats:
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2.0 * (one @ other.T)
    return np.asarray(np.maximum(squared, 0.0))


def _kernel(squared: Floats) -> Floats:
    """r² log r."""
    return np.asarray(0.5 * squared * np.log(np.maximum(squared, 1e-9)))


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
