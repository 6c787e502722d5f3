"""Pages from templates, and two of them: the internal report and the comparison of several assessments.

Values are escaped by default, undefined names are errors, nothing is loaded from anywhere. The internal report shows
photographs and is not for release.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ganonym.evaluate.compare import Comparison, Place
from ganonym.evaluate.findings import Assessed, Finding
from ganonym.evaluate.protocol import ANONYMIZED, SAME_PHOTO
from ganonym.evaluate.report import figures, wording
from ganonym.evaluate.report.drawing import DARK, LIGHT
from ganonym.evaluate.report.files import write_whole
from ganonym.evaluate.report.tradeoff import Point, measure_of, points_of, tradeoff

if TYPE_CHECKING:
    from jinja2 import Environment


_SINGLING_OUT, _SAME_PHOTO = "G2", "G2b"
_LIMIT = re.compile(r"≤\s*(0\.\d{1,3}|\d{1,2}(?=\s*%))(?!\d)(\s*%)?")


Svg: TypeAlias = str | None


def render(template: str, figures: Mapping[str, Svg | Mapping[str, Svg]], **values: object) -> str:
    """The page that `template` makes of `values`, which are escaped, and of `figures`, SVG text, which is not."""
    from markupsafe import Markup

    def safe(svg: Svg) -> Svg:
        return None if svg is None else Markup(svg)

    drawn = {
        key: {name: safe(svg) for name, svg in figure.items()} if isinstance(figure, Mapping) else safe(figure)
        for key, figure in figures.items()
    }
    return _environment().get_template(template).render(figures=drawn, **values)


def limit_of(assessment: Assessed, setting: str | None = None) -> float | None:
    """The policy's limit on the rank-1 rate in a setting, by default of singling out; None where there is none.

    For linkage the policy limits the advantage over chance, so there is none on the rate.
    """
    if setting == ANONYMIZED:
        return None
    wanted = _SAME_PHOTO if setting == SAME_PHOTO else _SINGLING_OUT
    said = next((gate.limit for gate in assessment.gates if gate.id == wanted), "")
    found = _LIMIT.search(said)
    return None if found is None else float(found[1]) / (100 if found[2] else 1)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganonym.evaluate.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    filters: dict[str, Any] = {
        "percent": wording.percent, "interval": wording.interval, "number": wording.number,
    }  # fmt: skip
    environment.filters.update(filters)
    environment.globals.update(wording=wording, light=LIGHT, dark=DARK)
    return environment


_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class WorstPair:
    """A photo whose owner an attacker found: both pictures as PNG files, who was found, by whom, in which setting."""

    original_png: bytes
    released_png: bytes
    attacker: str
    setting: str
    subject: str
    image: str

    def __post_init__(self) -> None:
        if not (self.original_png.startswith(_PNG) and self.released_png.startswith(_PNG)):
            raise ValueError(f"the pictures of {self.image} are no PNG files")

    @property
    def original_uri(self) -> str:
        """The original as a data URI."""
        return _uri(self.original_png)

    @property
    def released_uri(self) -> str:
        """The released picture as a data URI."""
        return _uri(self.released_png)


def internal_page(assessment: Assessed, pairs: Sequence[WorstPair] = (), references: Sequence[Point] = ()) -> str:
    """The report as one HTML file without script or links outside.

    `references` are further points of the trade-off figure, baselines for instance.
    """
    groups = wording.by_setting(assessment)
    worst = [group[0] for group in groups.values()]
    measure = measure_of([assessment])
    points = [] if measure is None else [*points_of(assessment, "this release", measure), *references]
    end = max(
        (figures.axis_end(listed, limit_of(assessment, setting)) for setting, listed in groups.items()), default=1.0
    )
    drawn = {
        "attackers": {
            setting: figures.attackers(found, limit_of(assessment, setting), f"attackers-{index}", _attacker, end)
            for index, (setting, found) in enumerate(groups.items())
        },
        "tradeoff": tradeoff(points, measure, "tradeoff", limit=limit_of(assessment)) if measure and points else None,
        "cmc": figures.cmc(worst, "cmc", _setting) if worst else None,
        "det": figures.det(worst, "det", _named) if any(len(finding.det) > 1 for finding in worst) else None,
    }
    return render(
        "internal.html.j2",
        drawn,
        a=assessment,
        settings=groups,
        strongest=assessment.worst,
        measure=measure,
        pairs=pairs,
        strata=_strongest_by_setting(assessment.strata),
    )


def _strongest_by_setting(findings: Sequence[Finding]) -> list[Finding]:
    """Of every setting, the finding with the highest bound."""
    best: dict[str, Finding] = {}
    for finding in findings:
        if finding.setting not in best or finding.rank1.upper > best[finding.setting].rank1.upper:
            best[finding.setting] = finding
    return list(best.values())


def _attacker(finding: Finding) -> str:
    return finding.attacker


def _setting(finding: Finding) -> str:
    return finding.setting


def _named(finding: Finding) -> str:
    return f"{finding.attacker}, {finding.setting}"


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


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


def comparison_files(comparison: Comparison) -> list[str]:
    """Names of what `write_comparison` writes."""
    drawn = comparison.measure is not None and any(run.utility is not None for run in comparison.runs)
    return ["comparison.html", "comparison.csv", "comparison.json", *["tradeoff.svg"] * drawn]


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
