"""Correlation of thumbnails of the photo without the face: what no anonymizer of faces can fix.

If this attacker names people, then clothes, hair or the room do, and the photo has to be cropped or its background
taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ganonym.evaluate.attackers.attacker import Approach, Fixed, uncorrelated
from ganonym.evaluate.attackers.thumbnail import standardized
from ganonym.evaluate.attackers.whole_photo import SIDE
from ganonym.evaluate.sample import Sample
from ganonym.faces.thumbnail import LUMA
from ganonym.types import Floats, Points

ENLARGED = 1.3
"""By how much the outline of the landmarks is enlarged about its centre: it then holds the ears and some forehead."""
_CELLS = 8  # a side, in each of the thumbnail's pixels: how finely the outline of the face is cut out


def face_cover(points: Points, size: tuple[int, int], side: int) -> NDArray[np.bool_]:
    """Mask (side, side) of the enlarged hull of `points` (68, 2) of a photo of `size` (H, W), squeezed into a square.

    Empty where the landmarks lie on one line.
    """
    from scipy.spatial import ConvexHull, QhullError

    scaled = (points + 0.5) * (side / np.array(size[::-1])) - 0.5
    try:
        hull = scaled[ConvexHull(scaled).vertices]
    except QhullError:
        return np.zeros((side, side), dtype=bool)
    middle = (hull.min(axis=0) + hull.max(axis=0)) / 2
    canvas = Image.new("1", (side, side))
    ImageDraw.Draw(canvas).polygon([tuple(each) for each in (middle + ENLARGED * (hull - middle)).tolist()], fill=1)
    return np.asarray(canvas)


@dataclass(frozen=True, slots=True)
class BackgroundView:
    """The whole photo as a grey thumbnail, its face painted with the mean of the rest so that nothing of it counts."""

    name: str = "background"
    width: int = SIDE * SIDE

    def template(self, sample: Sample) -> Floats | None:
        """(256,) with zero mean and unit variance, None without landmarks; zeros where nothing but face is seen."""
        points = sample.place
        if points is None:
            return None
        fine = SIDE * _CELLS
        grey = np.asarray(Image.fromarray(sample.rgb).resize((fine, fine), Image.Resampling.BOX)) @ LUMA
        cover = face_cover(points, (sample.rgb.shape[0], sample.rgb.shape[1]), fine)
        grey[cover] = grey[~cover].mean() if not cover.all() else 0.0
        return standardized(grey.reshape(SIDE, _CELLS, SIDE, _CELLS).mean(axis=(1, 3)).ravel())


BACKGROUND = Fixed("background", BackgroundView(), uncorrelated, Approach("T0", "background only"))
