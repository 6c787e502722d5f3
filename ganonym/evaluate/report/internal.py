"""The internal report: everything that was found, with the pictures that leak most. It is not for release."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ganonym.evaluate.assessment import Assessment, Finding
from ganonym.evaluate.report import figures, wording
from ganonym.evaluate.report.page import limit_of, render
from ganonym.evaluate.report.tradeoff import Point, measure_of, points_of, tradeoff

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


def internal_page(assessment: Assessment, pairs: Sequence[WorstPair] = (), references: Sequence[Point] = ()) -> str:
    """The report as one HTML file without script or links outside.

    `references` are further points of the trade-off figure, baselines for instance.
    """
    groups = wording.by_setting(assessment)
    worst = [each[0] for each in groups.values()]
    measure = measure_of([assessment])
    points = [] if measure is None else [*points_of(assessment, "this release", measure), *references]
    end = max((figures.axis_end(each, limit_of(assessment, setting)) for setting, each in groups.items()), default=1.0)
    drawn = {
        "attackers": {
            setting: figures.attackers(found, limit_of(assessment, setting), f"attackers-{index}", _attacker, end)
            for index, (setting, found) in enumerate(groups.items())
        },
        "tradeoff": tradeoff(points, measure, "tradeoff", limit=limit_of(assessment)) if measure and points else None,
        "cmc": figures.cmc(worst, "cmc", _setting) if worst else None,
        "det": figures.det(worst, "det", _named) if any(len(each.det) > 1 for each in worst) else None,
    }
    return render(
        "internal.html.j2",
        drawn,
        a=assessment,
        settings=groups,
        strongest=wording.worst(assessment.findings),
        measure=measure,
        pairs=pairs,
        strata=_strongest(assessment.strata),
    )


def _strongest(findings: Sequence[Finding]) -> list[Finding]:
    """Of every setting, the finding with the highest bound."""
    best: dict[str, Finding] = {}
    for each in findings:
        if each.setting not in best or each.rank1.upper > best[each.setting].rank1.upper:
            best[each.setting] = each
    return list(best.values())


def _attacker(finding: Finding) -> str:
    return finding.attacker


def _setting(finding: Finding) -> str:
    return finding.setting


def _named(finding: Finding) -> str:
    return f"{finding.attacker}, {finding.setting}"


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
