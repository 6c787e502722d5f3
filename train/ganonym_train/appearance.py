"""Fit the appearance model of everybody: photographs → shape, expression, texture, and how they go with attributes.

Reads top to bottom. The result holds statistics of the population only; nothing of one person is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.spatial import Delaunay

from ganonym.errors import UsageError
from ganonym.faces.appearance import LASTING, attribute_row
from ganonym.faces.hair import fill_hidden, hidden_by_hair
from ganonym.faces.shape import ShapeModel, normalize, split
from ganonym.faces.tone import ita_degrees
from ganonym.faces.warp import Raster, rasterize
from ganonym.types import CANVAS, Floats, Sex
from ganonym_train.photographs import TrainingPhoto, daylight, training_photographs
from ganonym_train.shape_fit import MIRROR, fit_shape
from ganonym_train.texture_fit import (
    FOREHEAD,
    TextureFit,
    covariance_factor,
    expression_means,
    extract_texture,
    fit_attributes,
    fit_expressions,
    fit_texture,
    group_factors,
    moments,
    opposite,
    reference_points,
    score,
    tone_weights,
)

HIDDEN = 0.35
"""A photo of whose face hair, a hat or a veil hides more than this share says too little of it."""


def train_appearance(data: Path, output: Path, log: Callable[[str], None]) -> None:
    """Fit on the training sets in `data` and write `output` (safetensors, under 16 MiB).

    Raises UsageError when too few people are seen with two expressions.
    """
    fit_appearance(list(training_photographs(data)), output, log)


def fit_appearance(photos: list[TrainingPhoto], output: Path, log: Callable[[str], None]) -> None:
    """`train_appearance` of photographs that are read already."""
    if not photos:
        raise UsageError("There is no photograph with a face to learn from.", "Point --data at a folder with some.")
    itas = np.array([ita_degrees(photo.rgb, photo.points) for photo in photos])
    log(f"{len(photos)} photographs of {len({photo.subject for photo in photos})} people, and their mirror images")
    subjects = [photo.subject for photo in photos]
    expressions = [photo.expression for photo in photos]
    shape = fit_shape([photo.points for photo in photos], subjects, expressions)
    reference = reference_points(shape)
    triangles = Delaunay(reference).simplices.astype(np.int64)
    raster = rasterize(reference, triangles, CANVAS)
    log(f"shape: {len(shape.identity_sd)} identity components; texture: {len(raster.pixels)} pixels")

    textures, hidden = seen_textures(photos, shape, reference, raster)
    enough = hidden.mean(axis=1) <= HIDDEN
    log(f"hair or background over {hidden.mean():.1%} of the faces, filled; {np.sum(~enough)} too hidden, left out")
    textures = fill_hidden(textures[enough], hidden[enough])
    weights = tone_weights(itas)
    texture = fit_texture(textures, weights[enough], opposite(raster))
    log(f"texture: {len(texture.sd)} components")

    parts = [split(normalize(photo.points, shape), shape) for photo in photos]
    identities = np.array([identity for identity, _ in parts])
    strengths = np.array([expression for _, expression in parts]) / shape.expression_sd
    raw = np.array(
        [
            attribute_row(strength, ita, _female(photo.sex), photo.age)
            for photo, ita, strength in zip(photos, itas, strengths, strict=True)
        ]
    )
    mean, sd = moments(raw[enough], weights[enough])
    scores = score(raw, mean, sd)
    owners = [subject for subject, sufficient in zip(subjects, enough, strict=True) if sufficient]
    shading, neutral = fit_expressions(scores[enough, :-LASTING], texture.coefficients, owners)
    complexion, left = fit_attributes(scores[enough, -LASTING:], neutral, weights[enough])
    people = [person_means(rows, subjects) for rows in (scores[:, -LASTING:], identities, weights[:, None])]
    on_identity, identity_left = fit_attributes(people[0], people[1], people[2][:, 0])
    named = expression_means(strengths, subjects, expressions)
    log(f"expressions: {', '.join(named)}")
    single = {
        "shape_mean": shape.mean,
        "identity_basis": shape.identity_basis,
        "identity_sd": shape.identity_sd,
        "expression_functionals": shape.expression_functionals,
        "expression_patterns": shape.expression_patterns,
        "expression_sd": shape.expression_sd,
        "expressions": np.array(list(named.values())).reshape(len(named), -1),
        "forehead": FOREHEAD,
        "reference": reference,
        "attribute_mean": mean,
        "attribute_sd": sd,
        "attribute_effect": np.concatenate([shading, complexion], axis=1),
        "residual_factors": group_factors(left, raw[enough]),
        "identity_effect": on_identity,
        "identity_factor": covariance_factor(np.cov(identity_left.T)),
    }
    _save(output, single, triangles, texture, tuple(named))
    log(f"wrote {output} ({output.stat().st_size / 2**20:.1f} MiB)")


def _save(
    output: Path,
    single: dict[str, Floats],
    triangles: NDArray[np.int64],
    texture: TextureFit,
    names: tuple[str, ...],
) -> None:
    quantum = np.abs(texture.basis).max(axis=1) / 127.0
    single |= {
        "texture_sd": texture.sd,
        "texture_basis_scale": quantum,
    }
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.ascontiguousarray(array, dtype=np.float32) for name, array in single.items()
    }
    arrays["texture_mean"] = texture.mean.reshape(-1, 3).astype(np.float16)
    whole = np.round(texture.basis / quantum[:, None]).astype(np.int8)
    arrays["texture_basis"] = whole.reshape(len(whole), -1, 3)
    arrays["triangles"] = triangles.astype(np.int16)
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, output, metadata={"kind": "appearance", "canvas": str(CANVAS), "expressions": ",".join(names)})


def seen_textures(
    photos: list[TrainingPhoto], shape: ShapeModel, reference: Floats, raster: Raster
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Textures (n, p, 3) of the photographs in daylight, and how much of each pixel is hidden (n, p), 0…1."""
    triangles = Delaunay(reference).simplices.astype(np.int64)
    fine = rasterize(reference * 2 + 0.5, triangles, CANVAS * 2)
    textures = np.stack([extract_texture(lit.rgb, lit.points, shape, fine, raster) for lit in map(daylight, photos)])
    return textures, hidden_by_hair(textures, reference, raster)


def mirrored(photo: TrainingPhoto) -> TrainingPhoto:
    """The photo and its landmarks flipped left to right, the points renumbered to the 68-point scheme."""
    points = photo.points[MIRROR] * [-1.0, 1.0] + [photo.rgb.shape[1] - 1.0, 0.0]
    return replace(photo, rgb=np.ascontiguousarray(photo.rgb[:, ::-1]), points=points)


def person_means(rows: Floats, subjects: list[str]) -> Floats:
    """The mean row of every person, in the order of their names, of rows (n, c) of photos."""
    people = np.array(subjects)
    return np.array([rows[people == name].mean(axis=0) for name in sorted(set(subjects))])


def _female(sex: Sex | None) -> float | None:
    return None if sex is None else float(sex == "female")
