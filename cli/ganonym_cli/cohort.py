"""How `ganonym plan` shows what a release of a cohort would keep, and whom it cannot serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganonym_cli.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ganonym.batch.cohort import CohortPlan
    from ganonym.privacy.forecast import CohortForecast

_GROUPED = {"photo": "photos", "subject": "people"}
_SHIFTS = {"tone": ("lighter", "darker"), "age": ("older", "younger")}
"""What it is to be shown further up an axis, and further down."""


def cohort_tables(plan: CohortPlan) -> list[RenderableType]:
    """Sentences and tables for a steward, without names of photographs or people."""
    forecast = plan.forecast
    if not forecast.groups:
        said = f"k-same with k = {forecast.k} cannot release these {forecast.people} people. Instead:"
        return [said, *[f"- {instead}" for instead in forecast.instead], _curve(plan.curve)]
    return [
        f"k-same with k = {forecast.k}: {forecast.photos - forecast.withheld} of {forecast.photos} "
        f"{_GROUPED[plan.link]} in {forecast.groups} groups of at least {forecast.smallest} people; an output tells at "
        f"most {forecast.bits:.1f} bits, and whoever knows all groups names {forecast.named:.3f}. "
        f"{forecast.left_out} of {forecast.people} people are left out.",
        *["Expression is outside of that, in a budget of bits a photo."] * (plan.link == "subject"),
        *[f"No usable face: {', '.join(f'{name} {count}' for name, count in plan.refused.items())}."]
        * bool(plan.refused),
        _axes(forecast),
        *_unserved(forecast),
        _curve(plan.curve),
    ]


def _axes(forecast: CohortForecast) -> Table:
    table = Table("axis", "r", "spread", title=f"Kept at k = {forecast.k}")
    for axis in forecast.axes:
        table.add_row(axis.name, f"{axis.r:.2f}", f"{axis.spread:.2f}")
    return table


def _unserved(forecast: CohortForecast) -> list[RenderableType]:
    """A row for every band, and what to do about those who are fewest."""
    if not forecast.unserved:
        return ["No tone and no age is so rare here that it would be shown as another."]
    table = Table("of", "band", "people", "too few", "shown", title="Whom the groups cannot serve")
    for band in forecast.unserved:
        up, down = _SHIFTS[band.axis]
        shown = f"{abs(band.shift):.1f} SD {up if band.shift > 0 else down}"
        table.add_row(band.axis, band.band, str(band.people), str(band.short), shown)
    worst = forecast.unserved[0]
    return [
        table,
        f"For {worst.axis} {worst.band}, who are off the most:",
        *[f"- {remedy}" for remedy in worst.remedies],
    ]


def _curve(curve: Sequence[CohortForecast]) -> Table:
    kinds = list(dict.fromkeys(kind for forecast in curve for kind in forecast.kinds))
    table = Table("people", "k", "groups", "bits", "released", *kinds, title="What k and the number of people buy: r")
    for forecast in curve:
        released = 1 - forecast.withheld / forecast.photos if forecast.photos else 0.0
        cells = [f"{forecast.kinds[kind]:.2f}" if kind in forecast.kinds else "" for kind in kinds]
        table.add_row(
            str(forecast.people),
            str(forecast.k),
            str(forecast.groups),
            f"{forecast.bits:.1f}",
            f"{released:.0%}",
            *cells,
        )
    return table
