"""Fit the appearance model: photographs → shape PCA, texture PCA, expression directions, attribute regression.

Reads top to bottom. The result holds statistics of the population only; nothing of one person is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.spatial import Delaunay
from torch.nn import functional

from ganonym.errors import UsageError
from ganonym.faces.align import apply, invert, similarity
from ganonym.faces.appearance import warp_points
from ganonym.faces.hair import fill_hidden, hidden_by_hair
from ganonym.faces.shape import ShapeModel, centroid_size, join, normalize, split, to_canvas
from ganonym.faces.tone import ita_degrees
from ganonym.faces.warp import Raster, backward_map, rasterize, sample
from ganonym.types import CANVAS, RGB, Floats, Points, Sex
from ganonym_train.photographs import TrainingPhoto, daylight, training_photographs

IDENTITY_COMPONENTS = 40
EXPRESSION_DIRECTIONS = 4
TEXTURE_COMPONENTS = 100
# Mean hairline of the London set's manual 189-point templates, over 81 people, in the Procrustes frame.
FOREHEAD = np.array(
    [[-0.151, -0.130], [-0.138, -0.177], [-0.124, -0.221], [-0.093, -0.248], [-0.050, -0.260], [0.0, -0.259],
     [0.050, -0.260], [0.093, -0.248], [0.124, -0.221], [0.138, -0.177], [0.151, -0.130]]
)  # fmt: skip
MIRROR = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40,
               54:47:-1, 59:54:-1, 64:59:-1, 67, 66, 65]  # fmt: skip


def train_appearance(data: Path, output: Path, log: Callable[[str], None]) -> None:
    """Fit on the training sets in `data` and write `output` (safetensors, under 16 MiB).

    Raises UsageError when fewer than four people are seen both neutral and smiling.
    """
    photos = [view for photo in map(daylight, training_photographs(data)) for view in (photo, mirrored(photo))]
    both = {p.subject for p in photos if p.smiling} & {p.subject for p in photos if not p.smiling}
    if len(both) < EXPRESSION_DIRECTIONS:
        raise UsageError(
            f"{data} shows {len(both)} people both neutral and smiling.",
            f"Expression is learned from at least {EXPRESSION_DIRECTIONS} such people.",
        )
    log(f"{len(photos) // 2} photographs of {len({p.subject for p in photos})} people, and their mirror images")

    shape = fit_shape([p.points for p in photos], [p.subject for p in photos], [p.smiling for p in photos])
    normalized = [normalize(p.points, shape) for p in photos]
    reference = reference_points(shape)
    triangles = Delaunay(reference).simplices.astype(np.int64)
    raster = rasterize(reference, triangles, CANVAS)
    log(f"shape: {len(shape.identity_sd)} identity components; texture: {len(raster.pixels)} pixels")

    fine = rasterize(reference * 2 + 0.5, triangles, CANVAS * 2)
    textures = np.stack([extract_texture(p.rgb, p.points, shape, fine, raster) for p in photos])
    hidden = hidden_by_hair(textures, reference, raster)
    log(f"hair or background over {hidden.mean():.1%} of the face, filled")
    textures = fill_hidden(textures, hidden)
    mean, basis, sd, coefficients = fit_texture(textures.reshape(len(photos), -1))
    held = (sd**2).sum() * (len(photos) - 1) / (textures.var(axis=0).sum() * len(photos))
    log(f"texture: {len(sd)} components hold {held:.1%}")

    raw = np.array(
        [
            [*(split(s, shape)[1] / shape.expression_sd), ita_degrees(p.rgb, p.points), _female(p.sex), p.age or np.nan]
            for p, s in zip(photos, normalized, strict=True)
        ],
        dtype=np.float64,
    )
    effect, factor, attribute_mean, attribute_sd = fit_attributes(raw, coefficients)

    quantum = np.abs(basis).max(axis=1) / 127.0
    output.parent.mkdir(parents=True, exist_ok=True)
    single = {
        "shape_mean": shape.mean,
        "identity_basis": shape.identity_basis,
        "identity_sd": shape.identity_sd,
        "expression_basis": shape.expression_basis,
        "expression_sd": shape.expression_sd,
        "forehead": FOREHEAD,
        "reference": reference,
        "texture_sd": sd,
        "attribute_mean": attribute_mean,
        "attribute_sd": attribute_sd,
        "attribute_effect": effect,
        "residual_factor": factor,
        "texture_basis_scale": quantum,
    }
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in single.items()}
    arrays["texture_mean"] = mean.reshape(-1, 3).astype(np.float16)
    arrays["texture_basis"] = np.round(basis / quantum[:, None]).astype(np.int8).reshape(len(basis), -1, 3)
    arrays["triangles"] = triangles.astype(np.int16)
    save_file(arrays, output, metadata={"kind": "appearance", "canvas": str(CANVAS)})
    log(f"wrote {output} ({output.stat().st_size / 2**20:.1f} MiB)")


def mirrored(photo: TrainingPhoto) -> TrainingPhoto:
    """The photo and its landmarks flipped left to right, the points renumbered to the 68-point scheme."""
    points = photo.points[MIRROR] * [-1.0, 1.0] + [photo.rgb.shape[1] - 1.0, 0.0]
    return replace(photo, rgb=np.ascontiguousarray(photo.rgb[:, ::-1]), points=points)


def _female(sex: Sex | None) -> float:
    return float("nan") if sex is None else float(sex == "female")


def fit_shape(points: list[Points], subjects: list[str], smiling: list[bool]) -> ShapeModel:
    """Generalised Procrustes mean, expression directions from neutral/smiling pairs, identity PCA over subjects."""
    mean = upright(points[0])
    for _ in range(10):
        frame = ShapeModel(mean, np.zeros((0, 136)), np.zeros(0), np.zeros((0, 136)), np.zeros(0))
        shapes = np.stack([normalize(photo_points, frame) for photo_points in points])
        mean = upright(shapes.mean(axis=0))
    frame = ShapeModel(mean, np.zeros((0, 136)), np.zeros(0), np.zeros((0, 136)), np.zeros(0))
    deviations = np.stack([(normalize(photo_points, frame) - mean).ravel() for photo_points in points])

    people = np.array(subjects)
    smiles = np.array(smiling)
    differences = [
        deviations[(people == name) & smiles].mean(axis=0) - deviations[(people == name) & ~smiles].mean(axis=0)
        for name in sorted(set(people[smiles].tolist()) & set(people[~smiles].tolist()))
    ]
    expression_basis = np.linalg.svd(np.stack(differences), full_matrices=False)[2][:EXPRESSION_DIRECTIONS]
    expressions = deviations @ expression_basis.T
    identities = deviations - expressions @ expression_basis

    # One row a subject (a person's two mirror images average to symmetry, so they stay apart as two rows).
    rows = [
        identities[parity::2][people[parity::2] == name].mean(axis=0)
        for name in sorted(set(subjects))
        for parity in (0, 1)
    ]
    _, spread, basis = np.linalg.svd(np.stack(rows), full_matrices=False)
    return ShapeModel(
        mean=mean,
        identity_basis=basis[:IDENTITY_COMPONENTS],
        identity_sd=spread[:IDENTITY_COMPONENTS] / np.sqrt(len(rows) - 1),
        expression_basis=expression_basis,
        expression_sd=expressions.std(axis=0),
    )


def upright(points: Points) -> Points:
    """Centred, unit centroid size, left-right symmetric, eyes level."""
    centred = (points - points.mean(axis=0)) / centroid_size(points)
    axis = centred[42:48].mean(axis=0) - centred[36:42].mean(axis=0)
    cos, sin = axis / np.hypot(*axis)
    centred = centred @ np.array([[cos, -sin], [sin, cos]])
    symmetric = (centred + centred[MIRROR] * [-1.0, 1.0]) / 2
    return np.asarray((symmetric - symmetric.mean(axis=0)) / centroid_size(symmetric))


def reference_points(shape: ShapeModel) -> Points:
    """Warp points of the reference frame: the mean face with the mouth opened by 10 px, so that teeth have a place."""
    points = to_canvas(join(np.zeros(len(shape.identity_sd)), np.zeros(len(shape.expression_sd)), shape))
    points[[65, 66, 67]] += [0.0, 10.0]
    points[55:60] += [0.0, 9.0]
    points[[4, 5, 11, 12]] += [0.0, 3.0]
    points[6:11] += [0.0, 7.0]
    return warp_points(points, shape.mean, FOREHEAD)


def photo_warp_points(points: Points, shape: ShapeModel) -> tuple[Points, Floats]:
    """Warp points in photo pixels, and the (2, 3) matrix photo → canvas."""
    to_frame = similarity(points, to_canvas(normalize(points, shape)))
    on_canvas = warp_points(apply(to_frame, points), shape.mean, FOREHEAD)
    return apply(invert(to_frame), on_canvas), to_frame


def extract_texture(rgb: RGB, points: Points, shape: ShapeModel, fine: Raster, raster: Raster) -> NDArray[np.float32]:
    """Shape-free texture (p, 3) in 0…1 over the pixels of `raster`.

    Sampled over `fine`, the reference frame at 512 px, and averaged down, so that fine skin does not alias.
    """
    image = torch.tensor(rgb).permute(2, 0, 1).float() / 255
    warped = sample(image, backward_map(fine, photo_warp_points(points, shape)[0]))
    small = functional.avg_pool2d(warped[None], 2)[0]
    return small.reshape(3, -1).T[torch.from_numpy(raster.pixels)].numpy()


def fit_texture(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], Floats, Floats]:
    """PCA of textures (n, 3p) through the Gram matrix: mean (3p,), basis (K, 3p), sd (K,), coefficients (n, K)."""
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    order = np.argsort(values)[::-1][: min(TEXTURE_COMPONENTS, len(rows) - 2)]
    singular = np.sqrt(values[order])
    basis = (vectors[:, order].T.astype(np.float32) @ centred) / singular[:, None].astype(np.float32)
    return mean, basis, singular / np.sqrt(len(rows) - 1), vectors[:, order] * singular


def fit_attributes(raw: Floats, coefficients: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Ridge regression of texture coefficients (n, K) on attributes (n, a): effect (K, a), residual factor (K, K).

    Unknown attributes (NaN) count as average. Also returns the mean and sd (a,) that score them.
    """
    mean, sd = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    scores = np.nan_to_num((raw - mean) / sd)
    gram = scores.T @ scores + 0.02 * len(scores) * np.eye(scores.shape[1])
    effect = np.linalg.solve(gram, scores.T @ coefficients).T
    residual = coefficients - scores @ effect.T
    covariance = residual.T @ residual / (len(residual) - 1)
    jitter = 1e-9 * np.trace(covariance) * np.eye(len(covariance))
    return effect, np.linalg.cholesky(covariance + jitter), mean, sd
