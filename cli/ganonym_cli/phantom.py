"""`ganonym phantom`: photographs of people who do not exist, with the manifest that `ganonym anonymize` reads."""

from __future__ import annotations

from typing import Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Jobs, Json, OutFolder, Quiet, Seed

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
