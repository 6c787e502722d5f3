"""The ArcFace crop: 112 × 112 px with eyes, nose tip and mouth corners in fixed places (Deng et al., CVPR 2019).

GestaltMatcher-Arc (Hustinx et al., WACV 2023) aligns with five points that RetinaFace finds; here they are taken from
the 68 landmarks. As there, the crop comes straight from the photograph. Another deviation: each of its pixels is the
mean over what it covers, bicubically interpolated, where OpenCV's `warpAffine` interpolates between four neighbours and
leaves the others out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.faces.align import apply, area_crop, compose, similarity
from ganonym.faces.aligned import upright
from ganonym.types import CANVAS, RGB, Floats, Points

ARCFACE_SIDE = 112
TEMPLATE: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where eyes, nose tip and mouth corners lie in the crop, image left first (insightface, `face_align.py`)."""
TEMPLATE.flags.writeable = False


def five_points(points: Points) -> Points:
    """Eye centres, nose tip and mouth corners (5, 2) of landmarks (68, 2), image left before image right.

    An eye's centre is the mean of its six points.

    >>> five_points(np.stack([np.arange(68.0), np.zeros(68)], axis=1))[:, 0].tolist()
    [38.5, 44.5, 30.0, 48.0, 54.0]
    """
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])


def arcface_matrix(points: Points, side: int = ARCFACE_SIDE) -> Floats:
    """The similarity (2, 3) that brings landmarks (68, 2) nearest to the template in a crop of `side` px.

    Pixel centres are whole numbers, so that a template of another side is scaled about the corner at (−½, −½).
    """
    return similarity(five_points(points), (TEMPLATE + 0.5) * (side / ARCFACE_SIDE) - 0.5)


@dataclass(frozen=True, slots=True)
class ArcFaceCrop:
    """The aligned face (side, side, 3) uint8 RGB, black where the photograph ends."""

    side: int = ARCFACE_SIDE

    def __call__(self, rgb: RGB, points: Points) -> RGB:
        return area_crop(rgb, arcface_matrix(points, self.side), self.side)


REGIONS = ("full", "upper", "middle", "lower")
"""In the order of the crops."""
REGION_SIDE = 100
REGION_MARGIN = 0.15
FOREHEAD = 0.12
"""How far above the middle of the 68 landmarks, which end at the brows, the middle of the face is, in face sizes."""


def region_boxes(points: Points, margin: float = REGION_MARGIN) -> Floats:
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

    side: int = REGION_SIDE
    margin: float = REGION_MARGIN

    def __call__(self, rgb: RGB, points: Points) -> NDArray[np.uint8]:
        return np.stack([grey(area_crop(rgb, matrix, self.side)) for matrix in self.matrices(points)])

    def matrices(self, points: Points) -> list[Floats]:
        """From a photograph with landmarks `points` (68, 2) to each crop, (2, 3); a similarity for the full face."""
        to_canvas = upright(points, CANVAS)
        matrices = []
        for left, top, right, bottom in region_boxes(apply(to_canvas, points), self.margin).tolist():
            x, y = self.side / (right - left), self.side / (bottom - top)
            matrices.append(compose(to_canvas, np.array([[x, 0.0, -left * x - 0.5], [0.0, y, -top * y - 0.5]])))
        return matrices
