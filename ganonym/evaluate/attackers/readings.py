"""What an attacker reads from a picture of a face, and how such readings follow from what he holds of a photo.

A reading has the face's coordinates (`ganonym.faces.coordinates`: shape, skin, expression) and a small picture of it in
CIELAB, as the coordinates of a face that was not drawn by us may say little. How the reading of an output follows from
blocks of numbers about a photo is learned on other people's pairs, block after block: first how much of each coordinate
comes through, one number for each; then ridge regression of each on all, with a penalty of its own, by cross-validation
over people. What tells nothing of people left out is not used. What is left over is taken for normal, its covariance
shrunk (Ledoit & Wolf 2004): then every candidate has a likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.evaluate.attackers.attacker import Rows, Sample, View
from ganonym.faces.aligned import aligned
from ganonym.faces.appearance import load_appearance
from ganonym.faces.coordinates import COMPONENTS, read_texture, row_of
from ganonym.faces.shape import normalize
from ganonym.faces.tone import lab_of_linear, linear_of
from ganonym.types import RGB, Floats, Points

SIDE = 12
COLOURS = 3 * SIDE * SIDE
AXES = 80
"""Principal coordinates that are looked at; at most one for every four photos."""
COLOUR_AXES = 30
PENALTIES = tuple(10.0**power for power in range(-3, 4))
"""Ridge penalties tried for unit variance, a photo; beside them, that the block is of no use."""
FOLDS = 4
_GAIN = 0.01  # of a coordinate's variance: what a block must explain of people left out, more than which chance does
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class ReadingView:
    """Coordinates of the face as a detector finds it, and a small picture of it, each block of about unit length."""

    name: str = "readings"

    @property
    def width(self) -> int:
        """Shape, skin, expression and colours. Raises EnvironmentFault."""
        return self.leading + COLOURS

    @property
    def leading(self) -> int:
        """How many of the first entries mean something each, so that they are not to be mixed."""
        return _coordinates()

    def template(self, sample: Sample) -> NDArray[np.float32] | None:
        """float32 (width,), None where it is not known where the face is. Raises EnvironmentFault."""
        points = sample.place if sample.points is None else sample.points
        if points is None:
            return None
        colours = lab_of_linear(linear_of(aligned(sample.rgb, points, SIDE).reshape(-1, 3)))
        return np.concatenate([read(sample.rgb, points), colours.ravel() / 100.0]).astype(np.float32)


def read(rgb: RGB, points: Points) -> Floats:
    """Coordinates (D,) of the face with landmarks `points` (68, 2); the skin is an average one where none is seen."""
    model = load_appearance()
    try:
        texture = read_texture(rgb, points, model)
    except PhotoError:
        texture = np.zeros(COMPONENTS)
    return row_of(normalize(points, model.shape), texture, model)


def _coordinates() -> int:
    shape = load_appearance().shape
    return len(shape.identity_sd) + COMPONENTS + len(shape.expression_sd)


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """`mean` (d,), `axes` (d, a): rows to their principal coordinates, of unit variance."""

    mean: Floats
    axes: Floats

    def __call__(self, rows: Rows) -> Floats:
        """(n, a); NaN rows stay NaN."""
        return np.asarray((rows - self.mean) @ self.axes)


def principal(rows: Rows) -> Principal:
    """Of `rows` (n, d), all of them finite; each coordinate counts alike, whatever its units."""
    double = np.asarray(rows, dtype=np.float64)
    mean, spread = double.mean(axis=0), double.std(axis=0)
    scale = 1.0 / np.where(spread > 1e-9, spread, np.inf)
    _, lengths, axes = np.linalg.svd((double - mean) * scale, full_matrices=False)
    count = max(1, min(AXES, len(double) // 4, int((lengths > 1e-6 * max(lengths[0], _TINY)).sum())))
    sds = np.maximum(lengths[:count] / np.sqrt(len(double)), _TINY)
    return Principal(mean, scale[:, None] * axes[:count].T / sds)


def leading_of(view: View) -> int:
    """How many entries of a view's templates are not to be mixed with others: all, where it does not say."""
    return int(getattr(view, "leading", view.width))


def two_sides(before: Rows, after: Rows, leading: int) -> tuple[Principal, Principal]:
    """Coordinates of originals (n, d) and of outputs (m, d), the same for both but for the mean of either side.

    The first `leading` entries in units of their spread, of the others principal coordinates, at most COLOUR_AXES.
    """
    means = [np.asarray(side, dtype=np.float64).mean(axis=0) for side in (before, after)]
    pooled = np.concatenate([side - mean for side, mean in zip((before, after), means, strict=True)])
    spread = pooled.std(axis=0)
    axes = np.diag(1.0 / np.where(spread > 1e-9, spread, np.inf))[:, :leading]
    if leading < pooled.shape[1]:
        _, lengths, own = np.linalg.svd(pooled[:, leading:], full_matrices=False)
        count = max(1, min(COLOUR_AXES, len(pooled) // 8, int((lengths > 1e-6 * max(lengths[0], _TINY)).sum())))
        rest = np.zeros((pooled.shape[1], count))
        rest[leading:] = own[:count].T * np.sqrt(len(pooled)) / np.maximum(lengths[:count], _TINY)
        axes = np.concatenate([axes, rest], axis=1)
    return Principal(means[0], axes), Principal(means[1], axes)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What a block adds to the prediction: (block - mean) @ matrix."""

    mean: Floats
    matrix: Floats

    def __call__(self, block: Floats) -> Floats:
        """(n, r)."""
        return np.asarray((block - self.mean) @ self.matrix)


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """The reading of an output, given blocks about its photo, is normal about the sum of `steps`.

    `whitener` (r, r) makes what is left over unit noise.
    """

    mean: Floats
    steps: tuple[Step, ...]
    whitener: Floats

    def predicted(self, blocks: Sequence[Floats]) -> Floats:
        """What outputs of photos would read like, (n, r); `blocks` (n, d) as learned."""
        return np.asarray(self.mean + sum(step(block) for step, block in zip(self.steps, blocks, strict=True)))

    def log_likelihood(self, outputs: Floats, blocks: Sequence[Floats]) -> Floats:
        """(p, n), up to a constant: of each reading (p, r) under each photo; NaN where either is missing."""
        from scipy.spatial.distance import cdist

        distances = cdist(outputs @ self.whitener, self.predicted(blocks) @ self.whitener, "sqeuclidean")
        return np.asarray(-0.5 * distances)


def learn_reader(outputs: Floats, blocks: Sequence[Floats], people: NDArray[np.intp]) -> Reader:
    """From readings of outputs (n, r) and blocks (n, d) about their photos; `people` (n,) numbers who is on them.

    >>> rng = np.random.default_rng(0)
    >>> photos = rng.standard_normal((200, 3))
    >>> outputs = 2.0 * photos + 0.1 * rng.standard_normal((200, 3))
    >>> reader = learn_reader(outputs, [photos], np.arange(200))
    >>> (reader.log_likelihood(outputs, [photos]).argmax(axis=1) == np.arange(200)).mean() > 0.9
    np.True_
    """
    from sklearn.covariance import ledoit_wolf

    mean = outputs.mean(axis=0)
    left = outputs - mean
    fold = np.unique(people, return_inverse=True)[1] % FOLDS
    steps = []
    for block in blocks:
        step, left = _step(block, left, fold)
        steps.append(step)
    covariance, _ = ledoit_wolf(left, assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    return Reader(mean, tuple(steps), vectors / np.sqrt(np.maximum(values, max(float(values[-1]) * 1e-9, _TINY))))


def _step(block: Floats, targets: Floats, fold: NDArray[np.intp]) -> tuple[Step, Floats]:
    """The step, and what it leaves over of `targets` (n, r) on people whom it was not learned from."""
    mean, left = block.mean(axis=0), targets
    matrix = np.zeros((block.shape[1], targets.shape[1]))
    if block.shape[1] == targets.shape[1]:
        through, left = _through(block, targets, fold)
        matrix += np.diag(through)
    mixed, left = _mixed(block, left, fold)
    return Step(mean, matrix + mixed), left


def _through(block: Floats, targets: Floats, fold: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """How much of each coordinate comes through, (r,), 0 where that predicts nobody; and what is left over."""
    missed = targets.copy()
    for number in np.unique(fold):
        others = fold != number
        missed[~others] -= (block[~others] - block[others].mean(axis=0)) * _slopes(block[others], targets[others])
    useful = (missed**2).sum(axis=0) < (1.0 - _GAIN) * (targets**2).sum(axis=0)
    return np.where(useful, _slopes(block, targets), 0.0), np.where(useful, missed, targets)


def _slopes(block: Floats, targets: Floats) -> Floats:
    centred = block - block.mean(axis=0)
    return np.asarray((centred * targets).sum(axis=0) / np.maximum((centred**2).sum(axis=0), _TINY))


def _mixed(block: Floats, targets: Floats, fold: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Matrix (d, r) of ridge regressions, each with the penalty that predicts best; and what is left over."""
    left, best = targets.copy(), (1.0 - _GAIN) * (targets**2).sum(axis=0)
    penalty = np.full(targets.shape[1], np.inf)
    missed = np.repeat(targets[None], len(PENALTIES), axis=0)
    for number in np.unique(fold):
        others = fold != number
        parts = _decomposed(block[others], targets[others])
        for place, tried in enumerate(PENALTIES):
            centred = block[~others] - block[others].mean(axis=0)
            missed[place, ~others] -= centred @ _ridge(parts, int(others.sum()), np.full(len(penalty), tried))
    for tried, own in zip(PENALTIES, missed, strict=True):
        squares = (own**2).sum(axis=0)
        better = squares < best
        best[better], penalty[better] = squares[better], tried
        left[:, better] = own[:, better]
    return _ridge(_decomposed(block, targets), len(block), penalty), left


Parts: TypeAlias = tuple[Floats, Floats, Floats]


def _decomposed(block: Floats, targets: Floats) -> Parts:
    """Right singular vectors (a, d) and singular values (a,) of the centred block, and targets along the left ones."""
    left, lengths, right = np.linalg.svd(block - block.mean(axis=0), full_matrices=False)
    return right, lengths, left.T @ targets


def _ridge(parts: Parts, count: int, penalty: Floats) -> Floats:
    """Ridge regression (d, r) with a `penalty` (r,) for each target, an infinite one giving zeros."""
    right, lengths, along = parts
    shrunk = lengths[:, None] / (lengths[:, None] ** 2 + count * np.minimum(penalty, 1e300) + _TINY)
    return np.asarray(right.T @ (np.where(np.isinf(penalty), 0.0, shrunk) * along))
