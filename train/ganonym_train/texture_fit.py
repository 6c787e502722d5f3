"""Fit the texture model: photographs → shape-free textures, symmetric components first, regression on attributes.

Reads top to bottom. The result holds statistics of the population only; nothing of one person is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ganonym.faces.align import apply, invert, similarity
from ganonym.faces.appearance import CHILD, LASTING, log_colours, warp_points
from ganonym.faces.coordinates import COMPONENTS
from ganonym.faces.shape import ShapeModel, join, normalize, to_canvas
from ganonym.faces.tone import tone_class
from ganonym.faces.warp import Raster, backward_map, sample
from ganonym.types import RGB, TONES, Floats, Points

TEXTURE_COMPONENTS = 100
RAREST = 3.0
"""A photograph of a rare tone counts at most so many times an average one: twenty faces are no population."""
RIDGE, EXPRESSION_RIDGE = 0.02, 0.2
"""Of regressions on attributes, as a share of the number of photographs; half the range of an expression is seen in a
dozen photographs."""
CALMER = 0.8
"""Children vary less than their photographs, which differ in light and sharpness more than those of adults."""
MIXED = 0.3
"""Share of the larger group's covariance in a smaller one's."""
FEWEST = 5
"""An expression is stored as the mean of so many people or not at all."""
# Mean hairline of the London set's manual 189-point templates, over 81 people, in the Procrustes frame.
FOREHEAD = np.array(
    [[-0.151, -0.130], [-0.138, -0.177], [-0.124, -0.221], [-0.093, -0.248], [-0.050, -0.260], [0.0, -0.259],
     [0.050, -0.260], [0.093, -0.248], [0.124, -0.221], [0.138, -0.177], [0.151, -0.130]]
)  # fmt: skip


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


def opposite(raster: Raster) -> NDArray[np.int64]:
    """For every covered pixel (p,) the place of its mirror image, or its own where that is not covered.

    >>> frame = Raster(np.array([0, 1, 3, 4, 5]), np.zeros((5, 3), int), np.zeros((5, 3), np.float32), size=3)
    >>> opposite(frame).tolist()
    [0, 1, 4, 3, 2]
    """
    rows, columns = np.divmod(raster.pixels, raster.size)
    wanted = rows * raster.size + raster.size - 1 - columns
    places = np.searchsorted(raster.pixels, wanted).clip(max=len(wanted) - 1)
    return np.where(raster.pixels[places] == wanted, places, np.arange(len(wanted)))


@dataclass(frozen=True, slots=True, eq=False)
class TextureFit:
    """`mean` (3p,), orthonormal `basis` (K, 3p), `sd` (K,) over photographs and their `coefficients` (n, K).

    The leading components are alike on both sides of a face, in order of variance: they are the coordinates of a
    texture. Those that follow hold what is left, most of it light from one side.
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    sd: Floats
    coefficients: Floats


def fit_texture(textures: NDArray[np.float32], weights: Floats, mirror: NDArray[np.int64]) -> TextureFit:
    """PCA of the log colours of `textures` (n, p, 3), RGB in 0…1, and of their mirror images.

    Each photo counts as `weights` (n,) says; `mirror` (p,) has the place of each pixel's mirror image.
    """
    share = weights / weights.sum()
    textures = log_colours(textures)
    flipped = textures[:, mirror]
    even: NDArray[np.float32] = ((textures + flipped) / 2).reshape(len(textures), -1).astype(np.float32)
    mean = np.asarray(share.astype(np.float32) @ even)
    even -= mean
    odd: NDArray[np.float32] = ((textures - flipped) / 2).reshape(len(textures), -1).astype(np.float32)
    leading, leading_sd = _components(even, share, len(textures) - 2)
    others, others_sd = _components(odd, share, len(textures) - 2)
    kept = min(COMPONENTS, len(leading))
    rest, rest_sd = np.concatenate([leading[kept:], others]), np.concatenate([leading_sd[kept:], others_sd])
    order = np.argsort(-rest_sd, kind="stable")[: TEXTURE_COMPONENTS - kept]
    basis = np.concatenate([leading[:kept], rest[order]])
    coefficients = (even + odd) @ basis.T
    return TextureFit(mean, basis, np.concatenate([leading_sd[:kept], rest_sd[order]]), coefficients.astype(np.float64))


def _components(rows: NDArray[np.float32], share: Floats, count: int) -> tuple[NDArray[np.float32], Floats]:
    """Orthonormal directions (c, 3p), largest first, of centred `rows` (n, 3p), through the Gram matrix; their SD."""
    root = np.sqrt(share)
    gram = (rows @ rows.T).astype(np.float64) * root[:, None] * root
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][: min(TEXTURE_COMPONENTS, count)]
    order = order[values[order] > 1e-9 * values.max()]
    sd = np.sqrt(values[order])
    return ((vectors[:, order] * root[:, None] / sd).T.astype(np.float32) @ rows), sd


def tone_weights(itas: Floats) -> Floats:
    """How much each photo (n,) counts, mean 1, so that all six tones count alike as far as `RAREST` allows.

    >>> tone_weights(np.array([60.0, 60.0, 60.0, -40.0])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    classes = np.array([tone_class(float(ita)) for ita in itas])
    counts = np.bincount(classes, minlength=TONES)[classes]
    weights = np.minimum(len(itas) / np.count_nonzero(np.bincount(classes)) / counts, RAREST)
    return np.asarray(weights / weights.mean())


def moments(raw: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Mean and SD (a,) of attributes (n, a) over photos that count as `weights` (n,) says; NaN is unknown."""
    shares = np.where(np.isnan(raw), 0.0, weights[:, None])
    shares /= shares.sum(axis=0)
    mean = np.nansum(shares * raw, axis=0)
    return mean, np.sqrt(np.nansum(shares * (raw - mean) ** 2, axis=0))


def score(raw: Floats, mean: Floats, sd: Floats) -> Floats:
    """Attributes (n, a) z-scored; unknown ones (NaN) count as average."""
    return np.asarray(np.nan_to_num((raw - mean) / sd))


def fit_attributes(
    scores: Floats, coefficients: Floats, weights: Floats | None = None, ridge: float = RIDGE
) -> tuple[Floats, Floats]:
    """Ridge regression of coefficients (n, K) on scored attributes (n, a): effect (K, a), what is left (n, K).

    There is no intercept: both have mean 0 over rows that count as `weights` (n,) says.
    """
    weighted = scores.T if weights is None else scores.T * weights
    gram = weighted @ scores + ridge * len(scores) * np.eye(scores.shape[1])
    effect: Floats = np.linalg.solve(gram, weighted @ coefficients).T.astype(np.float64)
    return effect, coefficients - scores @ effect.T


def fit_expressions(scores: Floats, coefficients: Floats, subjects: Sequence[str]) -> tuple[Floats, Floats]:
    """What expressions do to textures, from changes within a person only: effect (K, f) and what is left (n, K).

    `scores` (n, f) of expression alone. Over people, a short lip or a furrowed brow goes with age and sex as well.
    """
    people = np.array(subjects)
    changes = [
        (scores[own] - scores[own].mean(axis=0), coefficients[own] - coefficients[own].mean(axis=0))
        for own in (people == name for name in sorted(set(subjects)))
        if own.sum() > 1
    ]
    within, moved = (np.concatenate(parts) for parts in zip(*changes, strict=True))
    effect, _ = fit_attributes(within, moved, ridge=EXPRESSION_RIDGE)
    return effect, coefficients - scores @ effect.T


def covariance_factor(covariance: Floats) -> Floats:
    """Lower triangular (K, K) whose product with its transpose is `covariance`, which may lack rank."""
    jitter = 1e-9 * np.trace(covariance) * np.eye(len(covariance))
    return np.asarray(np.linalg.cholesky(covariance + jitter))


def group_factors(residual: Floats, raw: Floats) -> Floats:
    """Factors (3, K, K) of the covariance of `residual` (n, K) among children, women and men.

    `raw` (n, a) attributes before they are scored. Groups are small, so each is mixed with a larger one, which for
    children and women is everybody who is no man: beards stay out. A larger group stands for one that is empty.
    """
    female, youth = raw[:, 1 - LASTING], raw[:, -1]
    child = np.nan_to_num(youth) > CHILD
    women, men = ~child & (female == 1), ~child & (female == 0)
    factors = []
    for group, larger in ((child, child | women), (women, child | women), (men, child | women | men)):
        wide = _second_moment(residual[larger] if larger.any() else residual)
        own = _second_moment(residual[group]) if group.any() else wide
        mixed = (1 - MIXED) * own + MIXED * wide * np.trace(own) / np.trace(wide)
        factors.append(covariance_factor(mixed))
    return np.asarray(np.array(factors) * np.array([CALMER, 1.0, 1.0])[:, None, None], dtype=np.float64)


def _second_moment(rows: Floats) -> Floats:
    return np.asarray(rows.T @ rows / len(rows))


def expression_means(strengths: Floats, subjects: Sequence[str], expressions: Sequence[str]) -> dict[str, Floats]:
    """What each named expression adds to a neutral face, (e,), as the mean over at least `FEWEST` people.

    `strengths` (n, e) of photos in SD. Of every person with a neutral photo the difference to it counts.
    """
    people, named = np.array(subjects), np.array(expressions)
    moved: dict[str, list[Floats]] = {}
    for name in sorted(set(people[named == "neutral"].tolist())):
        own = people == name
        neutral = strengths[own & (named == "neutral")].mean(axis=0)
        for expression in sorted(set(named[own].tolist()) - {"", "neutral"}):
            moved.setdefault(expression, []).append(strengths[own & (named == expression)].mean(axis=0) - neutral)
    return {name: np.mean(rows, axis=0) for name, rows in sorted(moved.items()) if len(rows) >= FEWEST}
