"""The photograph with its landmarks and measured lines, for whoever checks the measurements. It shows the person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganonym.classify.measurement.table import MEASUREMENTS, End
from ganonym.types import RGB, Points

LINE, POINT, MARKED, HALO = (0, 160, 230), (255, 255, 255), (240, 120, 40), (20, 20, 20)
LONGEST = 1400
_MARGIN = 0.35


def drawn(rgb: RGB, points: Points, marked: Mapping[str, str] | None = None, keys: Sequence[str] | None = None) -> RGB:
    """The face of the photo (h, w, 3) with landmarks `points` (68, 2) and the lines of measurements drawn.

    `marked` measurements are drawn on top in a colour of their own and named by their text; `keys` are the others, by
    default all lengths. The cut around the face is enlarged or reduced to at most `LONGEST` px a side. Deterministic.
    """
    marked = marked or {}
    plain = [key for key, each in MEASUREMENTS.items() if each.kind == "length"] if keys is None else list(keys)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * float((high - low).max())
    left, top = (int(each) for each in np.maximum(np.floor(low - margin), 0))
    right, bottom = (int(each) for each in np.minimum(np.ceil(high + margin), rgb.shape[1::-1]))
    if right <= left or bottom <= top:
        raise ValueError("the landmarks lie outside the photo")
    scale = min(LONGEST / max(right - left, bottom - top), max(1.0, 700 / max(right - left, bottom - top)))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    picture = Image.fromarray(rgb).crop((left, top, right, bottom)).resize(size, Image.Resampling.LANCZOS)
    # Pillow counts from pixel corners, landmarks from pixel centres.
    placed = (points + 0.5 - [left, top]) * [size[0] / (right - left), size[1] / (bottom - top)] - 0.5
    draw = ImageDraw.Draw(picture)
    thick = max(1, round(max(size) / 500))
    for one, other in _lines(key for key in plain if key not in marked):
        draw.line([_at(placed, one), _at(placed, other)], LINE, thick)
    for x, y in placed:
        draw.ellipse([x - thick - 0.5, y - thick - 0.5, x + thick + 0.5, y + thick + 0.5], POINT, HALO)
    font = ImageFont.load_default(size=max(11, max(size) // 50))
    for one, other in _lines(marked):
        draw.line([_at(placed, one), _at(placed, other)], MARKED, 2 * thick)
    for row, text in enumerate(dict.fromkeys(marked.values())):
        place = (4 * thick, 4 * thick + row * (font.size + 4))  # type: ignore[union-attr]
        draw.text(place, text, MARKED, font, stroke_width=2, stroke_fill=HALO)
    return np.asarray(picture)


def _lines(keys: Iterable[str]) -> Iterable[tuple[End, End]]:
    return dict.fromkeys(line for key in keys for line in MEASUREMENTS[key].lines)


def _at(points: Points, end: End) -> tuple[float, float]:
    x, y = points[list(end)].mean(axis=0).tolist()
    return x, y
