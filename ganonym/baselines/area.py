"""Which pixels of a photo the blurring baselines treat: the face, from hairline to chin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.appearance import AppearanceModel
from ganonym.synthesis.region import face_region
from ganonym.types import Box, Face

ELLIPSE = 1.3
"""The tool `deface` blurs the ellipse in the detector's box enlarged by this factor."""


def face_area(face: Face, model: AppearanceModel, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask (H, W) of a face in a photo of `size` (H, W): the ellipse around its box and the outline of its landmarks.

    Both, because dlib's box ends at the brows: its ellipse alone left up to 13 % of the outline of six virtual faces
    bare. Empty where the face lies outside the photo. Raises ValueError when the landmarks coincide.
    """
    mask = ellipse(face.box, size)
    face_region(face.points, model, size, 0.0).paint(mask)
    return mask


def ellipse(box: Box, size: tuple[int, int], enlarged: float = ELLIPSE) -> NDArray[np.bool_]:
    """Mask (H, W) of the ellipse inscribed in `box` after enlarging it about its centre.

    >>> ellipse(Box(0, 0, 4, 4), (5, 5), 1.0).sum(axis=1).tolist()
    [1, 3, 5, 3, 1]
    """
    y, x = np.ogrid[: size[0], : size[1]]
    across = (x - (box.left + box.right) / 2) / max(box.width * enlarged / 2, 1e-6)
    down = (y - (box.top + box.bottom) / 2) / max(box.height * enlarged / 2, 1e-6)
    inside: NDArray[np.bool_] = across**2 + down**2 <= 1.0
    return inside


def bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First row, first column, end row, end column of what is set in `mask` (H, W); all 0 when nothing is.

    >>> bounds(np.eye(4, dtype=bool)[1:3])
    (0, 1, 2, 3)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
