"""Figures of the reports as SVG text: who is recognised, by whom, and at what price. No pixel of a photo is in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganonym.evaluate.findings import Finding, strongest
from ganonym.evaluate.report.drawing import ACCENT, ALARM, BAND, INK, MUTED, canvas, spread, to_svg
from ganonym.evaluate.report.wording import percent
from ganonym.types import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import MaxNLocator

Named = Callable[[Finding], str]
_LABEL = 26
_PROBITS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def attackers(
    findings: Sequence[Finding], limit: float | None, name: str, label: Named, end: float | None = None
) -> str:
    """Rank-1 rate and 95 % interval of every attacker in one setting, against the chance band and the limit.

    `findings` from top to bottom; `label` names an attacker; the axis ends at `end`, or where `axis_end` says.
    """
    height = 62 + 21 * len(findings)
    end = axis_end(findings, limit) if end is None else end
    with canvas(height, left=142, right=46, top=22, bottom=38) as axes:
        rows = np.arange(len(findings))
        middle = (findings[0].chance_low + findings[0].chance_high) / 2
        if limit is None or abs(limit - middle) > 0.28 * end:  # else the two names would overlap
            axes.annotate(
                "chance", (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 5),
                textcoords="offset points", ha="center", fontsize=10, color=MUTED,
            )  # fmt: skip
        axes.axvspan(
            min(f.chance_low for f in findings), max(f.chance_high for f in findings), color=BAND, linewidth=0, zorder=0
        )
        colours = [ALARM if limit is not None and f.rank1.upper > limit else ACCENT for f in findings]
        axes.hlines(
            rows, [f.rank1.low for f in findings], [f.rank1.high for f in findings], colors=colours, linewidth=2
        )
        axes.scatter([f.rank1.value for f in findings], rows, s=30, c=colours, zorder=3, linewidths=0)
        if limit is not None:
            axes.axvline(limit, color=INK, linewidth=1, dashes=(3, 2))
            axes.annotate(
                f"limit {percent(limit, 0)}", (limit, 1), xycoords=("data", "axes fraction"), xytext=(0, 5),
                textcoords="offset points", ha="center", fontsize=10,
            )  # fmt: skip
        for row, finding in enumerate(findings):
            axes.annotate(
                f"≤ {percent(finding.rank1.upper)}", (1, row), xycoords=("axes fraction", "data"), xytext=(44, 0),
                textcoords="offset points", ha="right", va="center", fontsize=10, color=INK,
            )  # fmt: skip
        axes.set_yticks(rows, [_short(label(finding)) for finding in findings], color=INK)
        axes.set_ylim(len(findings) - 0.4, -0.6)
        axes.set_xlim(0, end)
        axes.xaxis.set_major_locator(_locator(5 if end < 0.9 else 4))
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
        axes.set_xlabel("people named at the first guess, %")
        axes.spines["left"].set_visible(False)
        title = "; ".join(f"{label(f)}: {percent(f.rank1.value)}, at most {percent(f.rank1.upper)}" for f in findings)
        return to_svg(axes, name, f"Share of people named at the first guess. {title}.")


def axis_end(findings: Sequence[Finding], limit: float | None) -> float:
    """Where the axis of `attackers` ends so that all intervals and the limit fit: 0.15 … 1."""
    top = max([f.rank1.high for f in findings] + [limit or 0.0])
    return 1.0 if top > 0.8 else max(0.15, 1.15 * top)


def cmc(findings: Sequence[Finding], name: str, label: Named) -> str:
    """Share of people within the first 1, 2, … names, a curve for each finding, the strongest in colour."""
    places = max(len(f.cmc) for f in findings)
    first = strongest(findings)
    with canvas(310, left=42, right=122, top=10) as axes:
        for finding in findings:
            _curve(axes, np.arange(1.0, len(finding.cmc) + 1), np.array(finding.cmc), finding is first)
        guess = [min(1.0, place / findings[0].gallery) for place in range(1, places + 1)]
        axes.plot(range(1, places + 1), guess, color=INK, linewidth=1, dashes=(2, 2))
        top = min(1.0, max(max(f.cmc) for f in findings) * 1.12)
        ends = [(label(f), f.cmc[-1], f is first) for f in findings] + [("blind guesses", guess[-1], False)]
        _end_labels(axes, ends, 310 - 54, (0.0, top))
        axes.set_xlim(1, places)
        axes.set_ylim(0, top)
        axes.set_xticks([tick for tick in (1, 5, 10, 15, 20) if tick <= places])
        axes.yaxis.set_major_locator(_locator(5))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
        axes.grid(axis="y")
        axes.set_xlabel("names the attacker may give")
        axes.set_ylabel("people among them, %")
        return to_svg(axes, name, _curves_title("Cumulative match", findings, label))


def det(findings: Sequence[Finding], name: str, label: Named) -> str:
    """False matches against false non-matches on probit axes, a curve for each finding that has one."""
    from scipy.stats import norm

    shown = [finding for finding in findings if len(finding.det) > 1]
    first = strongest(shown)
    low, high = float(norm.ppf(_PROBITS[0])), float(norm.ppf(_PROBITS[-1]))
    with canvas(310, left=42, right=14, top=10) as axes:
        for finding in shown:
            points = norm.ppf(np.clip(np.array(finding.det), 1e-6, 1 - 1e-6))
            _curve(axes, points[:, 0], points[:, 1], finding is first)
        axes.plot([low, high], [-low, -high], color=INK, linewidth=1, dashes=(2, 2))
        axes.annotate("blind guesses", (1.0, -1.0), xytext=(4, 3), textcoords="offset points", fontsize=10, color=MUTED)
        if first is not None:
            points = norm.ppf(np.clip(np.array(first.det), 1e-6, 1 - 1e-6))
            at = int(np.argmin(np.abs(points[:, 0] + 0.9)))
            axes.annotate(
                _short(label(first), 32), (points[at, 0], points[at, 1]), xytext=(-6, -6), textcoords="offset points",
                ha="right", va="top", fontsize=10, color=ACCENT,
            )  # fmt: skip
        ticks = norm.ppf(_PROBITS)
        shown_ticks = [f"{100 * share:g}" for share in _PROBITS]
        axes.set_xticks(ticks, shown_ticks)
        axes.set_yticks(ticks, shown_ticks)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.grid()
        axes.set_xlabel("false matches, % (probit)")
        axes.set_ylabel("missed matches, % (probit)")
        return to_svg(axes, name, _curves_title("Detection error trade-off", shown, label))


def _curve(axes: Axes, x: Floats, y: Floats, first: bool) -> None:
    colour, width, order = (ACCENT, 2.2, 3) if first else (MUTED, 0.9, 2)
    axes.plot(x, y, color=colour, linewidth=width, zorder=order)


def _end_labels(axes: Axes, ends: list[tuple[str, float, bool]], height: float, span: tuple[float, float]) -> None:
    """Name curves at their right ends, moved apart to the height of a line of text."""
    gap = 12.5 / height * (span[1] - span[0])
    for (text, _, first), y in zip(ends, spread([end for _, end, _ in ends], gap, *span), strict=True):
        axes.annotate(
            _short(text, 20), (1, y), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
            va="center", fontsize=10, color=ACCENT if first else MUTED,
        )  # fmt: skip


def _locator(bins: int) -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(bins, steps=[1, 2, 5, 10])


def _short(text: str, longest: int = _LABEL) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _curves_title(what: str, findings: Sequence[Finding], label: Named) -> str:
    first = strongest(findings)
    return f"{what}, {len(findings)} curves" + ("." if first is None else f"; the strongest: {label(first)}.")
