"""`ganonym plan`: what each mechanism would promise and give for a release of this size, before any work."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Advance, Output
from ganonym_cli.options import Distinct, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ganonym.batch.people import PeopleAudit
    from ganonym.evaluate.plan import Forecast, Power
    from ganonym.privacy.settings import PrivacySettings


def plan(
    photos: Annotated[
        Path | None, typer.Argument(metavar="[PHOTOS]", help="Folder whose people are audited.", show_default=False)
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="CSV of the photos: image, subject, …")] = None,
    distinct: Distinct = None,
    subjects: Annotated[
        int | None,
        typer.Option(min=2, max=20_000, help="People in the release.", show_default="those of the manifest"),
    ] = None,
    k: Annotated[str, typer.Option("-k", help="k-same: group sizes.")] = "5,11,20",
    codes: Annotated[str, typer.Option("--codes", help="codebook: sizes.")] = "16,32,64",
    epsilon: Annotated[str, typer.Option("--epsilon", help="metric: ε, per population SD.")] = "0.5,1,2",
    directions: Annotated[int, typer.Option(min=1, max=40, help="metric: identity directions.")] = 8,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forecast privacy and signal of mechanisms and budgets, on virtual shapes of as many people.

    With PHOTOS and --manifest also an audit: subjects whose photographs look like one person's, since k counts people.
    """
    from ganonym.errors import UsageError
    from ganonym.evaluate.plan import forecast, power
    from ganonym.evaluate.verdict.policy import POLICIES, load_policy
    from ganonym.faces.shape import load_shape
    from ganonym.statistics.intervals import proportion

    output = Output(as_json, quiet)
    _tried(10**6, k, codes, epsilon, directions)  # refuses what is no budget, before photographs are read
    audited: dict[str, object] = {}
    shown: list[RenderableType] = []
    with output.progress() as advance:
        if photos is not None:
            number, audit = _audit(photos, manifest, distinct, jobs, advance)
            subjects = subjects or number
            audited, shown = _audit_json(audit), _audit_tables(audit)
        elif manifest is not None or distinct is not None:
            raise UsageError("--manifest and --distinct are about photographs.", "Name their folder, too.")
        if subjects is None:
            raise UsageError("how many people are released?", "Give --subjects, or photographs with --manifest.")
        if subjects < 2:
            raise UsageError("one subject cannot hide among others.", "Plan for at least 2.")
        model, found = load_shape(), {}
        tried = _tried(subjects, k, codes, epsilon, directions)
        for done, (name, settings) in enumerate(tried.items(), start=1):
            found[name] = forecast(settings, model, subjects, seed)
            advance("try", done, len(tried))
    gates = [each for name in POLICIES for each in power(subjects, load_policy(name))]
    least = proportion(0, subjects, confidence=0.90).high
    payload = {
        "subjects": subjects,
        "simulated": True,
        "least_provable": least,
        "mechanisms": {name: asdict(each) for name, each in found.items()},
        "gates": [asdict(each) for each in gates],
        **audited,
    }
    output.result(
        payload,
        _table(found, subjects),
        _gates(gates, subjects),
        f"With {subjects} subjects no attack can be shown to succeed less often than {least:.3f} "
        "(one-sided 95 % bound when it names nobody).",
        *shown,
    )


def _tried(subjects: int, k: str, codes: str, epsilon: str, directions: int) -> dict[str, PrivacySettings]:
    """The mechanisms to forecast, by what they are called."""
    from ganonym.privacy.settings import PrivacySettings

    tried = {f"k-same, k = {size:g}": PrivacySettings(k=int(size)) for size in numbers(k, "-k") if size <= subjects}
    tried |= {
        f"codebook, {size:g} codes": PrivacySettings(mechanism="codebook", codes=int(size))
        for size in numbers(codes, "--codes")
    }
    tried |= {
        f"metric, ε = {each:g}": PrivacySettings(
            mechanism="metric", epsilon=each, directions=directions, disperse="subject"
        )
        for each in numbers(epsilon, "--epsilon")
    }
    tried["none (exact shapes)"] = PrivacySettings(mechanism="none", i_understand=True)
    return tried


def _audit(
    photos: Path, manifest: Path | None, distinct: Path | None, jobs: int | None, advance: Advance
) -> tuple[int, PeopleAudit]:
    """Number of subjects, and which of them may be one person."""
    from ganonym.batch.inventory import take_inventory
    from ganonym.batch.people import audit_people
    from ganonym.settings import Settings

    batch = take_inventory(photos, None, Settings(), manifest, distinct)
    return batch.subjects, audit_people(photos, batch, jobs or os.cpu_count() or 1, advance)


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


def numbers(text: str, option: str) -> list[float]:
    from ganonym.errors import UsageError

    try:
        return [float(each) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no list of numbers.", "Write them with commas: 0.5,1,2.") from error


def _table(found: dict[str, Forecast], subjects: int) -> Table:
    table = Table(
        "mechanism", "declared", "named", "linked", "kept", title=f"{subjects} virtual people, shapes alone, rank-1"
    )
    for name, each in found.items():
        declared = "nothing" if each.bits is None else f"≤ {each.declared:.3f}"
        named, linked = (f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}]" for rate in (each.named, each.linked))
        table.add_row(name, declared, named, linked, f"{each.kept:.2f}")
    return table


def _gates(gates: list[Power], subjects: int) -> Table:
    table = Table(
        "policy", "gate", "limit", "hits allowed", "perfect passes", "plan for",
        title=f"Which gates {subjects} subjects can pass: one attacker, blind guesses, one photo each",
    )  # fmt: skip
    for each in gates:
        allowed = str(each.allowed) if each.allowed >= 0 else "cannot pass"
        table.add_row(
            each.policy, each.gate, f"≤ {each.limit:.3f}", allowed, f"{each.passes:.1%}", f"{each.needed} subjects"
        )
    return table
