"""What a classifier that is already in use says of a release: the bundled one, which knows SIMULATED syndromes only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cross_validation import called
from ganonym.classify.learning.discriminant import Reference, load_reference
from ganonym.classify.metrics.rates import macro_recall
from ganonym.evaluate.assessment import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.noninferiority import compared, not_evaluated
from ganonym.types import Floats

FAMILY = "syndrome"
NAME = "macro top-1 by the bundled classifier of simulated syndromes"


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
        return [not_evaluated(FAMILY, NAME, "It knows fewer than two of these syndromes.")]

    def right(features: Floats, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        rows = features[photos]
        seen = found[photos] & np.isfinite(rows).all(axis=1)
        calls = called(reference.trained(np.nan_to_num(rows)), classes)
        return np.asarray((calls.predicted == classes) & seen)

    before, after = right(inputs.original_gestalt, inputs.found), right(inputs.released_gestalt, inputs.shown)
    statistics = macro_recall(before, classes), macro_recall(after, classes)
    subjects = [inputs.rows[index].subject for index in photos]
    return [compared(FAMILY, NAME, statistics, subjects, rng, margin=inputs.margin)]
