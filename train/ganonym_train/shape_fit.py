"""Fit the shape model: Procrustes mean, expression by Fisher directions, identity by PCA of what remains.

Reads top to bottom. The result holds statistics of the population only; nothing of one person is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ganonym.errors import UsageError
from ganonym.faces.shape import ShapeModel, centroid_size, normalize
from ganonym.types import Floats, Points

IDENTITY_COMPONENTS = 40
EXPRESSION_DIRECTIONS = 6
RIDGE = 0.3
"""Share of the mean variance of identity that is added in every direction: fewer than a hundred neutral faces do not
say in which directions people do not differ at all."""
NEUTRAL = "neutral"
DOWN, ACROSS = (2 * 51 + 1, 2 * 57 + 1), (2 * 48, 2 * 54)
"""Entries of an unfolded shape: heights of the outer lips, and left and right of the corners of the mouth."""
MIRROR = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40,
               54:47:-1, 59:54:-1, 64:59:-1, 67, 66, 65]  # fmt: skip


def fit_shape(points: Sequence[Points], subjects: Sequence[str], expressions: Sequence[str]) -> ShapeModel:
    """The shape model of photographs with landmarks (68, 2) in pixels, each once; mirror images are made here.

    `expressions` are named as the manifest does, "neutral" among them, "" where none is known. Raises UsageError when
    fewer than six people are seen with two expressions, or fewer than two neutral.
    """
    people, named = np.array(subjects), np.array(expressions)
    mean = procrustes_mean([*points, *(mirrored_points(photo) for photo in points)])
    frame = _frame(mean)
    shapes = np.stack([normalize(photo, frame) for photo in points])
    flipped = shapes[:, MIRROR] * [-1.0, 1.0]
    level = ((shapes + flipped) / 2 - mean).reshape(len(shapes), -1)
    functionals, patterns, sd = expression_directions(level, people, named)

    # Expression is measured from the faces that are known to have none.
    zero = functionals @ level[named == NEUTRAL].mean(axis=0)
    mean = upright(mean + (zero @ patterns).reshape(68, 2))
    deviations = np.stack([shapes, flipped]).reshape(2, len(shapes), -1) - mean.ravel()
    lasting = deviations - (deviations @ functionals.T) @ patterns
    # A person's two mirror images average to symmetry, so they stay apart as two rows.
    rows = np.concatenate(
        [side[people == name].mean(axis=0, keepdims=True) for name in sorted(set(subjects)) for side in lasting]
    )
    _, spread, basis = np.linalg.svd(rows, full_matrices=False)
    kept = min(IDENTITY_COMPONENTS, len(rows) - 1)
    return ShapeModel(mean, basis[:kept], spread[:kept] / np.sqrt(len(rows) - 1), functionals, patterns, sd)


def expression_directions(
    deviations: Floats, people: NDArray[np.str_], named: NDArray[np.str_]
) -> tuple[Floats, Floats, Floats]:
    """Functionals F (e, 136), patterns P (e, 136) with F P' = I, and SD within a person (e,).

    `deviations` (n, 136) of photos of `people` (n) whose expressions are `named` (n). The directions are generalized
    eigenvectors of the covariance within people, over expressions, against that of neutral faces (Fisher 1936); P is
    what goes with them (Haufe et al. 2014). Strongest first, but that of the first two the former is a smile. Raises
    UsageError as `fit_shape`.
    """
    many: list[Floats] = []
    pairs: list[Floats] = []
    for name in sorted(set(people.tolist())):
        own = deviations[(people == name) & (named != "")]
        if len(set(named[people == name]) - {""}) > 1:
            (many if len(own) > 2 else pairs).append(own - own.mean(axis=0))
    if len(many) + len(pairs) < EXPRESSION_DIRECTIONS or np.sum(named == NEUTRAL) < 2:
        raise UsageError(
            f"The photographs show {len(many) + len(pairs)} people with two expressions and "
            f"{np.sum(named == NEUTRAL)} neutral faces.",
            f"Expression is learned from at least {EXPRESSION_DIRECTIONS} such people, two of them neutral.",
        )
    # Those with many expressions and those with two count alike: smiles are common, and the others are what is new.
    within = sum((_second_moment(np.concatenate(group)) for group in (many, pairs) if group), np.zeros((136, 136)))
    between = np.cov(deviations[named == NEUTRAL].T)
    between += RIDGE * np.trace(between) / len(between) * np.eye(len(between))
    _, vectors = eigh(within, between)
    functionals = vectors[:, ::-1][:, :EXPRESSION_DIRECTIONS].T
    functionals = functionals / np.sqrt(np.diag(functionals @ within @ functionals.T))[:, None]
    if pairs:
        functionals[:2] = _smile_first(functionals[:2], np.concatenate(pairs))
    patterns = functionals @ within  # as the functionals are uncorrelated and of variance 1
    taller, wider = patterns[:, DOWN[1]] - patterns[:, DOWN[0]], patterns[:, ACROSS[1]] - patterns[:, ACROSS[0]]
    # The sign of an eigenvector is arbitrary: a smile widens the mouth, the others make it taller.
    sign = np.where(np.r_[wider[:1], taller[1:]] < 0, -1.0, 1.0)
    sd = np.linalg.norm(patterns, axis=1)
    length = (sign * sd)[:, None]
    return functionals * length, patterns / length, sd


def _smile_first(functionals: Floats, changes: Floats) -> Floats:
    """Two functionals (2, 136) turned so that the first follows `changes` (n, 136), those of the commonest expression.

    Fisher's directions mix a smile with a dropped jaw, of which a photo shows the one or the other.
    """
    read = changes @ functionals.T
    most = np.linalg.eigh(read.T @ read)[1][:, -1]
    return np.array([most, [-most[1], most[0]]]) @ functionals


def _second_moment(rows: Floats) -> Floats:
    return np.asarray(rows.T @ rows / len(rows))


def _frame(mean: Points) -> ShapeModel:
    none = np.zeros((0, 136))
    return ShapeModel(mean, none, np.zeros(0), none, none, np.zeros(0))


def procrustes_mean(points: Sequence[Points]) -> Points:
    """Generalised Procrustes mean (68, 2) of landmarks, made symmetric (Gower 1975)."""
    mean = upright(points[0])
    for _ in range(10):
        frame = _frame(mean)
        mean = upright(np.mean([normalize(photo, frame) for photo in points], axis=0))
    return mean


def mirrored_points(points: Points) -> Points:
    """Landmarks (68, 2) of the mirror image, renumbered to the 68-point scheme, wherever that lies."""
    return np.asarray(points[MIRROR] * [-1.0, 1.0])


def upright(points: Points) -> Points:
    """Centred, unit centroid size, left-right symmetric, eyes level."""
    centred = (points - points.mean(axis=0)) / centroid_size(points)
    axis = centred[42:48].mean(axis=0) - centred[36:42].mean(axis=0)
    cos, sin = axis / np.hypot(*axis)
    centred = centred @ np.array([[cos, -sin], [sin, cos]])
    symmetric = (centred + centred[MIRROR] * [-1.0, 1.0]) / 2
    return np.asarray((symmetric - symmetric.mean(axis=0)) / centroid_size(symmetric))
