"""The shape of a face: 68 landmarks with position, size and roll removed, split into identity and expression.

`shape = mean + identity · identity_basis + expression · expression_patterns`. Expression is read where faces change
more than people differ (Fisher 1936), which is not where it shows most: so it has functionals, by which it is read,
and patterns, by which it is drawn (Haufe et al. 2014). Identity is a PCA of what remains. Shapes live in the Procrustes
frame: centroid at the origin, centroid size 1, rotated onto the mean (Kendall 1984; Dryden & Mardia, Statistical Shape
Analysis).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.types import CANVAS, Floats, Points
from ganonym.weights import read_tensors, verified_path

# Places the mean face on the 256 px canvas: hairline at 17 px, chin at 226 px, so that an open jaw stays inside.
CANVAS_SCALE = 480.0
CANVAS_CENTRE = (CANVAS / 2 - 0.5, 142.0)


@dataclass(frozen=True, slots=True, eq=False)
class ShapeModel:
    """Mean shape and directions, all in the Procrustes frame.

    `mean` (68, 2): of everybody, with the expression of neutral faces. `expression_functionals` F and
    `expression_patterns` P, both (e, 136), with F P' = I and rows of P of length 1: a deviation d from the mean has the
    expression F d, and P draws it. The first is a smile, the second a dropped jaw. `identity_basis` (m, 136) has
    orthonormal rows, ordered by variance and orthogonal to F: no identity has an expression. `identity_sd` (m,) over
    people; `expression_sd` (e,) within a person, over everyday expressions. Rows unfold a shape as x0, y0, x1, y1, ….
    """

    mean: Points
    identity_basis: Floats
    identity_sd: Floats
    expression_functionals: Floats
    expression_patterns: Floats
    expression_sd: Floats


def load_shape(path: Path | None = None) -> ShapeModel:
    """Shape part of the bundled appearance model, verified, or of the safetensors file at `path`; without torch.

    Raises EnvironmentFault.
    """
    return shape_model(read_tensors(path or verified_path("appearance"))[0])


def shape_model(arrays: Mapping[str, NDArray[np.generic]]) -> ShapeModel:
    """The shape model among the arrays of an appearance model."""
    fields = ("identity_basis", "identity_sd", "expression_functionals", "expression_patterns", "expression_sd")
    parts = {name: arrays[name].astype(np.float64) for name in fields}
    return ShapeModel(mean=arrays["shape_mean"].astype(np.float64), **parts)


def centroid_size(points: Points) -> float:
    """Square root of the summed squared distances to the centroid, in the unit of `points`."""
    return float(np.linalg.norm(points - points.mean(axis=0)))


def normalize(points: Points, model: ShapeModel) -> Points:
    """Landmarks in any frame → shape (68, 2) in the Procrustes frame: centred, of unit size, rotated onto the mean.

    Invariant under translation, scaling by a positive factor and rotation. Raises ValueError when all points coincide
    or one is not finite.
    """
    if not np.isfinite(points).all():
        raise ValueError("landmarks are not finite, so they have no shape")
    size = centroid_size(points)
    if size <= 1e-9 * np.abs(points).max():  # what rounding leaves of points that coincide
        raise ValueError("landmarks coincide, so they have no shape")
    centred = (points - points.mean(axis=0)) / size
    cross = centred.T @ model.mean
    angle = np.arctan2(cross[0, 1] - cross[1, 0], cross[0, 0] + cross[1, 1])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(centred @ np.array([[cos, sin], [-sin, cos]]))


def split(shape: Points, model: ShapeModel) -> tuple[Floats, Floats]:
    """Coefficients of a normalised shape: identity (m,) and expression (e,), in Procrustes units."""
    deviation = (shape - model.mean).ravel()
    expression = model.expression_functionals @ deviation
    return model.identity_basis @ (deviation - expression @ model.expression_patterns), expression


def join(identity: Floats, expression: Floats, model: ShapeModel) -> Points:
    """Shape (68, 2) in the Procrustes frame from coefficients; the inverse of `split` on the model's subspace."""
    deviation = identity @ model.identity_basis + expression @ model.expression_patterns
    return np.asarray(model.mean + deviation.reshape(-1, 2))


def face_of(row: Floats, model: ShapeModel) -> tuple[Points, Floats]:
    """A row of coordinates (D,) in SD → landmarks (68, 2) on the canvas in pixels, and texture coefficients (q,) in SD.

    Rows are identity, texture and expression (`ganonym.faces.coordinates`); what expression does to the texture is not
    in it.
    """
    identities, directions = len(model.identity_sd), len(model.expression_sd)
    identity, texture, strength = np.split(row, [identities, len(row) - directions])
    return to_canvas(join(identity * model.identity_sd, strength * model.expression_sd, model)), texture


def to_canvas(shape: Points) -> Points:
    """Shape in the Procrustes frame → landmarks in canvas pixels, (68, 2). The same map for every face."""
    return np.asarray(shape * CANVAS_SCALE + np.array(CANVAS_CENTRE))


def from_canvas(points: Points) -> Points:
    """Canvas pixels → Procrustes frame; the exact inverse of `to_canvas`."""
    return np.asarray((points - np.array(CANVAS_CENTRE)) / CANVAS_SCALE)
