"""Which photographs show the face from the front: screening is surer on them (Baek et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import Pose

YAW = 15.0


@dataclass(frozen=True, slots=True)
class Frontal:
    """Places of the photos `kept` and `left` out, each ascending; together all photos, each once."""

    kept: NDArray[np.intp]
    left: NDArray[np.intp]


def frontal(poses: Sequence[Pose | None], yaw: float = YAW, pitch: float | None = None) -> Frontal:
    """Keeps heads that turn by at most `yaw` degrees to either side and nod by at most `pitch` (None: by any angle).

    `poses[i]` is `Portrait.pose` of photo i, None where no face was found: that one is left out. Roll plays no part, a
    canvas is upright. Baek et al. (Plast Reconstr Surg 2025) report 95 % on frontal photos without saying what angle
    they allowed: 15 degrees is ours, five times what `estimate_pose` spreads by. Raises UsageError for a limit below 0.

    >>> frontal([Pose(3.0, 0.0, 0.0), Pose(-40.0, 0.0, 0.0), None])
    Frontal(kept=array([0]), left=array([1, 2]))
    """
    for name, limit in (("yaw", yaw), ("pitch", 0.0 if pitch is None else pitch)):
        if not limit >= 0.0:
            raise UsageError(f"heads cannot turn by at most {limit} degrees of {name}.", "Give 0 or more.")
    ahead = np.array(
        [each is not None and abs(each.yaw) <= yaw and (pitch is None or abs(each.pitch) <= pitch) for each in poses],
        dtype=np.bool_,
    )
    return Frontal(np.flatnonzero(ahead), np.flatnonzero(~ahead))
