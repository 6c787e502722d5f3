"""Do the measures that dysmorphology reads survive? Inter-canthal, palpebral, philtrum, nose, mouth and jaw ratios."""

from __future__ import annotations

import numpy as np

from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.rows import (
    FEWEST,
    correlation,
    limits_of_agreement,
    mean_of,
    not_evaluated,
    repeatability,
    reported,
)
from ganonym.faces.measures import LANDMARK_AXES, measure
from ganonym.faces.shape import load_shape, normalize
from ganonym.types import Floats, Points

FAMILY = "dysmorphology"
NAMES = {
    "ALARW": "width of the nose",
    "BROWARCH": "arch of the brows",
    "CHEEK": "fullness of the cheeks",
    "CHINH": "height of the chin",
    "CHINPT": "pointedness of the chin",
    "CORNERY": "height of the mouth's corners",
    "ENEN": "inner-canthal distance",
    "FACEH": "height of the face",
    "FACEW": "width of the face",
    "IPD": "interpupillary distance",
    "JAWW": "width of the jaw",
    "LVERM": "lower vermilion",
    "MOUTHW": "width of the mouth",
    "NBRIDGEW": "width of the nasal bridge",
    "NOSEL": "length of the nose",
    "PFHGT": "height of the palpebral fissure",
    "PFINC": "slant of the palpebral fissure",
    "PFLEN": "length of the palpebral fissure",
    "PHIL": "length of the philtrum",
    "TIPUP": "upturn of the nasal tip",
    "UVERM": "upper vermilion",
}


def measures(points: list[Points]) -> Floats:
    """The measures of landmarks (n of (68, 2)), each of NAMES a column, (n, 21); roll and size removed."""
    model = load_shape()
    found = measure(np.array([normalize(point, model) for point in points]), LANDMARK_AXES)
    return np.stack([found[axis] for axis in NAMES], axis=1)


def dysmorphology(inputs: UtilityInputs, rng: np.random.Generator) -> list[Utility]:
    """Per measure the correlation of released pictures with originals, beside that of two originals of one person.

    All in SD of the originals. `difference` is Bland and Altman's bias, and the note gives their 95 % limits of
    agreement; intervals by bootstrap over subjects. The first row is the mean correlation over measures. Photos without
    a face on either side are left out, and their number is said.
    """
    both = np.flatnonzero(inputs.found & inputs.shown)
    subjects = [inputs.subjects[index] for index in both]
    if len(set(subjects)) < FEWEST:
        return [not_evaluated(FAMILY, "all measures", f"{len(set(subjects))} subjects have a face on both sides.")]
    before = measures([points for index in both if (points := inputs.original_points[index]) is not None])
    after = measures([points for index in both if (points := inputs.released_points[index]) is not None])
    centre, spread = before.mean(axis=0), before.std(axis=0, ddof=1)
    spread = np.where(spread > 1e-12, spread, 1.0)
    before, after = (before - centre) / spread, (after - centre) / spread
    correlations = [correlation(one, other) for one, other in zip(before.T, after.T, strict=True)]
    absent = len(inputs.rows) - len(both)
    rows = [
        reported(
            FAMILY,
            "mean correlation over all measures",
            lambda photos: float(np.mean([correlation(photos) for correlation in correlations])),
            subjects,
            rng,
            bounds=(-1.0, 1.0),
            note=f"{absent} photos without a face on either side are left out." if absent else "",
        )
    ]
    for column, name in enumerate(NAMES.values()):
        gaps = after[:, column] - before[:, column]
        low, high = limits_of_agreement(gaps)
        bias = reported(FAMILY, name, mean_of(gaps), subjects, rng)
        row = reported(
            FAMILY,
            name,
            correlations[column],
            subjects,
            rng,
            bounds=(-1.0, 1.0),
            original=repeatability(before[:, column], subjects, rng),
            note=f"Correlation; the difference is the bias in SD; 95 % limits of agreement {low:.2f} … {high:.2f}.",
        )
        rows.append(row if row.released is None else row.model_copy(update={"difference": bias.released}))
    return rows
