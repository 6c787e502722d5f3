"""Training photographs: read by their manifest, their light taken out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ganonym.errors import UsageError
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.light import in_daylight
from ganonym.photos.decode import read_photo
from ganonym.types import RGB, Points, Sex
from ganonym_train.left_out import reason_to_leave_out

TRAINING_SETS = ("london", "synthetic", "generated", "emotions")
SEXES: dict[str, Sex] = {"female": "female", "male": "male"}
COLUMNS = {"path", "set", "subject", "expression", "sex", "age"}


@dataclass(frozen=True, slots=True)
class TrainingPhoto:
    """One photograph with its landmarks and what its manifest states; `expression` is "" where it states none."""

    name: str
    subject: str
    expression: str
    sex: Sex | None
    age: float | None
    rgb: RGB
    points: Points


def training_photographs(folder: Path) -> Iterator[TrainingPhoto]:
    """Photos of the training sets in `folder`, whose manifest.csv has columns path, set, subject, expression, sex, age.

    Photos in which no face is found, or that are unfit to learn from (`ganonym_train.left_out`), are left out. Raises
    UsageError without such a manifest.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise UsageError(f"{manifest} does not exist.", "Point --data at a folder with manifest.csv; see checkpoints/.")
    detector, landmarks = reading_backends()
    with manifest.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        absent = COLUMNS - set(reader.fieldnames or ())
        if absent:
            raise UsageError(
                f"{manifest} lacks the columns {', '.join(sorted(absent))}.", "Add them to its first line."
            )
        rows = [row for row in reader if row["set"] in TRAINING_SETS]
    for row in rows:
        rgb, _ = read_photo(folder, row["path"])
        faces = find_faces(rgb, detector, landmarks)
        if faces and reason_to_leave_out(row["path"], rgb, faces[0].points) is None:
            yield TrainingPhoto(
                name=row["path"],
                subject=row["subject"],
                expression=row["expression"],
                sex=SEXES.get(row["sex"]),
                age=float(row["age"]) if row["age"] else None,
                rgb=rgb,
                points=faces[0].points,
            )


def daylight(photo: TrainingPhoto) -> TrainingPhoto:
    """`photo` with its light taken out, as `ganonym.faces.light.in_daylight` does it; raises as that does."""
    return replace(photo, rgb=in_daylight(photo.rgb, photo.points))
