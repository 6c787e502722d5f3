"""The appearance model: shape PCA, shape-free texture PCA and how both depend on coarse attributes.

An active appearance model (Cootes, Edwards & Taylor 1998) at 256 px. Textures live in a reference frame in which the
mouth is slightly open, so that teeth have a place. It stores populations, never people: means, directions, variances
and a regression; no per-person coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping
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
BLACK = 0.2
"""Added before the logarithm: the less, the more of a texture's variance lies in nostrils and brows."""
GROWN, CHILD = 18.0, 0.25
"""Years at which youth ends, and the youth from which somebody counts as a child: under 13½ years."""
LASTING = 4
"""Attributes that outlast an expression: ITA, sex, age, youth."""
ITA_CENTRES = (65.0, 48.0, 34.5, 19.0, -10.0, -45.0)


@dataclass(frozen=True, slots=True, eq=False)
class AppearanceModel:
    """A population of faces.

    `forehead` (f, 2) mean hairline in the Procrustes frame; `reference` (n, 2) warp points of the reference frame in
    canvas pixels; `triangles` (t, 3). `texture_mean` (p, 3) and `texture_basis` (K, p, 3), orthonormal rows, are
    `log_colours` over the p covered pixels of `raster`; the leading components, `ganonym.faces.coordinates.COMPONENTS`
    of them, are alike on both sides of a face. Texture coefficients given attributes (a: `attribute_row`, z-scored) are
    Gaussian with mean `attribute_effect` (K, a) @ a and covariance `residual_factors` (K, K) times its transpose, one
    for children, women and men; identity coefficients likewise, given the last four attributes, with `identity_effect`
    (m, 4) and `identity_factor` (m, m). `attribute_mean`, `attribute_sd` (a,) undo the z-scores. `expressions`: what an
    expression by its name adds to a neutral face, (e,) in SD.
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
    residual_factors: Floats
    identity_effect: Floats
    identity_factor: Floats
    expressions: Mapping[str, Floats]


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


def log_colours(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """RGB in 0…1 → logarithms in which light and pigment add up, as they multiply on skin; black is finite.

    What makes a face darker takes its share of the lips then, and not more red than there is.

    >>> rgb_of(log_colours(np.array([0.125, 0.25, 1.0]))).round(6).tolist()
    [0.125, 0.25, 1.0]
    """
    return np.log(np.maximum(rgb, 0.0) + BLACK)


def rgb_of(logs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `log_colours`, about 0…1."""
    return np.exp(logs) - np.float32(BLACK)


def texture_of(coefficients: Floats, model: AppearanceModel) -> NDArray[np.float32]:
    """Texture coefficients (c,), c ≤ K → RGB (p, 3), unclipped, about 0…1."""
    basis = torch.from_numpy(model.texture_basis[: len(coefficients)]).flatten(1)
    # In torch, because the threads of NumPy's BLAS and those of torch hinder each other for 15 ms a face.
    deviation = torch.from_numpy(coefficients.astype(np.float32)) @ basis
    return rgb_of(model.texture_mean + deviation.numpy().reshape(-1, 3))


def project_texture(texture: NDArray[np.float32], model: AppearanceModel) -> Floats:
    """RGB (p, 3) → all K texture coefficients."""
    centred = (log_colours(texture) - model.texture_mean).reshape(-1)
    return (model.texture_basis.reshape(len(model.texture_basis), -1) @ centred).astype(np.float64)


def attribute_row(strength: Floats, ita: float | None, female: float | None, age: float | None) -> Floats:
    """Attributes (2 e + 4,) before they are scored, NaN where unknown.

    Each direction of expression, `strength` (e,) in SD, counts both ways: what a smile uncovers, a frown does not hide.
    Then `ita` in degrees, `female` 0 or 1, `age` in years, and youth, 1 at birth and 0 from 18, since children differ
    most from adults.

    >>> attribute_row(np.array([-2.0]), 20.0, None, 9.0).tolist()
    [0.0, 2.0, 20.0, nan, 9.0, 0.5]
    """
    youth = None if age is None else max(0.0, 1.0 - age / GROWN)
    others = [np.nan if value is None else value for value in (ita, female, age, youth)]
    return np.concatenate([np.maximum(strength, 0.0), np.maximum(-strength, 0.0), others])


def expression_effect(strength: Floats, model: AppearanceModel) -> Floats:
    """What an expression (e,) in SD adds to the texture coefficients (K,) of a neutral face: furrows, teeth, lids."""
    parts = 2 * len(strength)
    moved = attribute_row(strength, None, None, None)[:parts] / model.attribute_sd[:parts]
    return np.asarray(model.attribute_effect[:, :parts] @ moved)


def attributes(
    expression: Floats, tone: int | None, sex: Sex | None, age: float | None, model: AppearanceModel
) -> tuple[Floats, NDArray[np.bool_]]:
    """Z-scored attribute vector (a,) and which of its entries are given; the others are 0, or to be drawn.

    `expression` in Procrustes units, `tone` an ITA class, `age` in years.
    """
    ita = None if tone is None else ITA_CENTRES[tone]
    female = None if sex is None else float(sex == "female")
    raw = attribute_row(expression / model.shape.expression_sd, ita, female, age)
    scored = (raw - model.attribute_mean) / model.attribute_sd
    given = ~np.isnan(scored)
    return np.where(given, scored, 0.0), given


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of somebody: an ITA class, a sex, an age in years; None where it is not."""

    tone: int | None
    sex: Sex | None
    age: float | None


def drawn_attributes(expression: Floats, known: Known, model: AppearanceModel, rng: np.random.Generator) -> Floats:
    """`attributes` (a,) with a tone, a sex and the age of an adult drawn where none is given."""
    tone, female, age = int(rng.integers(len(ITA_CENTRES))), rng.integers(2) == 0, float(rng.uniform(18.0, 80.0))
    drawn: Sex = "female" if female else "male"
    tone = tone if known.tone is None else known.tone
    age = age if known.age is None else known.age
    return attributes(expression, tone, drawn if known.sex is None else known.sex, age, model)[0]


def sample_texture(scores: Floats, model: AppearanceModel, rng: np.random.Generator, spread: float = 0.8) -> Floats:
    """Draw texture coefficients (K,) for z-scored attributes (a,); `spread` scales the part no attribute explains.

    Each independent direction is truncated at 2.5 SD, which keeps samples inside the population. Children vary as
    children do, without beards and wrinkles, and women as women.
    """
    _, female, _, youth = (scores * model.attribute_sd + model.attribute_mean)[-LASTING:]
    group = 0 if youth > CHILD else 1 if female > 0.5 else 2
    return _drawn(scores, model.attribute_effect, model.residual_factors[group], rng, spread)


def sample_identity(shape: ShapeModel, rng: np.random.Generator, spread: float = 0.9) -> Floats:
    """Draw identity coefficients (m,) from the population of all ages, each truncated at 2.5 SD."""
    return np.asarray(spread * shape.identity_sd * np.clip(rng.standard_normal(len(shape.identity_sd)), -2.5, 2.5))


def sample_identity_of(scores: Floats, model: AppearanceModel, rng: np.random.Generator, spread: float = 0.9) -> Floats:
    """Draw identity coefficients (m,) for z-scored attributes (a,), as `sample_texture`: for a child a child's."""
    return _drawn(scores[-LASTING:], model.identity_effect, model.identity_factor, rng, spread)


def _drawn(scores: Floats, effect: Floats, factor: Floats, rng: np.random.Generator, spread: float) -> Floats:
    noise = np.clip(rng.standard_normal(len(factor)), -2.5, 2.5)
    return np.asarray(effect @ scores + spread * (factor @ noise))


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
        residual_factors=double["residual_factors"],
        identity_effect=double["identity_effect"],
        identity_factor=double["identity_factor"],
        expressions=dict(zip(metadata.get("expressions", "").split(","), double["expressions"], strict=False)),
    )
