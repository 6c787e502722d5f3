"""card.md: an assessment on one page, and its rows for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ganonym.evaluate.findings import Assessed
from ganonym.evaluate.report.wording import SETTINGS, by_setting, interval, number, percent

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Heads of the columns, and the rows."""


def card(assessment: Assessed) -> str:
    """The card as Markdown. Like the internal report it quotes the assessment's texts: it is not made for release."""
    a = assessment
    simulated = ["", "**SIMULATED: the people in these pictures do not exist.**"] if a.simulated else []
    lines = [
        f"# {_plain(a.headline if a.headline.startswith(a.verdict) else f'{a.verdict}: {a.headline}')}",
        *simulated,
        "",
        f"{_plain(a.title)}: {a.counts.subjects} people, {a.counts.photos} photographs, {a.counts.released} released, "
        f"{a.counts.withheld} withheld. Policy {_plain(a.policy)}, {_plain(a.protocol)}, assessed on {a.assessed_on}, "
        f"valid until {a.valid_until}.",
        "",
        "## Conditions",
        "",
        *_markdown(gate_rows(a)),
        "",
        "## Strongest attacker of every attack",
        "",
        *_markdown(attack_rows(a)),
        "",
        "## Usefulness",
        "",
        *_markdown(utility_rows(a)),
    ]
    if a.warnings:
        lines += ["", "## Warnings", "", *(f"- {_plain(warning)}" for warning in a.warnings)]
    lines += [
        "",
        "Rates are of people named at the first guess, intervals exact; “at most” is the 95 % upper bound.",
        "",
    ]
    return "\n".join(lines)


def gate_rows(assessment: Assessed) -> Table:
    """Gates with state, limit and what was found."""
    rows: list[tuple[str, ...]] = [
        (gate.id, gate.name, gate.state if gate.blocks else f"{gate.state} (does not block)", gate.limit, gate.found)
        for gate in assessment.gates
    ]
    return ("gate", "condition", "state", "limit", "found"), rows


def attack_rows(assessment: Assessed) -> Table:
    """The strongest attacker of every setting."""
    rows: list[tuple[str, ...]] = [
        (
            SETTINGS.get(setting, (setting,))[0], found[0].attacker, percent(found[0].rank1.value),
            interval(found[0].rank1), percent(found[0].rank1.upper), percent(found[0].chance),
        )
        for setting, found in by_setting(assessment).items()
    ]  # fmt: skip
    return ("attack", "attacker", "named", "95 % interval", "at most", "chance"), rows


def utility_rows(assessment: Assessed) -> Table:
    """Measures of utility on originals and released pictures."""
    rows: list[tuple[str, ...]] = [
        (
            f"{row.family}: {row.name}", "–" if row.original is None else number(row.original.value),
            "–" if row.released is None else number(row.released.value),
            "–" if row.difference is None
            else f"{number(row.difference.value)} [{number(row.difference.low)}, {number(row.difference.high)}]",
            row.decision,
        )
        for row in assessment.utility
    ]  # fmt: skip
    return ("measure", "original", "released", "difference", "decision"), rows


def _markdown(table: Table) -> Iterable[str]:
    heads, rows = table
    if not rows:
        return ["None."]
    return [_row(heads), _row(["---"] * len(heads)), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    clean = [_plain(cell).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(clean)} |"


def _plain(text: str) -> str:
    """One line without Markdown's or HTML's own characters."""
    return " ".join(text.split()).replace("<", "&lt;").replace("`", "'").replace("*", "\\*").replace("_", "\\_")
