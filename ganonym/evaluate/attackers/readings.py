"""What an attacker reads from a picture of a face, and how such readings follow from what he holds of a photo.

A reading has the face's coordinates (`ganonym.faces.coordinates`: shape, skin, expression) and a small picture of it in
CIELAB, as the coordinates of a face that was not drawn by us may say little. How the reading of an output follows from
blocks of numbers about a photo is learned on other people's pairs: ridge regression, block after block, of each
principal coordinate of the outputs with a penalty of its own, by cross-validation over people. A block that tells
nothing of people left out is not used. What is left over is taken for normal, its covariance shrunk (Ledoit & Wolf
2004): then every candidate has a likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.evaluate.attackers.attacker import Rows, Sample
from ganonym.faces.aligned import aligned
from ganonym.faces.appearance import load_appearance
from ganonym.faces.coordinates import COMPONENTS, read_texture, row_of
from ganonym.faces.shape import normalize
from ganonym.faces.tone import lab_of_linear, linear_of
from ganonym.types import RGB, Floats, Points

SIDE = 12
COLOURS = 3 * SIDE * SIDE
AXES = 80
"""Principal coordinates of readings that are looked at; at most one for every four photos."""
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
        return _coordinates() + COLOURS

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
    kept, best = targets.copy(), ((1.0 - _GAIN) * targets**2).sum(axis=0)
    penalty = np.full(targets.shape[1], np.inf)
    for tried in PENALTIES:
        missed = targets.copy()
        for number in np.unique(fold):
            others = fold != number
            step = _ridge(block[others], targets[others], np.full(targets.shape[1], tried))
            missed[~others] -= step(block[~others])
        squares = (missed**2).sum(axis=0)
        better = squares < best
        best[better], penalty[better] = squares[better], tried
        kept[:, better] = missed[:, better]
    return _ridge(block, targets, penalty), kept


def _ridge(block: Floats, targets: Floats, penalty: Floats) -> Step:
    """Ridge regression of each of `targets` (n, r) with its own `penalty` (r,); an infinite one gives zeros."""
    mean = block.mean(axis=0)
    left, lengths, right = np.linalg.svd(block - mean, full_matrices=False)
    shrunk = lengths[:, None] / (lengths[:, None] ** 2 + len(block) * np.minimum(penalty, 1e300) + _TINY)
    return Step(mean, np.asarray(right.T @ (np.where(np.isinf(penalty), 0.0, shrunk) * (left.T @ targets))))
