"""`ganonym phantom` and `demo`: photographs of people who do not exist, written, or anonymized and attacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Jobs, Json, OutFolder, Quiet, Seed
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.evaluate.findings import Finding


PEOPLE = 24


def phantom(
    out: OutFolder,
    people: Annotated[
        int | None,
        typer.Option(
            "--people",
            min=1,
            help="Virtual people; with --syndromes, of each class without a number.",
            show_default=str(PEOPLE),
        ),
    ] = None,
    photos: Annotated[int, typer.Option("--photos", min=1, help="Photos of each.")] = 2,
    syndromes: Annotated[
        str | None,
        typer.Option("--syndromes", help="Simulated syndromes: WBS=33,KBG=2,control=33, or all.", show_default="none"),
    ] = None,
    severity: Annotated[
        str | None,
        typer.Option("--severity", help="How marked the signs are: normal or easy.", show_default="normal"),
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample virtual people, healthy or with simulated syndromes: OUT/photos and OUT/people.csv."""
    from ganonym.errors import UsageError
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.syndromes import check_severity
    from ganonym.phantom.write import class_sizes, write_cohort

    output = Output(as_json, quiet)
    if severity is not None and syndromes is None:
        raise UsageError("--severity does nothing without --syndromes.", "Leave it out.")
    if people is not None and syndromes is not None and class_sizes(syndromes, 1) == class_sizes(syndromes, 2):
        raise UsageError("--people does nothing: --syndromes gives every class a number.", "Leave it out.")
    wanted = (people or PEOPLE) if syndromes is None else class_sizes(syndromes, people or PEOPLE)
    cohort = cohort_of(wanted, photos, seed, check_severity(severity or "normal"))
    with output.progress() as advance:
        manifest = write_cohort(out / "photos", cohort, jobs, advance)
    payload = {
        "simulated": True,
        "photos": str(out / "photos"),
        "manifest": str(manifest),
        "people": cohort.people,
        "each": photos,
        "seed": seed,
    }
    if cohort.groups is not None:
        payload |= {"classes": dict(cohort.groups), "severity": severity, "landmarks": str(out / "landmarks.csv")}
    output.result(
        payload, f"{cohort.people * photos} photos of {cohort.people} people: {out / 'photos'}, manifest {manifest}"
    )


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write, replaced.")] = Path("demo"),
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample 48 photos of 24 virtual people, anonymize them with k = 11, attack the result, show a table."""
    from ganonym import demo as demonstration

    output = Output(as_json, quiet)
    with output.progress() as advance:
        made = demonstration.make_demo(out, seed, jobs or 0, advance)
    run, pairs = made.run, list(zip(made.before, made.after, strict=True))
    payload = {
        "simulated": True,
        "people": demonstration.PEOPLE,
        "photos": made.photos,
        "anonymized": run.anonymized,
        "withheld": run.quarantined,
        "guarantee": run.guarantee,
        "rank1": [_row(*pair) for pair in pairs],
        "sheet": str(out / "sheet.png"),
    }
    summary = f"{run.anonymized} photos anonymized, {run.quarantined} withheld. {run.guarantee}."
    files = f"Side by side: {out / 'sheet.png'}   Report: {out / 'anonymized/REPORT.md'}"
    output.result(payload, _table(made.before, made.after), summary, files)


def _row(before: Finding, after: Finding) -> dict[str, object]:
    def rate(finding: Finding) -> dict[str, float]:
        return {"rank1": finding.rank1.value, "low": finding.rank1.low, "high": finding.rank1.high}

    names = {"attacker": after.attacker, "setting": after.setting, "chance": after.chance, "failures": after.failures}
    return names | {"before": rate(before), "after": rate(after)}


def _table(before: Sequence[Finding], after: Sequence[Finding]) -> Table:
    from ganonym import demo as demonstration

    settings = list(dict.fromkeys(finding.setting for finding in after))
    table = Table(
        "attacker", *settings, title=f"Simulated people: {demonstration.PEOPLE} who do not exist, k = {demonstration.K}"
    )
    table.caption = (
        "Share of people named at the first guess, before → after [exact 95 % interval].\n"
        f"Blind guessing: {after[0].chance:.0%}; the shape may give 1/{demonstration.K}, kept expression adds to it."
    )
    for attacker in dict.fromkeys(finding.attacker for finding in after):
        cells = [
            f"{old.rank1.value:.0%} → {new.rank1.value:.0%} [{new.rank1.low:.0%}, {new.rank1.high:.0%}]"
            for old, new in zip(before, after, strict=True)
            if new.attacker == attacker
        ]
        table.add_row(attacker, *cells)
    return table
