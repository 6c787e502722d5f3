"""DeepGestalt's four grey crops: the full face, its upper half, its middle from ear to ear, and its lower half.

Gurovich et al. (Nature Medicine 2019) crop regions by landmarks, bring each to 100 × 100 px and average the classifiers
of all. The paper gives no exact boxes; ours hang on the iBUG-68 landmarks. The three parts are twice as wide as high
and stretched to a square alike for every face: a box fitted to each face's own width and height would take away its
proportions, which are signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.faces.align import apply, area_crop, compose
from ganonym.faces.upright import upright
from ganonym.types import CANVAS, RGB, Floats, Points

REGIONS = ("full", "upper", "middle", "lower")
"""In the order of the crops."""
SIDE = 100
MARGIN = 0.15
FOREHEAD = 0.12
"""How far above the middle of the 68 landmarks, which end at the brows, the middle of the face is, in face sizes."""


def region_boxes(points: Points, margin: float = MARGIN) -> Floats:
    """Left, top, right and bottom (4, 4) of the `REGIONS` of an upright face with landmarks (68, 2), in its pixels.

    The size of a face is the geometric mean of the width and height of its landmarks, `margin` a share of it added on
    either side. Parts are centred halfway from ear to ear: the middle at the nose tip, the upper a tenth of its height
    above the eyes, for the forehead, the lower as much below the mouth, for the chin.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    size = float(np.sqrt(np.prod(high - low)))
    side = size * (1 + 2 * margin)
    across, down = (low + high) / 2
    eyes, nose, mouth = points[36:48, 1].mean(), points[30, 1], points[48:60, 1].mean()
    middles = [down - FOREHEAD * size, eyes - side / 20, nose, mouth + side / 20]
    heights = [side, side / 2, side / 2, side / 2]
    return np.array(
        [
            [across - side / 2, middle - height / 2, across + side / 2, middle + height / 2]
            for middle, height in zip(middles, heights, strict=True)
        ]
    )


def grey(rgb: RGB) -> NDArray[np.uint8]:
    """RGB (h, w, 3) → luma (h, w) uint8 by ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, as Pillow's "L" rounds it."""
    return np.asarray(Image.fromarray(rgb).convert("L"))


@dataclass(frozen=True, slots=True)
class RegionCrops:
    """The `REGIONS` of a face, (4, side, side) uint8 grey, black where the photograph ends.

    DeepGestalt's `side` is 100; less is for small networks.
    """

    side: int = SIDE
    margin: float = MARGIN

    def __call__(self, rgb: RGB, points: Points) -> NDArray[np.uint8]:
        return np.stack([grey(area_crop(rgb, matrix, self.side)) for matrix in self.matrices(points)])

    def matrices(self, points: Points) -> list[Floats]:
        """From a photograph with landmarks `points` (68, 2) to each crop, (2, 3); a similarity for the full face."""
        to_canvas = upright(points, CANVAS)
        found = []
        for left, top, right, bottom in region_boxes(apply(to_canvas, points), self.margin).tolist():
            x, y = self.side / (right - left), self.side / (bottom - top)
            found.append(compose(to_canvas, np.array([[x, 0.0, -left * x - 0.5], [0.0, y, -top * y - 0.5]])))
        return found
