"""How a face was photographed: what of it can be measured at all, and what only with a caveat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.classify.measurement.table import Spoiler
from ganonym.faces.pose import estimate_pose
from ganonym.faces.shape import load_shape, normalize, split
from ganonym.types import Points, Pose, Refusal

YAW, YAW_REFUSED = 10.0, 15.0
PITCH, PITCH_REFUSED = 10.0, 20.0
"""Degrees. Pitch has the wider limits, because frontal faces of different people spread by 7° (`faces.pose`)."""
GAP = 0.15
"""Of the lips over the width of the mouth, from which on a mouth is open."""
SMILE = 1.0
"""SD of the shape model's first direction of expression, from which on a mouth smiles. A wide one at rest does too."""
LID_GAP = 0.12
"""Height over length of the palpebral fissures, below which an eye may be closed."""


@dataclass(frozen=True, slots=True)
class View:
    """`pose` in degrees; `gap` of the lips over the mouth's width; `smile` in SD; `lids`: height over length."""

    pose: Pose
    gap: float
    smile: float
    lids: float

    def spoilers(self) -> dict[Spoiler, str]:
        """What makes measurements unreliable here, each with its sentence."""
        found: dict[Spoiler, str] = {}
        if abs(self.pose.yaw) > YAW:
            found["yaw"] = f"the head is turned by {abs(self.pose.yaw):.0f}°, which shortens widths"
        if abs(self.pose.pitch) > PITCH:
            found["pitch"] = f"the head is tilted by {abs(self.pose.pitch):.0f}°, which shortens heights"
        if self.gap > GAP:
            found["open mouth"] = "the mouth is open"
        if self.smile > SMILE:
            found["smile"] = "the mouth is as in a smile"
        if self.lids < LID_GAP:
            found["blink"] = "an eye may be closed"
        return found

    def refusal(self) -> Refusal | None:
        """Why nothing should be concluded from this photograph; None where it is frontal enough."""
        for name, angle, limit in (("turned", self.pose.yaw, YAW_REFUSED), ("tilted", self.pose.pitch, PITCH_REFUSED)):
            if abs(angle) > limit:
                return Refusal("pose", f"the head is {name} by {abs(angle):.0f}°; at most {limit:.0f}° are read")
        return None


def view(points: Points, pose: Pose | None = None) -> View:
    """The view of landmarks (68, 2); `pose` of the head in the photograph, by default estimated from them.

    Raises EnvironmentFault when the bundled shape model lacks, ValueError when the landmarks are no face.
    """
    model = load_shape()
    _, expression = split(normalize(points, model), model)

    def distance(one: int, other: int) -> float:
        return float(np.linalg.norm(points[one] - points[other]))

    eyes = (((37, 41), (38, 40), (36, 39)), ((43, 47), (44, 46), (42, 45)))
    lids = min((distance(*one) + distance(*two)) / 2 / max(distance(*across), 1e-9) for one, two, across in eyes)
    return View(
        pose or estimate_pose(points),
        distance(62, 66) / max(distance(48, 54), 1e-9),
        float(expression[0] / model.expression_sd[0]),
        lids,
    )
