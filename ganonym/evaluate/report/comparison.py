"""What a comparison leaves to read: HTML page, SVG figure, CSV table, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from ganonym.evaluate.compare import Comparison, Place
from ganonym.evaluate.report.page import render
from ganonym.evaluate.report.tradeoff import Point, tradeoff
from ganonym.evaluate.report.write_json import write_whole

_COLUMNS = (
    "name", "verdict", "simulated", "subjects", "photos", "released", "attacker", "setting", "rank1", "rank1_low",
    "rank1_high", "rank1_upper", "privacy_class", "privacy_rank", "measure", "utility", "utility_low", "utility_high",
    "utility_rank",
)  # fmt: skip


def write_comparison(folder: Path, comparison: Comparison, lines: Sequence[Sequence[str]] = ()) -> list[Path]:
    """Write comparison.html, .csv and .json, and tradeoff.svg where the runs share a measure; returns the paths.

    `lines` joins the runs of one method in the figure, by name. Raises EnvironmentFault.
    """
    figure = _figure(comparison, lines, alone=True)
    made = {
        "comparison.html": comparison_page(comparison, lines).encode(),
        "comparison.csv": to_csv(comparison).encode(),
        "comparison.json": (
            json.dumps(comparison.model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        ).encode(),
    } | ({} if figure is None else {"tradeoff.svg": figure.encode()})
    for name, data in made.items():
        write_whole(folder / name, data)
    return [folder / name for name in made]


def comparison_page(comparison: Comparison, lines: Sequence[Sequence[str]] = ()) -> str:
    """The comparison as one HTML file without script or links outside; it names runs and attackers, no people."""
    classes: dict[float, list[object]] = {}
    for run in comparison.runs:
        classes.setdefault(run.privacy_class, []).append(run)
    drawn = {"tradeoff": _figure(comparison, lines)}
    simulated = all(run.simulated for run in comparison.runs)
    return render("compare.html.j2", drawn, c=comparison, classes=classes, place=place, simulated=simulated)


def to_csv(comparison: Comparison) -> str:
    """One row a run, with the intervals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for run in comparison.runs:
        use = run.utility
        writer.writerow(
            (
                run.name, run.verdict, str(run.simulated).lower(), run.subjects, run.photos, run.released, run.attacker,
                run.setting, run.risk.value, run.risk.low, run.risk.high, run.risk.upper, run.privacy_class,
                place(run.privacy_place), comparison.measure or "",
                *(("", "", "") if use is None else (use.value, use.low, use.high)), place(run.utility_place),
            )
        )  # fmt: skip
    return text.getvalue()


def place(found: Place | None) -> str:
    """A rank, or the ranks between which it may be.

    >>> place(Place(best=2, last=2)), place(Place(best=1, last=3)), place(None)
    ('2', '1–3', '')
    """
    if found is None:
        return ""
    return str(found.best) if found.best == found.last else f"{found.best}–{found.last}"


def _figure(comparison: Comparison, lines: Sequence[Sequence[str]], alone: bool = False) -> str | None:
    points = [Point(run.name, run.risk, run.utility) for run in comparison.runs if run.utility is not None]
    if not points or comparison.measure is None:
        return None
    return tradeoff(points, comparison.measure, "tradeoff", lines, alone)
