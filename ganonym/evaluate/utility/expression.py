"""Does the expression survive? The label by a classifier, and smile, mouth and eyes as the landmarks show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.learning.tabular import Discriminant
from ganonym.classify.metrics.rates import kappa
from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.four_cells import Side, four_cells
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.rows import FEWEST, compared, correlation, mean_of, not_evaluated, repeatability, reported
from ganonym.faces.shape import load_shape, normalize, split
from ganonym.types import Floats, Points

FAMILY = "expression"
COEFFICIENTS = (
    "smile",
    "dropped jaw",
    "lowered brows",
    "lowered lids",
    "raised corners of the mouth",
    "raised upper lip",
)


def expressions(points: list[Points]) -> Floats:
    """Of landmarks (n of (68, 2)): expression coefficients in SD, then opening of mouth and eyes, (n, e + 2).

    The mouth is opened by the distance of the inner lips over its width; eyes by the eye aspect ratio (Soukupová and
    Čech 2016), the mean of both.
    """
    model = load_shape()
    shapes = [normalize(point, model) for point in points]
    coefficients = [split(shape, model)[1] / model.expression_sd for shape in shapes]
    openings = [[_mouth(shape), (_eye(shape[36:42]) + _eye(shape[42:48])) / 2] for shape in shapes]
    return np.concatenate([np.array(coefficients), np.array(openings)], axis=1)


def expression(inputs: UtilityInputs, rng: np.random.Generator, seed: int) -> list[Utility]:
    """Rows for the manifest's expression labels, and rows that need no labels."""
    return [*_labels(inputs, rng, seed), *_agreement(inputs, rng)]


def _labels(inputs: UtilityInputs, rng: np.random.Generator, seed: int) -> Iterator[Utility]:
    """Accuracy and kappa of the label called by an LDA of the coefficients, learned on originals of other subjects.

    A photo without output or face is wrong.
    """
    people = defaultdict(set)
    for row in inputs.rows:
        if row.expression is not None:
            people[row.expression].add(row.subject)
    names = sorted(name for name, subjects in people.items() if len(subjects) > 1)
    if len(names) < 2:
        yield not_evaluated(FAMILY, "label", "The manifest names no two expressions of two subjects or more.")
        return
    photos = [index for index, row in enumerate(inputs.rows) if row.expression in names]
    classes = np.array([names.index(inputs.rows[index].expression or "") for index in photos], dtype=np.intp)
    subjects = [inputs.subjects[index] for index in photos]
    sides = []
    for points in (inputs.original_points, inputs.released_points):
        seen = [face for index in photos if (face := points[index]) is not None]
        found = np.array([points[index] is not None for index in photos], dtype=bool)
        rows = np.zeros((len(photos), len(load_shape().expression_sd) + 2))
        if seen:
            rows[found] = expressions(seen)
        sides.append(Side(rows, found))
    calls = four_cells(Discriminant(), sides[0], sides[1], classes, subjects, seed)
    right = [mean_of(calls[cell].right().astype(np.float64)) for cell in ("OO", "OA")]
    agree = [kappa(calls[cell].predicted, classes) for cell in ("OO", "OA")]
    yield compared(FAMILY, "label, accuracy", (right[0], right[1]), subjects, rng, margin=inputs.margin)
    yield compared(FAMILY, "label, kappa", (agree[0], agree[1]), subjects, rng, bounds=(-1.0, 1.0))


def _agreement(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Correlation and mean absolute error of each number, in SD of the originals, where both sides show a face."""
    both: NDArray[np.intp] = np.flatnonzero(inputs.found & inputs.shown)
    subjects = [inputs.subjects[index] for index in both]
    if len(set(subjects)) < FEWEST:
        yield not_evaluated(FAMILY, "all measures", f"{len(set(subjects))} subjects have a face on both sides.")
        return
    before = expressions([points for index in both if (points := inputs.original_points[index]) is not None])
    after = expressions([points for index in both if (points := inputs.released_points[index]) is not None])
    spread = before.std(axis=0, ddof=1)
    spread = np.where(spread > 1e-12, spread, 1.0)
    names = (*COEFFICIENTS[: before.shape[1] - 2], "opening of the mouth", "opening of the eyes")
    for name, one, other in zip(names, (before / spread).T, (after / spread).T, strict=True):
        ceiling = repeatability(one, subjects, rng)
        yield reported(
            FAMILY,
            f"{name}, correlation",
            correlation(one, other),
            subjects,
            rng,
            bounds=(-1.0, 1.0),
            original=ceiling,
            note="Beside it: two originals of one person." if ceiling is not None else "",
        )
        yield reported(FAMILY, f"{name}, mean absolute error in SD", mean_of(np.abs(other - one)), subjects, rng)


def _mouth(shape: Points) -> float:
    gaps = np.linalg.norm(shape[[61, 62, 63]] - shape[[67, 66, 65]], axis=1).mean()
    return float(gaps / np.linalg.norm(shape[54] - shape[48]))


def _eye(eye: Points) -> float:
    gaps = np.linalg.norm(eye[[1, 2]] - eye[[5, 4]], axis=1).sum()
    return float(gaps / (2 * np.linalg.norm(eye[3] - eye[0])))
