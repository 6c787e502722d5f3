"""Correlation of grey thumbnails of the inner face alone: eyes, brows, nose and mouth, without contour, hair or neck.

What is left of the thumbnail attack when everything around the face was changed or is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Approach, Fixed, uncorrelated
from ganonym.evaluate.attackers.thumbnail import standardized
from ganonym.evaluate.sample import Sample
from ganonym.faces.thumbnail import face_thumbnail
from ganonym.types import Floats

SIDE = 24
# Eyes 11 pixels apart: the thumbnail spans just over two eye distances, less than the cheekbones.
ANCHORS = np.array([[6.0, 7.5], [17.0, 7.5], [11.5, 18.5]])


def inner_mask(side: int = SIDE) -> NDArray[np.bool_]:
    """Mask (side, side) of the ellipse inscribed in the square: it leaves out what lies beside and below the jaw."""
    middle = (side - 1) / 2
    y, x = np.ogrid[:side, :side]
    inside: NDArray[np.bool_] = (x - middle) ** 2 + (y - middle) ** 2 <= (side / 2) ** 2
    return inside


_INSIDE = inner_mask()


@dataclass(frozen=True, slots=True)
class InnerFaceView:
    """Grey levels of the inner face, brows to chin, with zero mean and unit variance."""

    name: str = "inner face"
    width: int = int(_INSIDE.sum())

    def template(self, sample: Sample) -> Floats | None:
        """(448,), None without landmarks. A face of one grey has no pattern: all zeros."""
        points = sample.place
        if points is None:
            return None
        return standardized(face_thumbnail(sample.rgb, points, SIDE, ANCHORS)[_INSIDE].astype(np.float64))


INNER_FACE = Fixed("inner face", InnerFaceView(), uncorrelated, Approach("T0", "small grey picture of the inner face"))
