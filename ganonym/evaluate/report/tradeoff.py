"""The trade-off figure: how many people are recognised at worst, against what the pictures are still good for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from ganonym.evaluate.findings import Assessed, Utility
from ganonym.evaluate.report.drawing import ACCENT, INK, LINE, MUTED, PAPER, WIDTH, beside, canvas, to_svg
from ganonym.evaluate.report.wording import CLASSES, percent
from ganonym.statistics.intervals import Estimate, Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST = 0.01
_END = 1.12
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 310.0, 42.0, 16.0, 46.0, 44.0


@dataclass(frozen=True, slots=True)
class Point:
    """One release, or with `reference` something to judge releases by: the untouched photographs, say."""

    name: str
    risk: Rate
    utility: Estimate
    reference: bool = False


def measure_of(assessments: Sequence[Assessed]) -> str | None:
    """The first measure of utility that all have, one with a margin before others; None when there is no such."""
    measures = [{row.name: row for row in one.utility if row.released is not None} for one in assessments]
    shared = [name for name in measures[0] if all(name in one for one in measures)] if measures else []
    return next((name for name in shared if measures[0][name].margin is not None), next(iter(shared), None))


def utility_of(assessment: Assessed, measure: str) -> Utility | None:
    """The measure of that name, None when it was not evaluated."""
    return next((row for row in assessment.utility if row.name == measure and row.released is not None), None)


def points_of(assessment: Assessed, name: str, measure: str) -> list[Point]:
    """The release as a point, and its untouched photographs as another where control C1 measured them."""
    worst, found = assessment.worst, utility_of(assessment, measure)
    if worst is None or found is None or found.released is None:
        return []
    points = [Point(name, worst.rank1, found.released)]
    clean = next(
        (control.value for control in assessment.controls if control.id == "C1" and control.value is not None), None
    )
    if clean is not None and found.original is not None:
        rate = Rate(value=clean, low=clean, high=clean, upper=clean, n=assessment.counts.subjects)
        points.append(Point("untouched photographs", rate, found.original, reference=True))
    return points


def tradeoff(
    points: Sequence[Point],
    measure: str,
    name: str,
    lines: Sequence[Sequence[str]] = (),
    alone: bool = False,
    limit: float | None = None,
) -> str:
    """SVG of `points`: x the upper bound of the worst attacker's rank-1 rate (log), y `measure`, boxes the intervals.

    `lines` joins the points of one method, by name, in the order of its parameter. `limit` is the policy's. Raises
    ValueError without points.
    """
    if not points:
        raise ValueError("a trade-off needs points")
    low = min(p.utility.low for p in points)
    high = max(p.utility.high for p in points)
    pad = 0.08 * ((high - low) or 1.0)
    floor, top = low - pad, high + pad
    with canvas(_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM) as axes:
        for edge in CLASSES:
            axes.axvline(edge, color=LINE, linewidth=0.8, zorder=0)
        if limit is not None:
            axes.axvline(limit, color=INK, linewidth=1, dashes=(3, 2), zorder=1)
            axes.annotate(
                f"limit {percent(limit, 0)}", (limit, 1), xycoords=("data", "axes fraction"), xytext=(0, 5),
                textcoords="offset points", ha="center", fontsize=10,
            )  # fmt: skip
        for method in lines:
            path = [point for wanted in method for point in points if point.name == wanted]
            axes.plot(
                [_shown(p.risk.upper) for p in path],
                [p.utility.value for p in path],
                color=ACCENT,
                linewidth=1,
                zorder=2,
            )
        for p in points:
            colour = MUTED if p.reference else ACCENT
            left, right = _shown(p.risk.low), max(_shown(p.risk.low), p.risk.high)
            axes.fill_between([left, right], p.utility.low, p.utility.high, color=colour, alpha=0.12, linewidth=0)
            axes.plot([left, right], [p.utility.value] * 2, color=colour, linewidth=1.2, zorder=2)
            at = _shown(p.risk.upper)
            axes.plot([at, at], [p.utility.low, p.utility.high], color=colour, linewidth=1.2, zorder=2)
            inside = PAPER if p.reference else ACCENT
            axes.scatter([at], [p.utility.value], s=38, zorder=4, linewidths=1.4, facecolors=inside, edgecolors=colour)
        _name_points(axes, points, floor, top)
        axes.set_xscale("log")
        axes.set_xlim(_LEAST, _END)
        axes.set_ylim(floor, top)
        axes.minorticks_off()
        ticks = (0.01, 0.02, *CLASSES, 0.6, 1.0)
        axes.set_xticks(ticks, [f"{100 * tick:.0f}" for tick in ticks])
        axes.grid(axis="y")
        axes.set_xlabel("named at worst (95 % upper bound), % of people")
        heading = "\n".join(fill(measure, 60).splitlines()[:2])
        axes.annotate(
            f"↑ {heading}", (0, 1), xycoords="figure fraction", xytext=(0, -2), textcoords="offset points", va="top",
            fontsize=10.5,
        )  # fmt: skip
        said = "; ".join(f"{p.name}: at most {percent(p.risk.upper)}, {p.utility.value:.3f}" for p in points)
        return to_svg(axes, name, f"Risk against usefulness ({measure}). {said}.", alone)


def _shown(rate: float) -> float:
    return max(rate, _LEAST)


def _name_points(axes: Axes, points: Sequence[Point], floor: float, top: float) -> None:
    """Names beside the points; a thin line leads to those that had to move away."""
    wide, high = WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    span = math.log(_END / _LEAST)
    places = [
        (wide * math.log(_shown(p.risk.upper) / _LEAST) / span, high * (p.utility.value - floor) / (top - floor))
        for p in points
    ]
    for p, (dx, dy) in zip(points, beside(places, [p.name for p in points], wide, high), strict=True):
        axes.annotate(
            p.name, (_shown(p.risk.upper), p.utility.value), xytext=(dx, dy), textcoords="offset points",
            ha="left" if dx > 0 else "right", va="center", fontsize=10, color=MUTED if p.reference else INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.75}, zorder=5,
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkB": 3} if abs(dy) > 12 else None,
        )  # fmt: skip
