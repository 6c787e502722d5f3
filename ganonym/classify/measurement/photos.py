"""Measure many photos: who is on them, each one's measurements, and the files that are asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ganonym.classify.measurement.lengths import MEASUREMENTS
from ganonym.classify.measurement.measure import Comparison, Located, Measurements, located, measured, scale_as_read
from ganonym.classify.measurement.norms import cohort_norms
from ganonym.classify.measurement.norms_file import norms_toml
from ganonym.classify.measurement.pictures import drawn, percentile_chart
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.cache import FaceCache
from ganonym.files import make_folder, refuse_existing, write_output, write_private
from ganonym.manifest import match, read_manifest
from ganonym.photos.decode import read_photo
from ganonym.photos.formats import ACCEPTED
from ganonym.photos.source import walk
from ganonym.subjects import FaceChoice
from ganonym.types import Payload, Progress, Sex

_DIVISORS = {"mm": None, "face size": None, "interocular": "EXEX", "face width": "FACEW"}


@dataclass(frozen=True, slots=True)
class Person:
    """A photo to measure: its `name` in messages and tables, the file, and what is known of who is on it.

    `face`: which of several faces is the subject's; None: the largest.
    """

    name: str
    path: Path
    subject: str
    age: float | None
    sex: Sex | None
    face: FaceChoice | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of one photo, or in `failed` why nothing was."""

    person: Person
    measured: Measurements | None
    failed: str = ""

    def payload(self) -> Payload:
        """For JSON."""
        if self.measured is None:
            return {"photo": self.person.name, "error": self.failed}
        about = {"photo": self.person.name, "age": self.person.age, "sex": self.person.sex}
        return about | self.measured.payload()


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write: `draw` a PNG, or a folder of them for several photos, `charts` a folder, `save_norms` a TOML."""

    draw: Path | None = None
    charts: Path | None = None
    save_norms: Path | None = None

    def check(self, people: Sequence[Person]) -> None:
        """Raises UsageError, before any work is done in vain, for a file that cannot be or is there already."""
        draw, charts, save_norms = self.draw, self.charts, self.save_norms
        if draw is not None and len(people) > 1 and draw.suffix:
            raise UsageError(f"--draw {draw} is one file for {len(people)} photos.", "Name a folder.")
        if draw is not None and len(people) == 1 and draw.suffix.lower() != ".png":
            raise UsageError(f"--draw {draw} is no PNG.", "Name a file that ends in .png.")
        if draw is not None and any(draw.exists() and draw.samefile(person.path) for person in people):
            raise UsageError(f"--draw {draw} is the photo itself.", "Name another file.")
        for picture in self._pictures_there(people):
            refuse_existing("--draw", picture)
        if charts is not None and len(people) > 1:
            raise UsageError(f"--charts are of one photo, not of {len(people)}.", "Measure that photo alone.")
        for path in [] if charts is None else [charts / _chart_name(key) for key in MEASUREMENTS]:
            refuse_existing("--charts", path)
        if save_norms is not None and save_norms.suffix != ".toml":
            raise UsageError(f"--save-norms {save_norms} is no TOML file.", "Name a file that ends in .toml.")
        if save_norms is not None:
            refuse_existing("--save-norms", save_norms)

    def _pictures_there(self, people: Sequence[Person]) -> list[Path]:
        """Files that are there and called as pictures of `people` may be."""
        if self.draw is None or len(people) == 1:
            return [] if self.draw is None else [self.draw]
        stems = {person.path.stem for person in people}
        return [path for path in sorted(self.draw.glob("????*-*.png")) if path.stem.partition("-")[2] in stems]


def people_on(photos: Sequence[Path], people: Path | None, against: Comparison) -> list[Person]:
    """The photos, those of folders in order, with what the manifest `people` says of them.

    Raises UsageError for a photo that is not there, or not in the manifest, and for folders without photos.
    """
    names: list[tuple[str, Path]] = []
    for path in photos:
        if path.is_dir():
            names += [(name, path / name) for name in walk(path).photos]
        elif path.exists():
            names.append((path.name, path))
        else:
            raise UsageError(f"there is no photo {path}.", "Check the path.")
    if not names:
        raise UsageError("the folders hold no photos.", f"Give files, or folders of {ACCEPTED}.")
    rows = {} if people is None else match(read_manifest(people), dict.fromkeys(name for name, _ in names)).rows
    if rows and (absent := [name for name, _ in names if name not in rows]):
        raise UsageError(
            f"{people} has no row for {absent[0]!r}.", "Its image column has paths below the folder given."
        )
    persons = []
    for name, path in names:
        row = rows.get(name)
        if row is None:
            persons.append(Person(name, path, name, against.age, against.sex))
        else:
            persons.append(Person(name, path, row.subject, row.age, row.sex, row.face))
    return persons


def measure_photos(
    people: Sequence[Person],
    against: Comparison,
    jobs: int = 1,
    tell: Progress = lambda *_: None,
    cache: FaceCache | None = None,
) -> list[Reading]:
    """Measure the face of each person, in order. Raises EnvironmentFault as `located` does."""
    faces = located([(person.path, person.face) for person in people], jobs, tell, cache)
    return [_reading(person, face, against) for person, face in zip(people, faces, strict=True)]


def write_files(readings: Sequence[Reading], against: Comparison, outputs: Outputs) -> list[Path]:
    """Write norms, pictures and charts, the latter two for their owner's eyes only. Returns the files.

    Raises EnvironmentFault when one cannot be written, UsageError when there are too few people for norms.
    """
    good = [(reading.person, reading.measured) for reading in readings if reading.measured is not None]
    written: list[Path] = []
    if outputs.save_norms is not None:
        write_output(outputs.save_norms, _norms_of(good, against).encode())
        written.append(outputs.save_norms)
    if outputs.draw is not None and len(readings) > 1:
        make_folder(outputs.draw, 0o700)
    for number, (person, measurements) in enumerate(good, start=1):
        if outputs.draw is not None:
            several = len(readings) > 1
            path = outputs.draw / f"{number:04d}-{person.path.stem}.png" if several else outputs.draw
            write_private(path, _picture(person, measurements))
            written.append(path)
    if outputs.charts is not None:
        make_folder(outputs.charts, 0o700)
        for person, measurements in good:
            for key in [key for key, score in measurements.scores.items() if score.z is not None]:
                path = outputs.charts / _chart_name(key)
                value = measurements.scores[key].value
                chart = percentile_chart(against.norms, key, against.unit, person.sex, person.age, value)
                write_private(path, chart)
                written.append(path)
    return written


def _reading(person: Person, face: Located | PhotoError, against: Comparison) -> Reading:
    try:
        if isinstance(face, PhotoError):
            raise face
        own = replace(against, age=person.age, sex=person.sex)
        return Reading(person, measured(face, own, scale_as_read(person.path, against.mm_per_px)))
    except PhotoError as error:
        return Reading(person, None, f"{error.message} {error.remedy}".strip())


def _norms_of(good: Sequence[tuple[Person, Measurements]], against: Comparison) -> str:
    kept = [(person, measurements) for person, measurements in good if not measurements.refused]
    if not kept:
        raise UsageError("no photo is frontal enough for norms.", "Use frontal photos of controls.")
    divisor = _DIVISORS[against.unit]
    keys = [key for key in MEASUREMENTS if key != divisor]  # a length over itself is one in everybody
    values = {key: np.array([measurements.scores[key].value for _, measurements in kept]) for key in keys}
    try:
        norms = cohort_norms(
            values,
            [person.subject for person, _ in kept],
            against.unit,
            "own controls",
            [person.sex for person, _ in kept],
            [person.age for person, _ in kept],
        )
    except UsageError as error:
        left = len(good) - len(kept)
        more = f" Of the photos with a face {left} are not frontal enough and were left out." if left else ""
        raise UsageError(error.message + more, error.remedy) from error
    return norms_toml(norms)


def _picture(person: Person, measurements: Measurements) -> bytes:
    terms: dict[str, list[str]] = {}
    for term in measurements.terms:
        for key in term.measures:
            terms.setdefault(key, []).append(term.term)
    marked = {key: ", ".join(names) for key, names in terms.items()}
    picture = drawn(read_photo(person.path.parent, person.path.name)[0], measurements.points, marked)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _chart_name(key: str) -> str:
    return f"{key.replace('/', '-over-').replace(' ', '-')}.svg"
