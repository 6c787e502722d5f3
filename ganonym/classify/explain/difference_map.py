"""How a class differs from another, drawn on its composite: skin in colours, the shift of features as arrows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import Delaunay

from ganonym.classify.crops import grey
from ganonym.classify.explain.composite import Composite, Difference, heat, in_shape
from ganonym.types import CANVAS, RGB, Floats, Points

ENLARGED, LENGTHENED = 3, 3
OTHERS, ARROW, PAPER, INK = (90, 90, 90), (0, 90, 40), (255, 255, 255), (30, 30, 30)
_PALEST = 110  # black in the composite, so that colours show on hair and shadow
_STRIP = 56
# The outlines of the 68 landmarks, and whether they close.
_LINES = (
    (range(17), False),
    (range(17, 22), False),
    (range(22, 27), False),
    (range(27, 31), False),
    (range(31, 36), False),
    (range(36, 42), True),
    (range(42, 48), True),
    (range(48, 60), True),
    (range(60, 68), True),
)


def inside(points: Points) -> NDArray[np.bool_]:
    """Which pixels (256, 256) lie within the landmarks `points` (68, 2): their convex hull."""
    y, x = np.mgrid[:CANVAS, :CANVAS]
    return np.asarray(Delaunay(points).find_simplex(np.stack([x, y], axis=-1)) >= 0)


def limit_of(found: Sequence[Difference]) -> float:
    """The one scale of several maps: the largest difference in luma within a face, grey levels; at least 1.

    Outside of the face hair and background differ more than skin does, by chance; there colours are cut off.
    """
    return max([1.0, *(float(np.abs(each.luma[inside(each.points)]).max()) for each in found)])


def drawn(patients: Composite, found: Difference, limit: float) -> RGB:
    """The composite of patients in pale grey, (824, 768, 3) uint8, tinted by the difference in luma up to ±`limit`.

    Both are in the shape half-way between patients and controls. The outline is the controls' mean shape; from it
    arrows point to where the patients' landmarks lie, drawn 3 times as long as they are. The strip below says the
    scale. Deterministic.
    """
    pale = _PALEST + grey(in_shape(patients, found.points)) * ((255 - _PALEST) / 255)
    tinted = (pale[..., None] * (heat(found.luma, limit) / 255.0)).round().astype(np.uint8)
    side = CANVAS * ENLARGED
    sheet = Image.new("RGB", (side, side + _STRIP), PAPER)
    sheet.paste(Image.fromarray(tinted).resize((side, side), Image.Resampling.BICUBIC))
    draw = ImageDraw.Draw(sheet)
    # Pillow counts from pixel corners, landmarks from pixel centres.
    controls = (found.points - found.shift / 2 + 0.5) * ENLARGED - 0.5
    for landmarks, closed in _LINES:
        line = controls[[*landmarks, *([landmarks[0]] if closed else [])]]
        draw.line([(x, y) for x, y in line.tolist()], OTHERS, 1)
    for start, step in zip(controls, found.shift * ENLARGED * LENGTHENED, strict=True):
        _arrow(draw, start, step)
    _legend(sheet, draw, limit)
    return np.asarray(sheet)


def _arrow(draw: ImageDraw.ImageDraw, start: Floats, step: Floats) -> None:
    length = float(np.hypot(*step))
    if length < 1:
        return
    end = start + step
    draw.line([(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))], ARROW, 2)
    if length < 3:
        return
    along, across = step / length, np.array([-step[1], step[0]]) / length
    head = min(9.0, length)
    corners = [end, end - head * along + head / 2.5 * across, end - head * along - head / 2.5 * across]
    draw.polygon([(float(x), float(y)) for x, y in corners], ARROW)


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, limit: float) -> None:
    width, font = sheet.width, ImageFont.load_default(size=15)
    top = sheet.height - _STRIP
    bar = np.repeat(heat(np.linspace(-limit, limit, width // 3)[None], limit), 14, axis=0)
    sheet.paste(Image.fromarray(bar), (width // 3, top + 8))
    draw.text((width / 3 - 8, top + 15), f"darker by {limit:.0f}", INK, font, anchor="rm")
    draw.text((width * 2 / 3 + 8, top + 15), f"lighter by {limit:.0f} grey levels", INK, font, anchor="lm")
    draw.text((width / 2, top + 40), f"arrows: shift of features, {LENGTHENED} times as long", INK, font, anchor="mm")
