"""Which pixels of a photo belong to a face, as masks in a window of the photo, and what fills the hole they leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt

from ganonym.faces.align import apply, invert, similarity
from ganonym.faces.appearance import AppearanceModel, boundary_of, warp_points
from ganonym.faces.shape import to_canvas
from ganonym.types import Box, Points

MARGIN = 0.09
"""How far beyond its outline a face is erased, in widths of the face: room for the error of landmarks on the jaw."""

COVER = 0.35
"""How far beyond the detector's box a face is covered, in widths of the box, which ends at brows and cheeks."""


@dataclass(frozen=True, slots=True)
class Region:
    """Pixels of a photo: `mask` (h, w) in the window whose top left pixel is (`left`, `top`); may be empty."""

    left: int
    top: int
    mask: NDArray[np.bool_]

    def paint(self, mask: NDArray[np.bool_]) -> None:
        """Add this region to the mask (H, W) of the whole photo."""
        height, width = self.mask.shape
        mask[self.top : self.top + height, self.left : self.left + width] |= self.mask


def face_outline(points: Points, model: AppearanceModel) -> Points:
    """Outline (n, 2) in photo pixels of the face with landmarks `points` (68, 2): the jaw, and the mean hairline."""
    upright = similarity(points, to_canvas(model.shape.mean))
    everything = warp_points(apply(upright, points), model.shape.mean, model.forehead)
    return apply(invert(upright), boundary_of(everything, len(model.forehead)))


def face_width(points: Points, model: AppearanceModel) -> float:
    """Width in photo pixels that the mean face has at the size of `points`: steady when the head turns."""
    mean = to_canvas(model.shape.mean)
    scale = float(np.sqrt(np.linalg.det(similarity(mean, points)[:, :2])))
    return scale * float(np.linalg.norm(mean[16] - mean[0]))


def face_region(points: Points, model: AppearanceModel, size: tuple[int, int], margin: float = MARGIN) -> Region:
    """Everything within `margin` face widths of the face outline, in a photo of `size` (height, width)."""
    return _around(face_outline(points, model), margin * face_width(points, model), size)


def box_region(box: Box, size: tuple[int, int], margin: float = COVER) -> Region:
    """Everything within `margin` box widths of `box`, corners rounded, in a photo of `size` (height, width)."""
    corners = np.array(
        [[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]], dtype=np.float64
    )
    return _around(corners, margin * max(box.width, box.height), size)


def text_region(outline: Points, size: tuple[int, int]) -> Region:
    """Everything within 0.4 of its height of a line of text with corners `outline` (4, 2)."""
    sides = np.linalg.norm(outline - np.roll(outline, 1, axis=0), axis=1)
    return _around(outline, 0.4 * float(sides.min()) + 1.0, size)


def _around(polygon: Points, distance: float, size: tuple[int, int]) -> Region:
    """Pixels inside `polygon` or within `distance` of it."""
    reach = distance + 2.0
    left, top = np.floor(np.clip(polygon.min(axis=0) - reach, 0, size[::-1])).astype(int).tolist()
    right, bottom = np.ceil(np.clip(polygon.max(axis=0) + reach + 1, 0, size[::-1])).astype(int).tolist()
    if right <= left or bottom <= top:
        return Region(0, 0, np.zeros((0, 0), np.bool_))
    # Drawn with room on all sides: a face that the photo cuts off still reaches `distance` into it.
    pad = int(np.ceil(reach)) + 1
    sheet = Image.new("1", (right - left + 2 * pad, bottom - top + 2 * pad))
    corners = [(x - left + pad, y - top + pad) for x, y in np.rint(polygon).astype(int).tolist()]
    ImageDraw.Draw(sheet).polygon(corners, fill=1, outline=1)
    inside = np.asarray(sheet)
    near = inside if not inside.any() else distance_transform_edt(~inside) <= distance
    return Region(left, top, np.ascontiguousarray(near[pad : pad + bottom - top, pad : pad + right - left]))


SWEEPS, SWEEPS_LARGE = 24, 8
LARGE = 400_000


def fill(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`image` (h, w, c) with the pixels that are not `known` (h, w) replaced by a smooth interpolation of the others.

    Nothing that `image` holds where it is not known enters. The picture's own border pulls nowhere. Coarse to fine:
    halved until nothing is missing, then smoothed by Jacobi sweeps, which is near enough to the exact solution for the
    eye. Without any known pixel everything becomes mid-grey.
    """
    if not known.any():
        return np.full_like(image, 127.5)
    start: NDArray[np.float32] = np.where(known[..., None], image, np.float32(0))
    return _solve(start, known)


def _solve(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    if known.all():
        return image
    height, width = known.shape
    rim = ((0, height % 2), (0, width % 2))
    weight = np.pad(known.astype(np.float32), rim)
    total = _pool(np.pad(image, (*rim, (0, 0))))
    count = _pool(weight[..., None])
    mean: NDArray[np.float32] = total / count.clip(1)
    coarse = _solve(mean.astype(np.float32), count[..., 0] > 0)
    guess = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    filled = np.where(known[..., None], image, guess)
    for _ in range(SWEEPS if known.size < LARGE else SWEEPS_LARGE):
        wide = np.pad(filled, ((1, 1), (1, 1), (0, 0)), mode="edge")
        around = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) * np.float32(0.25)
        filled = np.where(known[..., None], image, around)
    return filled


def _pool(image: NDArray[np.float32]) -> NDArray[np.float32]:
    pooled: NDArray[np.float32] = image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]
    return pooled
