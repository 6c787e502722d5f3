"""Does the head still look the same way? Yaw, pitch and roll from the landmarks of both pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganonym.evaluate.assessment import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.noninferiority import not_evaluated, reported
from ganonym.evaluate.utility.paired import mean_of
from ganonym.faces.pose import estimate_pose
from ganonym.types import Floats, Points

FAMILY = "pose"
ANGLES = ("yaw", "pitch", "roll")


def turned(before: Points, after: Points) -> Floats:
    """Absolute differences of yaw, pitch and roll between two sets of landmarks (68, 2), in degrees 0…180, (3,)."""
    one, other = estimate_pose(before), estimate_pose(after)
    gaps = np.array([getattr(other, name) - getattr(one, name) for name in ANGLES])
    return np.asarray(np.abs((gaps + 180.0) % 360.0 - 180.0))


def pose(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Mean absolute error of each angle in degrees where both sides show a face.

    Roll only of released pictures that keep the original's geometry: an upright crop has lost it on purpose.
    """
    pairs = [
        (index, turned(before, after))
        for index, (before, after) in enumerate(zip(inputs.original_points, inputs.released_points, strict=True))
        if before is not None and after is not None
    ]
    for angle, name in enumerate(ANGLES):
        used = [pair for pair in pairs if name != "roll" or inputs.in_place[pair[0]]]
        if not used:
            why = "No pair of pictures with a face on both sides" + (" and one geometry." if name == "roll" else ".")
            yield not_evaluated(FAMILY, f"{name}, mean absolute error", why)
            continue
        values = np.array([gaps[angle] for _, gaps in used])
        subjects = [inputs.subjects[index] for index, _ in used]
        yield reported(FAMILY, f"{name}, mean absolute error in degrees", mean_of(values), subjects, rng)
