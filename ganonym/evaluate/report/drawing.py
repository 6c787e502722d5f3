"""From a matplotlib figure to SVG text, with names beside its points: the same bytes every time.

Figures are drawn in colours that stand for CSS variables and become them; the page (or the SVG itself, when it stands
alone) says what they are in daylight and in the dark. One unit is one CSS pixel on a phone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


WIDTH = 358
LIGHT = {
    "ink": "#1b2126", "muted": "#5c6670", "line": "#d3d9de", "band": "#e9edf0", "accent": "#0067a3", "alarm": "#b5450b",
    "paper": "#ffffff",
}  # fmt: skip
DARK = {
    "ink": "#e8ecef", "muted": "#a2adb7", "line": "#3a434b", "band": "#262d33", "accent": "#62b5e8", "alarm": "#f0915a",
    "paper": "#14181b",
}  # fmt: skip
INK, MUTED, LINE, BAND, ACCENT, ALARM, PAPER = (f"#0{i}0{i}0{i}" for i in range(1, 8))
_VARIABLE = dict(zip((INK, MUTED, LINE, BAND, ACCENT, ALARM, PAPER), LIGHT, strict=True))
_FONT = re.compile(r"(font: [^;\"]*?\d+(?:\.\d+)?px) [^;\"]+")


@contextmanager
def canvas(height: float, left: float = 48, right: float = 14, top: float = 14, bottom: float = 44) -> Iterator[Axes]:
    """Axes on a figure of WIDTH x `height` units with these margins, in the house style."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": "ganonym", "font.family": "DejaVu Sans", "font.size": 10.5,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": LINE, "axes.linewidth": 1.0,
        "axes.spines.top": False, "axes.spines.right": False, "xtick.color": LINE, "ytick.color": LINE,
        "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED, "xtick.major.size": 3, "ytick.major.size": 0,
        "grid.color": LINE, "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.unicode_minus": True,
        "axes.labelsize": 10.5, "xtick.labelsize": 10, "ytick.labelsize": 10,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure((WIDTH / 72, height / 72))
        FigureCanvasSVG(figure)
        place = (left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (top + bottom) / height)
        yield figure.add_axes(place)


def to_svg(axes: Axes, name: str, title: str, alone: bool = False) -> str:
    """SVG text of the figure of `axes`; `title` is its text alternative, `name` (letters, dashes) keeps its ids apart.

    `alone` gives a whole file with its own colours, else an element to put into a page that defines them. To be called
    within `canvas`.
    """
    buffer = io.StringIO()
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes of a canvas have their figure"
    figure.savefig(
        buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    for colour, variable in _VARIABLE.items():
        text = text.replace(colour, f"var(--{variable})")
    text = _FONT.sub(r"\1 system-ui, 'Segoe UI', 'Liberation Sans', sans-serif", text)
    used = set(re.findall(r"#([\w.-]+)[\")]", text))
    text = re.sub(r' id="([\w.-]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"(xlink:href=\"|url\()#", rf"\1#{name}-", text)
    text = re.sub(r"<!--.*?-->\s*|<style.*?</style>\s*", "", text, flags=re.DOTALL)
    head = re.match(r"<svg[^>]*>", text)
    assert head is not None, "matplotlib writes an svg element"
    box = re.search(r'viewBox="([^"]+)"', head[0])
    assert box is not None, "matplotlib writes a viewBox"
    size = box[1].split()
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ' if alone else ""
    wide = f'width="{size[2]}" height="{size[3]}" ' if alone else ""
    opening = f'<svg {spaces}{wide}viewBox="{box[1]}" role="img" aria-labelledby="{name}-title">'
    colours = f"<style>{_colours()}</style>" if alone else ""
    body = text[head.end() :].strip()
    return f'{opening}<title id="{name}-title">{escape(title)}</title>{colours}\n{body}\n'


def _colours() -> str:
    light, dark = (";".join(f"--{name}:{value}" for name, value in palette.items()) for palette in (LIGHT, DARK))
    return f":root{{{light}}}svg{{background:var(--paper)}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"


def spread(places: list[float], gap: float, low: float, high: float) -> list[float]:
    """`places` moved apart to at least `gap`, in their order, within `low` … `high` where that is possible.

    >>> spread([0.0, 0.1, 5.0], 1.0, 0.0, 6.0)
    [0.0, 1.0, 5.0]
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    over = moved[order[-1]] - high if order else 0.0
    if over > 0:
        moved[order[-1]] -= over
        for after, before in pairwise(order[::-1]):
            moved[before] = max(low, min(moved[before], moved[after] - gap))
    return moved


_LINE, _LETTER = 13.0, 5.7
_STEPS = ((8, 0), (7, 9), (7, -9), (9, 20), (9, -20), (10, 32), (10, -32), (12, 45), (12, -45), (14, 59), (14, -59))
_CLEAR = 6.0


def beside(
    points: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float
) -> list[tuple[float, float]]:
    """Offsets (x, y) of each name from its point, all in units of the figure; x < 0: it ends there, else it begins.

    `points` lie in an area of `width` x `height`, y upwards. Where no place is free the name stays right of its point.

    >>> beside([(10, 50), (11, 50)], ["a", "b"], 100, 100)
    [(8, 0), (9, 20)]
    """
    taken = [(x - _CLEAR, y - _CLEAR, x + _CLEAR, y + _CLEAR) for x, y in points]
    chosen: dict[int, tuple[float, float]] = {}
    for index in sorted(range(len(points)), key=lambda each: -points[each][1]):
        x, y = points[index]
        wide = _LETTER * len(names[index])
        chosen[index] = (8, 0)
        for (dx, dy), side in product(_STEPS, (1, -1)):
            left = x + dx if side > 0 else x - dx - wide
            box = (left, y + dy - _LINE / 2, left + wide, y + dy + _LINE / 2)
            inside = left >= 0 and left + wide <= width and box[1] >= 0 and box[3] <= height
            own = taken[index]
            if inside and not any(_overlap(box, other) for other in taken if other != own):
                chosen[index] = (side * dx, dy)
                taken.append(box)
                break
    return [chosen[index] for index in range(len(points))]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
