"""The attacker without weights: correlation of 24 x 24 grey thumbnails of the aligned face.

Blurred and pixelated faces that no recognizer finds are still linked by it (evaluation protocol, tier T0 `pixel-ncc`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.evaluate.attackers.attacker import Approach, Fixed, uncorrelated
from ganonym.evaluate.sample import Sample
from ganonym.faces.thumbnail import SIDE, face_thumbnail
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class ThumbnailView:
    """Grey thumbnail of the aligned face with zero mean and unit variance."""

    name: str = "thumbnail"
    width: int = SIDE * SIDE

    def template(self, sample: Sample) -> Floats | None:
        """(576,), None without landmarks. A face of one grey has no pattern: all zeros."""
        points = sample.place
        if points is None:
            return None
        return standardized(face_thumbnail(sample.rgb, points).astype(np.float64).ravel())


def standardized(grey: Floats) -> Floats:
    """`grey` (d,) with zero mean and unit variance; zeros where it has no variance.

    >>> standardized(np.array([1.0, 3.0])).tolist(), standardized(np.array([7.0, 7.0])).tolist()
    ([-1.0, 1.0], [0.0, 0.0])
    """
    centred = grey - grey.mean()
    spread = centred.std()
    return np.asarray(centred / spread) if spread > 0 else np.zeros_like(centred)


THUMBNAIL = Fixed("thumbnail", ThumbnailView(), uncorrelated, Approach("T0", "small grey picture of the face"))
