"""What `ganonym measure` does between its options and its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ganonym.classify.measurement.cohort import cohort_norms
from ganonym.classify.measurement.lengths import iris_scale, measurements
from ganonym.classify.measurement.norms import Norm, Score, scores
from ganonym.classify.measurement.norms_file import norms_toml, published, read_norms
from ganonym.classify.measurement.signs import Suggestion, suggest
from ganonym.classify.measurement.table import MEASUREMENTS, UNITS, Unit
from ganonym.classify.measurement.view import View, view
from ganonym.errors import PhotoError, UsageError
from ganonym.types import Points, Refusal, Sex
from ganonym_cli.options import refuse_existing

_SUGGESTED = "Terms are suggestions for a clinician to judge, no diagnosis."


@dataclass(frozen=True, slots=True)
class Person:
    """A photo to measure: its `name` in messages and tables, the file, and what is known of who is on it."""

    name: str
    path: Path
    subject: str
    age: float | None
    sex: Sex | None


@dataclass(frozen=True, slots=True)
class Request:
    """What the options ask for; `source` says whose norms are read, `remark` stands under every table."""

    unit: Unit
    norms: tuple[Norm, ...]
    source: str
    remark: str
    age: float | None
    sex: Sex | None
    ancestry: str | None
    mm_per_px: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of one photo, or in `failed` why nothing was."""

    person: Person
    failed: str = ""
    points: Points | None = None
    view: View | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    terms: list[Suggestion] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def names(self) -> dict[str, str]:
        return {key: MEASUREMENTS[key].name for key in self.scores}


def requested(
    age: float | None,
    sex: str | None,
    ancestry: str | None,
    norms: Path | None,
    unit: str | None,
    mm_per_px: float | None,
    iris_px: float | None,
) -> Request:
    """The options, checked. Raises UsageError."""
    if sex not in (None, "female", "male"):
        raise UsageError(f"--sex {sex!r} is neither female nor male.", "Leave it out if unknown.")
    known: Sex | None = "female" if sex == "female" else "male" if sex == "male" else None
    scale = _scale(mm_per_px, iris_px)
    table = published() if norms is None else read_norms(norms)
    lengths = {each.unit for each in table if MEASUREMENTS[each.measure].kind == "length"}
    if unit is not None and unit not in UNITS:
        raise UsageError(f"--unit {unit!r} is not known.", f"There are {', '.join(UNITS)}.")
    ours: Unit = next((each for each in UNITS if each in lengths and each != "mm"), "face width")
    chosen: Unit = next((each for each in UNITS if each == unit), "mm" if scale else ours)
    if chosen == "mm" and scale is None:
        raise UsageError("millimetres need a scale: a photo has none.", "Give --mm-per-px or --iris-px.")
    if norms is None:
        sources = "published norms (3D Facial Norms, Farkas, Feingold; mostly age 10): plausibility only, not of photos"
        advice = "\nMeasure your own controls with --save-norms, and give that file to --norms."
    else:
        sources, advice = f"{norms.name}: " + "; ".join(dict.fromkeys(each.source for each in table)), ""
    remark = f"Norms: {sources}.{advice}\n{_SUGGESTED}"
    if iris_px is not None:
        remark += (
            "\nMillimetres by an iris of 11.7 mm, which is not the same in everybody: expect errors of some per cent."
        )
    return Request(chosen, table, sources, remark, age, known, ancestry, scale)


def _scale(mm_per_px: float | None, iris_px: float | None) -> float | None:
    if mm_per_px is not None and iris_px is not None:
        raise UsageError("--mm-per-px and --iris-px both give a scale.", "Give one.")
    for option, number in (("--mm-per-px", mm_per_px), ("--iris-px", iris_px)):
        if number is not None and not (math.isfinite(number) and number > 0):
            raise UsageError(f"{option} {number} is no scale.", "It must be positive.")
    return iris_scale(iris_px) if iris_px is not None else mm_per_px


def _scale_as_read(path: Path, mm_per_px: float | None) -> float | None:
    """Millimetres per pixel of the picture that is measured: a very large photograph is read at a smaller size."""
    from ganonym.photos.decode import shrunk_by

    return None if mm_per_px is None else mm_per_px * shrunk_by(path.parent, path.name)


def listed(photos: Sequence[Path], people: Path | None, request: Request) -> list[Person]:
    """The photos, those of folders in order, with what a manifest says of them. Raises UsageError."""
    from ganonym.manifest import read_manifest
    from ganonym.manifest_match import match
    from ganonym.photos.sniff import ACCEPTED
    from ganonym.photos.walk import walk

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
    found = []
    for name, path in names:
        row = rows.get(name)
        age, sex = (request.age, request.sex) if row is None else (row.age, row.sex)
        found.append(Person(name, path, name if row is None else row.subject, age, sex))
    return found


def check_outputs(people: Sequence[Person], draw: Path | None, charts: Path | None, save_norms: Path | None) -> None:
    """Raises UsageError before any work is done in vain."""
    if draw is not None and len(people) > 1 and draw.suffix:
        raise UsageError(f"--draw {draw} is one file for {len(people)} photos.", "Name a folder.")
    if draw is not None and len(people) == 1 and draw.suffix.lower() != ".png":
        raise UsageError(f"--draw {draw} is no PNG.", "Name a file that ends in .png.")
    if draw is not None and any(draw.exists() and draw.samefile(each.path) for each in people):
        raise UsageError(f"--draw {draw} is the photo itself.", "Name another file.")
    for picture in _drawn_already(people, draw):
        refuse_existing("--draw", picture)
    if charts is not None and len(people) > 1:
        raise UsageError(f"--charts are of one photo, not of {len(people)}.", "Measure that photo alone.")
    if save_norms is not None and save_norms.suffix != ".toml":
        raise UsageError(f"--save-norms {save_norms} is no TOML file.", "Name a file that ends in .toml.")


def _drawn_already(people: Sequence[Person], draw: Path | None) -> list[Path]:
    """Files that are there and called as pictures of `people` may be."""
    if draw is None or len(people) == 1:
        return [] if draw is None else [draw]
    stems = {person.path.stem for person in people}
    return [path for path in sorted(draw.glob("????*-*.png")) if path.stem.partition("-")[2] in stems]


def read(person: Person, found: Points | PhotoError, request: Request) -> Reading:
    """Measure one face and compare it."""
    if isinstance(found, PhotoError):
        return Reading(person, failed=f"{found.message} {found.remedy}".strip())
    try:
        values = measurements(found, request.unit, _scale_as_read(person.path, request.mm_per_px))
        seen = view(found)
    except ValueError as error:
        return Reading(person, failed=f"no face to measure: {error}. Use a frontal photo of one person.")
    compared = scores(
        {key: float(value) for key, value in values.items()},
        request.norms,
        request.unit,
        person.age,
        person.sex,
        request.ancestry,
    )
    terms = suggest(compared, seen)
    refused = f"No terms: {terms.detail}." if isinstance(terms, Refusal) else ""
    caveats = list(seen.spoilers().values())
    return Reading(person, "", found, seen, compared, [] if isinstance(terms, Refusal) else terms, caveats, refused)


def write(
    readings: Sequence[Reading], request: Request, draw: Path | None, charts: Path | None, save_norms: Path | None
) -> list[Path]:
    """Write what was asked for: pictures and charts for their owner's eyes only, norms. Returns the files."""
    from ganonym.files import make_folder, write_output, write_private

    good = [each for each in readings if not each.failed]
    written: list[Path] = []
    if save_norms is not None:
        write_output(save_norms, _norms_of(good, request).encode())
        written.append(save_norms)
    if draw is not None and len(readings) > 1:
        make_folder(draw, 0o700)
    for number, each in enumerate(good, start=1):
        if draw is not None:
            path = draw if len(readings) == 1 else draw / f"{number:04d}-{each.person.path.stem}.png"
            write_private(path, _picture(each))
            written.append(path)
    if charts is not None:
        make_folder(charts, 0o700)
        written += [_write_chart(charts, each, key, request) for each in good for key in _charted(each)]
    return written


def _norms_of(readings: Sequence[Reading], request: Request) -> str:
    import numpy as np

    kept = [each for each in readings if not each.refused]
    if not kept:
        raise UsageError("no photo is frontal enough for norms.", "Use frontal photos of controls.")
    fixed = {"mm": None, "face size": None, "interocular": "EXEX", "face width": "FACEW"}[request.unit]
    keys = [key for key in MEASUREMENTS if key != fixed]  # a length over itself is one in everybody
    values = {key: np.array([each.scores[key].value for each in kept]) for key in keys}
    try:
        norms = cohort_norms(
            values,
            [each.person.subject for each in kept],
            request.unit,
            "own controls",
            [each.person.sex for each in kept],
            [each.person.age for each in kept],
        )
    except UsageError as error:
        left = len(readings) - len(kept)
        more = f" Of the photos with a face {left} are not frontal enough and were left out." if left else ""
        raise UsageError(error.message + more, error.remedy) from error
    return norms_toml(norms)


def _picture(reading: Reading) -> bytes:
    import io

    from PIL import Image

    from ganonym.classify.measurement.drawing import drawn
    from ganonym.photos.decode import read_photo

    assert reading.points is not None, "only measured photos are drawn"
    terms: dict[str, list[str]] = {}
    for term in reading.terms:
        for key in term.measures:
            terms.setdefault(key, []).append(term.term)
    marked = {key: ", ".join(names) for key, names in terms.items()}
    path = reading.person.path
    picture = drawn(read_photo(path.parent, path.name)[0], reading.points, marked)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _charted(reading: Reading) -> list[str]:
    return [key for key, score in reading.scores.items() if score.z is not None]


def _write_chart(folder: Path, reading: Reading, key: str, request: Request) -> Path:
    from ganonym.classify.measurement.charts import percentile_chart
    from ganonym.files import write_private

    path = folder / f"{key.replace('/', '-over-').replace(' ', '-')}.svg"
    person = reading.person
    chart = percentile_chart(request.norms, key, request.unit, person.sex, person.age, reading.scores[key].value)
    write_private(path, chart)
    return path
