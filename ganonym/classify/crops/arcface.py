"""The ArcFace crop: 112 × 112 px with eyes, nose tip and mouth corners in fixed places (Deng et al., CVPR 2019).

GestaltMatcher-Arc (Hustinx et al., WACV 2023) aligns with five points that RetinaFace finds; here they are taken from
the 68 landmarks. As there, the crop comes straight from the photograph. Another deviation: each of its pixels is the
mean over what it covers, bicubically interpolated, where OpenCV's `warpAffine` interpolates between four neighbours and
leaves the others out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.faces.align import area_crop, similarity
from ganonym.types import RGB, Floats, Points

SIDE = 112
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


def arcface_matrix(points: Points, side: int = SIDE) -> Floats:
    """The similarity (2, 3) that brings landmarks (68, 2) nearest to the template in a crop of `side` px.

    Pixel centres are whole numbers, so that a template of another side is scaled about the corner at (−½, −½).
    """
    return similarity(five_points(points), (TEMPLATE + 0.5) * (side / SIDE) - 0.5)


@dataclass(frozen=True, slots=True)
class ArcFaceCrop:
    """The aligned face (side, side, 3) uint8 RGB, black where the photograph ends."""

    side: int = SIDE

    def __call__(self, rgb: RGB, points: Points) -> RGB:
        return area_crop(rgb, arcface_matrix(points, self.side), self.side)
