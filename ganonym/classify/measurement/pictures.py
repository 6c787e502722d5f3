"""Percentile charts of a measurement by age, with one person's place in them. Same input, same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganonym.classify.measurement.lengths import MEASUREMENTS, End, Unit, unit_of
from ganonym.classify.measurement.norms import Norm, norm_of
from ganonym.extras import require
from ganonym.types import RGB, Points, Refusal, Sex

CENTILES = (3, 10, 25, 50, 75, 90, 97)
_INK, _MUTED, _ACCENT = "#1b2126", "#8a939b", "#0067a3"
_AGED = 90.0


def percentile_chart(
    norms: Sequence[Norm],
    key: str,
    unit: Unit,
    sex: Sex | None = None,
    age: float | None = None,
    value: float | None = None,
    form: Literal["svg", "png"] = "svg",
) -> bytes:
    """Centiles of the measurement `key` by age from norms of `sex`, and a point where `value` lies at `age`.

    Over each range of ages its centiles are level, since a table knows no more; they assume a normal distribution. At
    an unknown age the value is a line across. SVG as UTF-8 with text as text, or PNG. Raises ValueError when no norm
    fits.
    """
    require("assess", "a chart")
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from scipy.special import ndtri

    spans = spans_of(norms, key, unit, sex)
    if not spans:
        raise ValueError(f"no norm of {key} in {unit_of(key, unit)}")
    style = {"svg.hashsalt": "ganonym", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 10.0}
    with mpl.rc_context(style):  # type: ignore[arg-type]
        figure = Figure((6.4, 4.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for norm in spans:
            start, end = norm.low, min(norm.high, _AGED)
            for centile in CENTILES:
                level = norm.mean + float(ndtri(centile / 100)) * norm.sd
                middle = centile == 50
                axes.hlines(level, start, end, colors=_INK if middle else _MUTED, linewidth=1.6 if middle else 0.8)
                if norm is spans[-1]:
                    axes.annotate(f"{centile}", (end, level), (3, 0), textcoords="offset points", va="center", size=8)
        if value is not None and age is not None:
            axes.plot([age], [value], marker="o", markersize=8, color=_ACCENT, linestyle="none")
        elif value is not None:
            axes.axhline(value, color=_ACCENT, linewidth=1.6)
        axes.set_xlabel("age, years")
        axes.set_ylabel(unit_of(key, unit))
        axes.set_title(
            f"{MEASUREMENTS[key].name}, {sex or 'both sexes'}\ncentiles of: {_sources(spans)}", size=9, wrap=True
        )
        axes.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        if form == "svg":
            figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        else:
            figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def spans_of(norms: Sequence[Norm], key: str, unit: Unit, sex: Sex | None) -> list[Norm]:
    """The norm of each range of ages that the norms tell apart, in order: what `norm_of` says in the middle of each."""
    edges = sorted({edge for norm in norms for edge in (norm.low, norm.high)})
    spans: list[Norm] = []
    for low, high in pairwise(edges):
        norm = norm_of(norms, key, unit, (low + high) / 2, sex)
        if not isinstance(norm, Refusal) and norm not in spans:
            spans.append(norm)
    return spans


def _sources(spans: Sequence[Norm]) -> str:
    return "; ".join(dict.fromkeys(norm.source for norm in spans))


LINE, POINT, MARKED, HALO = (0, 160, 230), (255, 255, 255), (240, 120, 40), (20, 20, 20)
LONGEST = 1400
_MARGIN = 0.35


def drawn(rgb: RGB, points: Points, marked: Mapping[str, str] | None = None, keys: Sequence[str] | None = None) -> RGB:
    """The face of the photo (h, w, 3) with landmarks `points` (68, 2) and the lines of measurements drawn.

    `marked` measurements are drawn on top in a colour of their own and named by their text; `keys` are the others, by
    default all lengths. The cut around the face is enlarged or reduced to at most `LONGEST` px a side. Deterministic.
    """
    marked = marked or {}
    plain = [key for key, row in MEASUREMENTS.items() if row.kind == "length"] if keys is None else list(keys)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * float((high - low).max())
    left, top = (int(pixel) for pixel in np.maximum(np.floor(low - margin), 0))
    right, bottom = (int(pixel) for pixel in np.minimum(np.ceil(high + margin), rgb.shape[1::-1]))
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
