"""Pixelated faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.baselines.area import bounds
from ganonym.types import RGB

BLOCKS = 16
"""Blocks across a face at strength 1."""


def pixelate(rgb: RGB, area: NDArray[np.bool_], block: int) -> RGB:
    """`rgb` (H, W, 3) with the mean colour in each square of `block` pixels that meets `area` (H, W).

    The squares start at the top left of the area's bounds and are cut off where the photo ends. Raises ValueError when
    `block` is below 1.

    >>> photo = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    >>> pixelate(photo, np.ones((2, 2), bool), 2)[0, 0].tolist()  # the mean of 0, 3, 6 and 9 is 4.5
    [4, 6, 6]
    """
    if block < 1:
        raise ValueError(f"a block must have at least 1 pixel a side, not {block}")
    mosaic = rgb.copy()
    top, left, bottom, right = bounds(area)
    if bottom == 0:
        return mosaic
    bottom, right = top + -(-(bottom - top) // block) * block, left + -(-(right - left) // block) * block
    part = rgb[top:bottom, left:right]  # cut off where the photo ends
    rows, columns = np.arange(0, part.shape[0], block), np.arange(0, part.shape[1], block)
    heights, widths = np.diff([*rows, part.shape[0]]), np.diff([*columns, part.shape[1]])
    total = np.add.reduceat(np.add.reduceat(part.astype(np.int64), rows, axis=0), columns, axis=1)
    mean = np.round(total / np.outer(heights, widths)[..., None]).astype(np.uint8)
    meets = np.logical_or.reduceat(np.logical_or.reduceat(area[top:bottom, left:right], rows, axis=0), columns, axis=1)
    squares = np.repeat(np.repeat(mean, heights, axis=0), widths, axis=1)
    treated = np.repeat(np.repeat(meets, heights, axis=0), widths, axis=1)
    mosaic[top:bottom, left:right][treated] = squares[treated]
    return mosaic
