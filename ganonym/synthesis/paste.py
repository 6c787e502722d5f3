"""Synthesized faces into a photo: erase the source's face from its surroundings, place the new one, match the light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import find_objects, label

from ganonym.errors import PhotoError
from ganonym.faces.align import apply, crop, similarity
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.tone import skin_colour
from ganonym.settings import Background
from ganonym.synthesis.region import Region, face_region, fill
from ganonym.synthesis.synthesizer import Layers
from ganonym.types import RGB, Box, Floats, Points, PrivateFace

DIMMEST, BRIGHTEST = 0.4, 2.0
RATIO_STEP, RATIO_STEPS = 0.07, 12
RATIO_LOWEST = np.array([-0.1, -0.7])  # of red and of blue to green, natural logarithm
GREY = 168
_ROOM = 0.05
_SOLID = 0.99
SEAM = 7


@dataclass(frozen=True, slots=True)
class Light:
    """A pixel x in 0…1 becomes gain · x ** power; `gain` (3,) per RGB channel."""

    power: float
    gain: Floats


@dataclass(frozen=True, slots=True)
class Patch:
    """One synthesized face on its way into a photo.

    `layers` from the synthesizer, `matrix` (2, 3) canvas → photo, `light` as matched, `points` (68, 2) the
    requested landmarks in the photo, `region` all that is erased for it.
    """

    layers: Layers
    matrix: Floats
    light: Light
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
    three coarse numbers, see `coarse_colour`.
    """
    size = rgb.shape[0], rgb.shape[1]
    matrix = similarity(face.points, source)
    points = apply(matrix, face.points)
    covered = np.zeros(size, np.bool_)
    # The new face may be wider than the old one: then it needs room of its own for the seam.
    for region in (face_region(source, model, size), face_region(points, model, size, _ROOM)):
        region.paint(covered)
    return Patch(layers, matrix, match_light(rgb, source, layers.picture, face.points), points, _window(covered))


def match_light(rgb: RGB, source: Points, picture: RGB, points: Points) -> Light:
    """The light that brings the median skin colour of `picture` to that of the face at `source` in `rgb`.

    Half of the change in brightness is an exponent, which keeps highlights from clipping, the rest a gain for each
    channel. Nothing changes where the source shows no skin. See `coarse_colour` for what it tells of the source.
    """
    try:
        wanted, present = coarse_colour(skin_colour(rgb, source)), skin_colour(picture, points).clip(8.0, 247.0) / 255.0
    except PhotoError:
        return Light(1.0, np.ones(3))
    power = float(np.clip(np.sqrt(np.log(wanted[1]) / np.log(present[1])), 0.7, 1.4))
    return Light(power, np.clip(wanted / present**power, DIMMEST, BRIGHTEST))


def coarse_colour(colour: Floats) -> Floats:
    """The only thing of a source's face pixels that reaches a photo: its skin colour (3,), 0…255, coarsened; 0…1.

    Green in 16 steps, red and blue relative to it in 12 steps of 7 % each: 11 bits at most, of which the skin of the
    neck, where it shows, tells most anyway.

    >>> coarse_colour(np.array([200.0, 150.0, 130.0])).round(3).tolist()
    [0.793, 0.596, 0.5]
    """
    green = (np.clip(colour[1] // 16, 1, 14) + 0.5) * 16 / 255
    ratios = np.log(np.maximum(colour[[0, 2]], 1.0) / max(colour[1], 1.0)) - RATIO_LOWEST
    steps = np.clip(np.floor(ratios / RATIO_STEP), 0, RATIO_STEPS - 1) + 0.5
    red, blue = green * np.exp(RATIO_LOWEST + steps * RATIO_STEP)
    return np.asarray(np.clip(np.array([red, green, blue]), 0.02, 0.98))


def compose_photo(rgb: RGB, patches: Sequence[Patch], covers: Sequence[Region], background: Background = "keep") -> RGB:
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
    photo = _erase(rgb, erased, placed, opacity * _chins(patches, erased.shape))
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
    image = (crop(patch.layers.image, matrix, (width, height)) / np.float32(255)) ** np.float32(patch.light.power)
    image = (image * patch.light.gain.astype(np.float32)).clip(0, 1)
    seam = (
        Image.fromarray(patch.layers.mask)
        .filter(ImageFilter.MinFilter(SEAM))
        .filter(ImageFilter.GaussianBlur(SEAM / 3))
    )
    mask = crop(np.asarray(seam.convert("RGB")), matrix, (width, height))[..., :1] / np.float32(255)
    mask *= region.mask[..., None]
    placed[window] = placed[window] * (1 - mask) + 255 * image * mask
    opacity[window] = opacity[window] * (1 - mask[..., 0]) + mask[..., 0]


def _erase(
    rgb: RGB, erased: NDArray[np.bool_], placed: NDArray[np.float32], anchors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`rgb` as floats, the erased part filled from the pixels around it, and from `placed` where `anchors` is 1."""
    photo = rgb.astype(np.float32)
    solid = anchors >= _SOLID
    photo[solid] = placed[solid]
    given = ~erased | solid
    parts, _ = label(erased)
    for rows, columns in find_objects(parts):
        window = np.s_[max(rows.start - 2, 0) : rows.stop + 2, max(columns.start - 2, 0) : columns.stop + 2]
        photo[window] = fill(photo[window], given[window])
    return photo


def _chins(patches: Sequence[Patch], size: tuple[int, ...]) -> NDArray[np.float32]:
    """1 on the new chins, where the fill starts from the new skin: else the background would shine below them."""
    sheet = Image.new("L", (size[1], size[0]))
    for patch in patches:
        corners = patch.points[[*range(4, 13), 54, 57, 48]]
        ImageDraw.Draw(sheet).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.asarray(sheet, dtype=np.float32)


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
