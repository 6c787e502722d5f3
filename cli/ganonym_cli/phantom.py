"""`ganonym phantom`: photographs of people who do not exist, with the manifest that `ganonym anonymize` reads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.console import Advance, Output
from ganonym_cli.options import Json, OutFolder, Quiet, Seed


def phantom(
    out: OutFolder,
    people: Annotated[int, typer.Option("--people", min=1, help="Virtual people.")] = 24,
    photos: Annotated[int, typer.Option("--photos", min=1, help="Photos of each.")] = 2,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample virtual people: OUT/photos and OUT/people.csv."""
    output = Output(as_json, quiet)
    with output.progress() as advance:
        manifest = write_people(out / "photos", people, photos, seed, advance)
    payload = {"photos": str(out / "photos"), "manifest": str(manifest), "people": people, "each": photos, "seed": seed}
    output.result(payload, f"{people * photos} photos of {people} people: {out / 'photos'}, manifest {manifest}")


def write_people(folder: Path, people: int, photos: int, seed: int, advance: Advance) -> Path:
    """Write the photos as `folder`/SUBJECT/NUMBER.png and the manifest people.csv beside `folder`; returns the latter.

    Raises UsageError when `folder` already holds something, EnvironmentFault when it cannot be written.
    """
    from ganonym.batch.files import make_folder, write_output
    from ganonym.errors import UsageError
    from ganonym.phantom.cohort import phantom_cohort
    from ganonym.photos.encode import encode_png

    make_folder(folder, 0o750)
    if any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", "Choose another folder.")
    rows = []
    for done, photo in enumerate(phantom_cohort(people, photos, seed), start=1):
        name = f"{photo.subject}/{photo.number}.png"
        write_output(folder / name, encode_png(photo.rgb))
        rows.append((name, photo.subject, photo.sex, f"{photo.age:.0f}"))
        advance("sample people", done, people * photos)
    manifest = folder.parent / "people.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "subject", "sex", "age"))
        writer.writerows(rows)
    return manifest
