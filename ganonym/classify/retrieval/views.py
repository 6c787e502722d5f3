"""The four views in which GestaltMatcher looks at each crop at test time: as it is and mirrored, in colour and grey.

Hustinx et al. 2023 (arXiv 2211.06764), section 3: with three encoders, twelve vectors an image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class View:
    """Mirrored left to right or not, without colours or with them."""

    flip: bool
    grey: bool


VIEWS = (View(False, False), View(False, True), View(True, False), View(True, True))


def seen(crops: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """RGB crops (n, h, w, 3) uint8 as `view` shows them, a new array of the same shape.

    Grey is luma (ITU-R BT.601), rounded, in all three channels, so that the same network looks at it.
    """
    shown = crops[:, :, ::-1] if view.flip else crops
    if not view.grey:
        return np.ascontiguousarray(shown)
    luma = np.rint(shown @ np.array(_LUMA)).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=3)
