"""The appearance model: shape PCA, shape-free texture PCA and how both depend on coarse attributes.

An active appearance model (Cootes, Edwards & Taylor 1998) at 256 px. Textures live in a reference frame in which the
mouth is slightly open, so that teeth have a place. It stores populations, never people: means, directions, variances
and a regression; no per-person coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault
from ganonym.faces.align import apply
from ganonym.faces.shape import ShapeModel, shape_model, to_canvas
from ganonym.faces.warp import Raster, rasterize
from ganonym.types import CANVAS, LANDMARKS, Floats, Points, Sex
from ganonym.weights import read_tensors, verified_path

# Upper-face landmarks: they carry the forehead along without stretching it when the mouth opens.
UPPER_FACE = np.r_[0:3, 14:31, 36:48]
RING = 0.06
INNER_LIPS = ((61, 67), (62, 66), (63, 65))
UPPER_LIP = ((50, 61), (51, 62), (52, 63))
LOWER_LIP = ((58, 67), (57, 66), (56, 65))
ITA_CENTRES = (65.0, 48.0, 34.5, 19.0, -10.0, -45.0)


@dataclass(frozen=True, slots=True, eq=False)
class AppearanceModel:
    """A population of faces.

    `forehead` (f, 2) mean hairline in the Procrustes frame; `reference` (n, 2) warp points of the reference frame in
    canvas pixels; `triangles` (t, 3). `texture_mean` (p, 3) and `texture_basis` (K, p, 3), orthonormal rows, are RGB
    in 0…1 over the p covered pixels of `raster`. Texture coefficients given attributes a (z-scored: expression e,
    ITA, sex, age) are Gaussian with mean `attribute_effect` (K, a) @ a and covariance `residual_factor` (K, K) times
    its transpose. `attribute_mean`, `attribute_sd` (a,) undo the z-scores.
    """

    shape: ShapeModel
    forehead: Points
    reference: Points
    triangles: NDArray[np.int64]
    raster: Raster
    texture_mean: NDArray[np.float32]
    texture_basis: NDArray[np.float32]
    texture_sd: Floats
    attribute_mean: Floats
    attribute_sd: Floats
    attribute_effect: Floats
    residual_factor: Floats


def warp_points(points: Points, mean: Points, forehead: Points) -> Points:
    """Canvas landmarks (68, 2) → all warp points (n, 2): landmarks, hairline and a ring just outside the face.

    `mean` (68, 2) and `forehead` (f, 2) in the Procrustes frame. The hairline is the mean one, carried by the affine
    map of the upper face and then drawn to both ends of the jaw, so that the outline has no notch at the temples;
    nothing of the photo's own hairline is used. Lips that cross are closed where they meet, since a warp must not fold.
    """
    points = points.copy()
    for upper, lower in INNER_LIPS:
        if points[lower, 1] < points[upper, 1]:
            points[[upper, lower]] = points[[upper, lower]].mean(axis=0)
    for outer, inner in UPPER_LIP:
        points[inner, 1] = max(points[inner, 1], points[outer, 1])
    for outer, inner in LOWER_LIP:
        points[inner, 1] = min(points[inner, 1], points[outer, 1])
    design = np.column_stack([to_canvas(mean)[UPPER_FACE], np.ones(len(UPPER_FACE))])
    affine: Floats = np.linalg.lstsq(design, points[UPPER_FACE], rcond=None)[0].T.astype(np.float64)
    ends = points[[0, 16]] - apply(affine, to_canvas(mean)[[0, 16]])
    across = np.linspace(0, 1, len(forehead))[:, None]
    hairline = apply(affine, to_canvas(forehead)) + (1 - across) * ends[0] + across * ends[1]
    boundary = np.concatenate([points[:17], hairline[::-1]])
    ring = boundary + RING * (boundary - boundary.mean(axis=0))
    return np.concatenate([points, hairline, ring])


def boundary_of(points: Points, foreheads: int) -> Points:
    """The face outline among warp points (n, 2): jaw, then hairline back to its start."""
    return np.concatenate([points[:17], points[LANDMARKS : LANDMARKS + foreheads][::-1]])


def texture_image(texture: NDArray[np.float32], model: AppearanceModel) -> NDArray[np.float32]:
    """Covered pixels (p, 3) → shape-free image (3, 256, 256) in the reference frame, 0 where uncovered."""
    image = np.zeros((CANVAS * CANVAS, 3), dtype=np.float32)
    image[model.raster.pixels] = texture
    return image.reshape(CANVAS, CANVAS, 3).transpose(2, 0, 1)


def texture_of(coefficients: Floats, model: AppearanceModel) -> NDArray[np.float32]:
    """Texture coefficients (c,), c ≤ K → RGB (p, 3), unclipped, about 0…1."""
    basis = torch.from_numpy(model.texture_basis[: len(coefficients)]).flatten(1)
    # In torch, because the threads of NumPy's BLAS and those of torch hinder each other for 15 ms a face.
    deviation = torch.from_numpy(coefficients.astype(np.float32)) @ basis
    return np.asarray(model.texture_mean + deviation.numpy().reshape(-1, 3))


def project_texture(texture: NDArray[np.float32], model: AppearanceModel) -> Floats:
    """RGB (p, 3) → all K texture coefficients."""
    centred = (texture - model.texture_mean).reshape(-1)
    return (model.texture_basis.reshape(len(model.texture_basis), -1) @ centred).astype(np.float64)


def attributes(
    expression: Floats, tone: int | None, sex: Sex | None, age: float | None, model: AppearanceModel
) -> tuple[Floats, NDArray[np.bool_]]:
    """Z-scored attribute vector (a,) and which of its entries are known; unknown ones are to be drawn or left 0.

    `expression` in Procrustes units, `tone` an ITA class, `age` in years.
    """
    raw = np.concatenate(
        [
            expression / model.shape.expression_sd,
            [
                np.nan if tone is None else ITA_CENTRES[tone],
                np.nan if sex is None else float(sex == "female"),
                np.nan if age is None else age,
            ],
        ]
    )
    scored = (raw - model.attribute_mean) / model.attribute_sd
    known = ~np.isnan(scored)
    return np.where(known, scored, 0.0), known


def sample_texture(scores: Floats, model: AppearanceModel, rng: np.random.Generator, spread: float = 0.8) -> Floats:
    """Draw texture coefficients (K,) for z-scored attributes (a,); `spread` scales the part no attribute explains.

    Each independent direction is truncated at 2.5 SD, which keeps samples inside the population.
    """
    noise = np.clip(rng.standard_normal(len(model.residual_factor)), -2.5, 2.5)
    return np.asarray(model.attribute_effect @ scores + spread * (model.residual_factor @ noise))


def sample_identity(shape: ShapeModel, rng: np.random.Generator, spread: float = 0.9) -> Floats:
    """Draw identity coefficients (m,) from the population, each truncated at 2.5 SD."""
    return np.asarray(spread * shape.identity_sd * np.clip(rng.standard_normal(len(shape.identity_sd)), -2.5, 2.5))


def load_appearance(path: Path | None = None) -> AppearanceModel:
    """The bundled appearance model, verified; or the safetensors file at `path`. Raises EnvironmentFault."""
    return _load(path or verified_path("appearance"))


@cache
def _load(path: Path) -> AppearanceModel:
    arrays, metadata = read_tensors(path)
    if (metadata.get("kind"), metadata.get("canvas")) != ("appearance", str(CANVAS)):
        raise EnvironmentFault(
            f"{path} is not an appearance model of {CANVAS} px.", "Train one: ganonym train appearance"
        )
    quantum = arrays["texture_basis_scale"].astype(np.float32)
    basis = arrays["texture_basis"].astype(np.float32) * quantum[:, None, None]
    reference = arrays["reference"].astype(np.float64)
    triangles = arrays["triangles"].astype(np.int64)
    double = {name: array.astype(np.float64) for name, array in arrays.items() if array.dtype == np.float32}
    return AppearanceModel(
        shape=shape_model(arrays),
        forehead=double["forehead"],
        reference=reference,
        triangles=triangles,
        raster=rasterize(reference, triangles, CANVAS),
        texture_mean=cast(NDArray[np.float32], arrays["texture_mean"].astype(np.float32)),
        texture_basis=basis,
        texture_sd=double["texture_sd"],
        attribute_mean=double["attribute_mean"],
        attribute_sd=double["attribute_sd"],
        attribute_effect=double["attribute_effect"],
        residual_factor=double["residual_factor"],
    )
