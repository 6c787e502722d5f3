"""Synthesized faces into a photo: erase the source's face from its surroundings, place the new one, match the light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import find_objects, label

from ganonym.config import Background
from ganonym.errors import PhotoError
from ganonym.faces.align import apply, crop, similarity
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.tone import skin_colour
from ganonym.synthesis.fill import fill
from ganonym.synthesis.region import Region, face_region
from ganonym.synthesis.synthesizer import Layers
from ganonym.types import RGB, Box, Floats, Points, PrivateFace

LIGHT_STEP = 16.0
DIMMEST, BRIGHTEST = 0.4, 2.0
GREY = 168
_SEAM = 0.05
_OPAQUE = 0.99


@dataclass(frozen=True, slots=True)
class Patch:
    """One synthesized face on its way into a photo.

    `layers` from the synthesizer, `matrix` (2, 3) canvas → photo, `gain` (3,) per RGB channel, `points` (68, 2) the
    requested landmarks in the photo, `region` all that is erased for it.
    """

    layers: Layers
    matrix: Floats
    gain: Floats
    points: Points
    region: Region

    @property
    def box(self) -> Box:
        """Bounds of the requested landmarks."""
        (left, top), (right, bottom) = self.points.min(axis=0).tolist(), self.points.max(axis=0).tolist()
        return Box(left, top, right, bottom)


def make_patch(rgb: RGB, source: Points, face: PrivateFace, layers: Layers, model: AppearanceModel) -> Patch:
    """Fit `face` with its `layers` to the source's landmarks (68, 2) in `rgb`.

    Of the source's landmarks position, size and roll are used, and their outline to know what to erase; of its pixels
    three coarse numbers, see `light_gain`.
    """
    size = rgb.shape[0], rgb.shape[1]
    matrix = similarity(face.points, source)
    points = apply(matrix, face.points)
    covered = np.zeros(size, np.bool_)
    # The new face may be wider than the old one: then it needs room of its own for the seam.
    for region in (face_region(source, model, size), face_region(points, model, size, _SEAM)):
        region.paint(covered)
    return Patch(layers, matrix, light_gain(rgb, source, layers.picture, face.points), points, _window(covered))


def light_gain(rgb: RGB, source: Points, picture: RGB, points: Points) -> Floats:
    """Gain (3,) that brings the median skin colour of `picture` to that of the face at `source` in `rgb`.

    The source's colour enters in steps of 16 grey levels (at most 16 values a channel, 12 bits in all), the gain is
    kept within 0.4…2: nothing finer of the source's face passes. 1 where the source shows no skin.
    """
    try:
        wanted, present = skin_colour(rgb, source), skin_colour(picture, points)
    except PhotoError:
        return np.ones(3)
    coarse = (np.floor(wanted / LIGHT_STEP) + 0.5) * LIGHT_STEP
    return np.asarray(np.clip(coarse / np.maximum(present, 1.0), DIMMEST, BRIGHTEST))


def compose_photo(
    rgb: RGB, patches: Sequence[Patch], covers: Sequence[Region], background: Background = "keep"
) -> RGB:
    """`rgb` with each patch in place of its source and each cover filled; background as asked.

    All regions are erased together before anything is placed, so no face serves to fill its neighbour: what lies in
    a region is a function of the pixels outside all regions and of the patches. "keep" leaves the pixels outside as
    they are, "blur" blurs the finished picture around the new faces, "grey" leaves nothing of the photo.
    """
    erased = np.zeros(rgb.shape[:2], np.bool_)
    for region in [*covers, *(patch.region for patch in patches)]:
        region.paint(erased)
    opacity = np.zeros(rgb.shape[:2], np.float32)
    placed = np.zeros(rgb.shape, np.float32)
    # The largest last: it stands in front.
    for patch in sorted(patches, key=lambda patch: patch.box.area):
        _place(patch, placed, opacity)
    if background == "grey":
        return _mix(placed, opacity, np.full(rgb.shape, GREY, np.float32))
    photo = _erase(rgb, erased, placed, opacity)
    kept = rgb.copy()
    kept[erased] = _mix(placed, opacity, photo)[erased]
    if background == "keep" or not erased.any():
        return kept
    blurred = Image.fromarray(kept).filter(ImageFilter.GaussianBlur(_blur_radius(patches, covers, rgb.shape)))
    return _mix(placed, opacity, np.asarray(blurred, dtype=np.float32))


def _place(patch: Patch, placed: NDArray[np.float32], opacity: NDArray[np.float32]) -> None:
    """Draw the patch over `placed` (H, W, 3) and its mask over `opacity` (H, W), in place."""
    region = patch.region
    height, width = region.mask.shape
    if not region.mask.any():
        return
    window = np.s_[region.top : region.top + height, region.left : region.left + width]
    matrix = np.column_stack([patch.matrix[:, :2], patch.matrix[:, 2] - [region.left, region.top]])
    image = crop(patch.layers.image, matrix, (width, height)) * patch.gain.astype(np.float32)
    mask = crop(np.repeat(patch.layers.mask[..., None], 3, axis=2), matrix, (width, height))[..., :1] / np.float32(255)
    mask *= region.mask[..., None]
    placed[window] = placed[window] * (1 - mask) + image.clip(0, 255) * mask
    opacity[window] = opacity[window] * (1 - mask[..., 0]) + mask[..., 0]


def _erase(
    rgb: RGB, erased: NDArray[np.bool_], placed: NDArray[np.float32], opacity: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`rgb` as floats, the erased part filled from the pixels around it and from the new faces within."""
    photo = rgb.astype(np.float32)
    solid = opacity >= _OPAQUE
    photo[solid] = placed[solid] / opacity[solid][:, None]
    known = ~erased | solid
    parts, _ = label(erased)
    for rows, columns in find_objects(parts):
        window = np.s_[max(rows.start - 2, 0) : rows.stop + 2, max(columns.start - 2, 0) : columns.stop + 2]
        photo[window] = fill(photo[window], known[window])
    return photo


def _mix(placed: NDArray[np.float32], opacity: NDArray[np.float32], below: NDArray[np.float32]) -> RGB:
    """`placed` (already multiplied by its opacity) over `below`."""
    mixed: RGB = np.round(placed + (1 - opacity[..., None]) * below).clip(0, 255).astype(np.uint8)
    return mixed


def _blur_radius(patches: Sequence[Patch], covers: Sequence[Region], shape: tuple[int, ...]) -> float:
    """SD in pixels: a sixth of the largest face, and at least 2 % of the photo's longer side."""
    widths = [region.mask.shape[1] for region in [*covers, *(patch.region for patch in patches)]]
    return max(max(widths, default=0) / 6, 0.02 * max(shape[:2]))


def _window(mask: NDArray[np.bool_]) -> Region:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Region(0, 0, np.zeros((0, 0), np.bool_))
    top, left = int(rows[0]), int(columns[0])
    return Region(left, top, mask[top : rows[-1] + 1, left : columns[-1] + 1].copy())
