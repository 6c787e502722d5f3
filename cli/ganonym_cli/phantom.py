"""`ganonym phantom`: photographs of people who do not exist, with the manifest that `ganonym anonymize` reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Advance, Output
from ganonym_cli.options import Jobs, Json, OutFolder, Quiet, Seed

if TYPE_CHECKING:
    from ganonym.phantom.cohort import Cohort

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


def class_sizes(text: str, people: int) -> dict[str, int]:
    """People by class of "WBS=33,KBG=2,control"; `people` where no number is given. Raises UsageError.

    "all" is every syndrome whose signs show in a frontal photograph, and control; what is named beside it has its own
    number.

    >>> class_sizes("WBS=3,control", 24)
    {'WBS': 3, 'control': 24}
    """
    from ganonym.errors import UsageError
    from ganonym.phantom.cohort import CONTROL
    from ganonym.phantom.syndromes import HARD, load_syndromes

    sizes: dict[str, int] = {}
    everybody: dict[str, int] = {}
    for entry in text.split(","):
        name, given, number = (part.strip() for part in entry.partition("="))
        if given and not (number.isascii() and number.isdigit() and int(number) > 0):
            raise UsageError(f"--syndromes: {entry.strip()!r} gives no number of people.", "Write for example KBG=2.")
        if name in sizes:
            raise UsageError(f"--syndromes: {name} is named twice.", "Name each class once.")
        size = int(number) if given else people
        if name == "all":
            everybody = dict.fromkeys((*(key for key in load_syndromes() if key not in HARD), CONTROL), size)
        else:
            sizes[name] = size
    return everybody | sizes


def write_people(folder: Path, people: int, photos: int, seed: int, advance: Advance) -> Path:
    """`write_cohort` of healthy people, in this process."""
    from ganonym.phantom.cohort import cohort_of

    return write_cohort(folder, cohort_of(people, photos, seed), 1, advance)


def write_cohort(folder: Path, cohort: Cohort, jobs: int | None, advance: Advance) -> Path:
    """Write the photos as `folder`/SUBJECT/NUMBER.png and the manifest people.csv beside `folder`; returns the latter.

    A cohort with syndromes has landmarks.csv (exact, in photo pixels) and signs.csv beside it. Files are the same for
    any number of `jobs`. Raises UsageError when `folder` already holds something or a table is there, EnvironmentFault
    when it cannot be written.
    """
    from ganonym.errors import UsageError
    from ganonym.files import make_folder
    from ganonym_cli.phantom_files import TABLES, photograph_all, tables

    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", "Choose another folder.")
    there = [name for name in TABLES if (folder.parent / name).exists()]
    if there:
        raise UsageError(f"{folder.parent / there[0]} is there already.", "Choose another folder.")
    make_folder(folder, 0o750)
    total = cohort.people * cohort.photos
    with tables(folder.parent, cohort.groups is not None) as add:
        for done, person in enumerate(photograph_all(folder, cohort, jobs), start=1):
            add(person)
            advance("sample people", done * cohort.photos, total)
    return folder.parent / "people.csv"
