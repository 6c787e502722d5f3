"""Are syndromes still recognised? Classifiers trained in four cells, and the bundled one, which is trained already."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cross_validation import called
from ganonym.classify.learner import Calls, Learner
from ganonym.classify.learning.small_network import SmallNetwork
from ganonym.classify.learning.tabular import Discriminant, Reference, load_reference
from ganonym.classify.metrics.rates import calibration_error, macro_f1, macro_recall
from ganonym.errors import UsageError
from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.four_cells import Candidate, Cell, Side, four_cells
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.rows import compared, not_evaluated
from ganonym.faces.shape import load_shape, normalize
from ganonym.statistics.intervals import Statistic, subject_bootstrap
from ganonym.types import Floats, Points

FAMILY = "syndrome"
NETWORK = SmallNetwork()
WITHIN, CLASSES_FOR_IT = 5, 10
CELL_NAMES: dict[Cell, str] = {
    "OA": "trained on originals, tested on released",
    "AO": "trained on released, tested on originals",
    "AA": "trained and tested on released",
}


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """The photos that can be classified: `photos` (n,) their indices among all, `classes` (n,) from 0 without gaps.

    `names` of the classes in alphabetical order, `people` (c,) in each. `calls` by classifier and cell;
    `refused`: why a classifier cannot learn.
    """

    photos: NDArray[np.intp]
    classes: NDArray[np.intp]
    subjects: tuple[str, ...]
    names: tuple[str, ...]
    people: NDArray[np.intp]
    calls: Mapping[str, Mapping[Cell, Calls]]
    refused: Mapping[str, str] = field(default_factory=dict)


def diagnose(
    inputs: UtilityInputs, seed: int, network: Learner = NETWORK, added: Sequence[Candidate] = ()
) -> Diagnosed | None:
    """Every photo with a syndrome called in the four cells, by landmarks, by pixels and by every `added` classifier.

    Classes of fewer than two subjects are left out, because nobody could be learned from; None when fewer than two
    classes remain. "landmarks" is a shrinkage LDA on normalised shapes, "pixels" the `network` on aligned crops,
    "gestalt" a shrinkage LDA on embeddings of the bundled gestalt encoder, where they were computed. What an added
    classifier refuses to learn is in `refused`.
    """
    people = defaultdict(set)
    for row in inputs.rows:
        if row.syndrome is not None:
            people[row.syndrome].add(row.subject)
    names = tuple(sorted(name for name, subjects in people.items() if len(subjects) > 1))
    if len(names) < 2:
        return None
    number = {name: index for index, name in enumerate(names)}
    photos = np.array([index for index, row in enumerate(inputs.rows) if row.syndrome in number], dtype=np.intp)
    rows = [inputs.rows[index] for index in photos]
    classes = np.array([number[row.syndrome] for row in rows if row.syndrome is not None], dtype=np.intp)
    subjects = tuple(row.subject for row in rows)
    found, shown = inputs.found[photos], inputs.shown[photos]
    shapes = [
        Side(_shapes([points[index] for index in photos]), seen)
        for points, seen in ((inputs.original_points, found), (inputs.released_points, shown))
    ]
    crops = [Side(inputs.original_crops[photos], found), Side(inputs.released_crops[photos], shown)]
    calls = {
        "landmarks": four_cells(Discriminant(), shapes[0], shapes[1], classes, subjects, seed),
        "pixels": four_cells(network, crops[0], crops[1], classes, subjects, seed),
    }
    if inputs.original_gestalt is not None and inputs.released_gestalt is not None:
        before, after = (
            Side(np.nan_to_num(rows[photos]), seen & np.isfinite(rows[photos]).all(axis=1))
            for rows, seen in ((inputs.original_gestalt, found), (inputs.released_gestalt, shown))
        )
        calls["gestalt"] = four_cells(Discriminant(), before, after, classes, subjects, seed)
    refused: dict[str, str] = {}
    for candidate in added:
        name = _unused(candidate.name, [*calls, *refused])
        before, after = (
            Side(side.inputs[photos], side.found[photos]) for side in (candidate.originals, candidate.released)
        )
        try:
            calls[name] = four_cells(candidate.learner, before, after, classes, subjects, seed)
        except UsageError as error:
            refused[name] = str(error)
    sizes = np.array([len(people[name]) for name in names], np.intp)
    return Diagnosed(photos, classes, subjects, names, sizes, calls, refused)


def syndromes(inputs: UtilityInputs, found: Diagnosed | None, rng: np.random.Generator) -> list[Utility]:
    """Macro top-1 and, of ten classes or more, top-5, of all classes and of frequent and rare ones; F1 and calibration.

    A photo without output, or without a face in it, is wrong where tested and missing where trained. What a classifier
    cannot do on originals (lower bound of top-1 not above chance) it cannot be seen to lose: "not evaluated".
    """
    if found is None:
        return [not_evaluated(FAMILY, "macro top-1", "The manifest names no two syndromes of two subjects or more.")]
    alone = len({row.syndrome for row in inputs.rows if row.syndrome is not None}) - len(found.names)
    note = f"{alone} syndromes of a single subject are left out." if alone else ""
    rows = [row for kind in found.calls for row in _of_classifier(inputs, found, kind, note, rng)]
    return rows + [not_evaluated(FAMILY, f"macro top-1 by {kind}", why) for kind, why in found.refused.items()]


def _unused(name: str, names: Collection[str]) -> str:
    """`name`, numbered where it is taken.

    >>> _unused("svm", ["svm", "svm 2"])
    'svm 3'
    """
    numbered = (name if number == 1 else f"{name} {number}" for number in itertools.count(1))
    return next(choice for choice in numbered if choice not in names)


def _of_classifier(
    inputs: UtilityInputs, found: Diagnosed, kind: str, note: str, rng: np.random.Generator
) -> Iterator[Utility]:
    calls, count = found.calls[kind], len(found.names)
    ceiling = subject_bootstrap(macro_recall(calls["OO"].right(), found.classes), found.subjects, rng)
    if ceiling.low <= 1.0 / count:
        why = f"On originals not above chance ({1.0 / count:.3f}) with this data."
        yield not_evaluated(FAMILY, f"macro top-1 by {kind}", f"{why} {note}".strip(), ceiling)
        return

    def row(name: str, cell: Cell, statistics: tuple[Statistic, Statistic], margin: float | None) -> Utility:
        whole = f"{name} by {kind}, {CELL_NAMES[cell]}"
        return compared(FAMILY, whole, statistics, found.subjects, rng, margin=margin, note=note)

    for name, among in _strata(found, inputs.rare):
        for within in (1, WITHIN) if count >= CLASSES_FOR_IT else (1,):
            before = macro_recall(calls["OO"].right(within), found.classes, among)
            for cell in CELL_NAMES:
                after = macro_recall(calls[cell].right(within), found.classes, among)
                yield row(f"macro top-{within}{name}", cell, (before, after), inputs.margin)
    for cell in CELL_NAMES:
        scores = macro_f1(calls["OO"], found.classes), macro_f1(calls[cell], found.classes)
        yield row("macro F1", cell, scores, inputs.margin)
    for cell in CELL_NAMES:
        errors = calibration_error(calls["OO"]), calibration_error(calls[cell])
        yield row("calibration error", cell, errors, None)


def _strata(found: Diagnosed, rare: int) -> list[tuple[str, NDArray[np.bool_] | None]]:
    """All classes; and, where there are both, the frequent and the rare ones."""
    few = found.people <= rare
    if not few.any() or few.all():
        return [("", None)]
    return [("", None), (" of frequent syndromes", ~few), (f" of rare syndromes (up to {rare} subjects)", few)]


def _shapes(points: list[Points | None]) -> Floats:
    """Normalised landmarks (n, 136); zeros without landmarks."""
    model = load_shape()
    empty = np.zeros(2 * len(model.mean))
    return np.array([empty if point is None else normalize(point, model).ravel() for point in points])


FAMILY = "syndrome"
BUNDLED = "macro top-1 by the bundled classifier of simulated syndromes"


def deployed(inputs: UtilityInputs, rng: np.random.Generator, reference: Reference | None = None) -> list[Utility]:
    """Macro top-1 of `reference` (by default the bundled one) on originals and on released pictures, compared.

    Of photos whose syndrome it knows; one without output, or without a face, is wrong. Nothing without syndromes or
    embeddings; "not evaluated" where it knows fewer than two of the syndromes, as of all patients.
    """
    if inputs.original_gestalt is None or inputs.released_gestalt is None:
        return []
    if all(row.syndrome is None for row in inputs.rows):
        return []
    reference = reference or load_reference()
    place = {name: index for index, name in enumerate(reference.names)}
    photos = np.array([index for index, row in enumerate(inputs.rows) if row.syndrome in place], dtype=np.intp)
    classes = np.array([place[row.syndrome] for row in inputs.rows if row.syndrome in place], dtype=np.intp)
    if len(np.unique(classes)) < 2:
        return [not_evaluated(FAMILY, BUNDLED, "It knows fewer than two of these syndromes.")]

    def right(features: Floats, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        rows = features[photos]
        seen = found[photos] & np.isfinite(rows).all(axis=1)
        calls = called(reference.trained(np.nan_to_num(rows)), classes)
        return np.asarray((calls.predicted == classes) & seen)

    before, after = right(inputs.original_gestalt, inputs.found), right(inputs.released_gestalt, inputs.shown)
    statistics = macro_recall(before, classes), macro_recall(after, classes)
    subjects = [inputs.rows[index].subject for index in photos]
    return [compared(FAMILY, BUNDLED, statistics, subjects, rng, margin=inputs.margin)]
