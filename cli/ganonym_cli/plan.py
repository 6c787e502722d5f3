"""`ganonym plan`: what a release of these photographs, or of so many people, would promise and give."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym.settings import FaceRule, Settings
from ganonym_cli import settings_options as option
from ganonym_cli.cohort import cohort_tables
from ganonym_cli.console import Output
from ganonym_cli.options import Distinct, Jobs, Json, Profile, Quiet, Seed, settings_from
from ganonym_cli.sweep import numbers
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ganonym.batch.people import PeopleAudit
    from ganonym.evaluate.plan import Budgets, ReleaseForecast


def plan(
    photos: Annotated[
        Path | None,
        typer.Argument(metavar="[PHOTOS]", help="Folder of which a release is planned.", show_default=False),
    ] = None,
    *,
    manifest: Annotated[Path | None, typer.Option(help="CSV of the photos: image, subject, …")] = None,
    distinct: Distinct = None,
    subjects: Annotated[
        int | None,
        typer.Option(min=2, max=20_000, help="People in the release.", show_default="those of the manifest"),
    ] = None,
    policy: option.Policy = None,
    keep: option.Keep = None,
    small_classes: option.Small = None,
    link: option.Linked = None,
    subject_face: Annotated[FaceRule | None, option.field_option(Settings, "subject_face", "Privacy")] = None,
    profile: Profile = None,
    k: Annotated[str, typer.Option("-k", help="k-same: group sizes of the tables.")] = "5,11,20",
    codes: Annotated[str, typer.Option("--codes", help="codebook: sizes.")] = "16,32,64",
    epsilon: Annotated[str, typer.Option("--epsilon", help="metric: ε, per population SD.")] = "0.5,1,2",
    directions: Annotated[int, typer.Option(min=1, max=40, help="metric: identity directions.")] = 8,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forecast privacy and signal of mechanisms and budgets, on virtual shapes of as many people.

    With PHOTOS what a release of them would keep, of each axis, and whom it cannot serve; and with --manifest an audit:
    subjects whose photographs look like one person's, since k counts people.
    """
    from ganonym.batch.cohort import plan_cohort
    from ganonym.errors import UsageError
    from ganonym.evaluate.plan import audit_subjects, forecast_release

    output, budgets = Output(as_json, quiet), _budgets(k, codes, epsilon, directions)
    given = option.said(policy=policy, keep=keep, small_classes=small_classes, link=link, subject_face=subject_face)
    settings = settings_from(given, profile).changed(seed=seed, **({} if jobs is None else {"jobs": jobs}))
    budgets.mechanisms(10**6)  # refuses what is no budget, before photographs are read
    audited: dict[str, object] = {}
    shown: list[RenderableType] = []
    with output.progress() as advance:
        if photos is not None:
            number, audit = audit_subjects(photos, manifest, distinct, jobs or os.cpu_count() or 1, advance)
            subjects = subjects or number
            planned = plan_cohort(photos, settings, budgets.k, manifest=manifest, distinct=distinct, progress=advance)
            audited = _audit_json(audit) | planned.to_json()
            shown = [*cohort_tables(planned), *_audit_tables(audit)]
        elif about := [name for name, path in (("manifest", manifest), ("distinct", distinct)) if path] + [*given]:
            named = ", ".join(f"--{name.replace('_', '-')}" for name in about)
            raise UsageError(f"this is about photographs: {named}.", "Name their folder, too.")
        if subjects is None:
            raise UsageError("how many people are released?", "Give --subjects, or photographs with --manifest.")
        forecast = forecast_release(subjects, budgets, seed, advance)
    output.result(
        asdict(forecast) | {"simulated": True} | audited,
        *shown,
        _table(forecast),
        _gates(forecast),
        f"With {subjects} subjects no attack can be shown to succeed less often than {forecast.least_provable:.3f} "
        "(one-sided 95 % bound when it names nobody).",
    )


def _budgets(k: str, codes: str, epsilon: str, directions: int) -> Budgets:
    from ganonym.evaluate.plan import Budgets

    return Budgets(
        tuple(int(size) for size in numbers(k, "-k")),
        tuple(int(size) for size in numbers(codes, "--codes")),
        tuple(numbers(epsilon, "--epsilon")),
        directions,
    )


def _nearest(audit: PeopleAudit) -> str:
    from ganonym.batch.people import DOUBT

    return "" if audit.nearest is None else f" nearer than {DOUBT}; the two most alike lie at {audit.nearest:.2f}"


def _audit_json(audit: PeopleAudit) -> dict[str, object]:
    return {
        "suspects": [asdict(suspect) for suspect in audit.suspects],
        "compared": audit.compared,
        "nearest": audit.nearest,
        "not_compared": dict(Counter(refusal.reason for _, refusal in audit.refused)),
    }


def _audit_tables(audit: PeopleAudit) -> list[RenderableType]:
    title = f"Subjects who may be one person, by the recognizer, of {audit.compared} photos"
    table = Table("subjects", "photos", "distance", title=title)
    for suspect in audit.suspects:
        table.add_row("\n".join(suspect.subjects), "\n".join(suspect.photos), f"{suspect.distance:.2f}")
    reasons = Counter(refusal.reason for _, refusal in audit.refused)
    missing = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    return [
        table if audit.suspects else f"{title}: none{_nearest(audit)}.",
        *[f"Not compared: {missing}."] * bool(missing),
        *["Give one person one id; who truly are different people goes into a CSV for --distinct."]
        * bool(audit.suspects),
    ]


def _table(forecast: ReleaseForecast) -> Table:
    table = Table(
        "mechanism",
        "declared",
        "named",
        "linked",
        "kept",
        title=f"{forecast.subjects} virtual people, shapes alone, rank-1",
    )
    for name, tried in forecast.mechanisms.items():
        declared = "nothing" if tried.bits is None else f"≤ {tried.declared:.3f}"
        named, linked = (f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}]" for rate in (tried.named, tried.linked))
        table.add_row(name, declared, named, linked, f"{tried.kept:.2f}")
    return table


def _gates(forecast: ReleaseForecast) -> Table:
    table = Table(
        "policy", "gate", "limit", "hits allowed", "perfect passes", "plan for",
        title=f"Which gates {forecast.subjects} subjects can pass: one attacker, blind guesses, one photo each",
    )  # fmt: skip
    for gate in forecast.gates:
        allowed = str(gate.allowed) if gate.allowed >= 0 else "cannot pass"
        table.add_row(
            gate.policy, gate.gate, f"≤ {gate.limit:.3f}", allowed, f"{gate.passes:.1%}", f"{gate.needed} subjects"
        )
    return table
