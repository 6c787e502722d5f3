"""Correlation of 16 x 16 grey thumbnails of the whole photo: needs no face, no landmarks and no weights.

Clothes, hair, background and light are on it. It finds the photo of which only the face was changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ganonym.evaluate.attackers.attacker import Approach, Fixed, uncorrelated
from ganonym.evaluate.attackers.thumbnail import standardized
from ganonym.evaluate.sample import Sample
from ganonym.faces.thumbnail import LUMA
from ganonym.types import RGB, Floats

SIDE = 16


def photo_thumbnail(rgb: RGB, side: int = SIDE) -> Floats:
    """Grey (side, side), Rec. 601 luma: means over the cells of a grid laid over the whole photo (H, W, 3)."""
    small = Image.fromarray(rgb).resize((side, side), Image.Resampling.BOX)
    return np.asarray(np.asarray(small, dtype=np.float64) @ LUMA)


@dataclass(frozen=True, slots=True)
class WholePhotoView:
    """Grey thumbnail of the whole photo with zero mean and unit variance; its shape is squeezed into a square."""

    name: str = "whole photo"
    width: int = SIDE * SIDE

    def template(self, sample: Sample) -> Floats:
        """(256,); a photo of one grey has no pattern: all zeros."""
        return standardized(photo_thumbnail(sample.rgb).ravel())


WHOLE_PHOTO = Fixed("whole photo", WholePhotoView(), uncorrelated, Approach("T0", "whole photograph, tiny"))
