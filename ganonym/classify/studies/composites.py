"""The mean face of every class of a cohort, and maps of how it differs from another class; also as picture files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganonym.classify.case import Classed, people_of
from ganonym.classify.cohort import CanvasCrop, Cohort, Portrait
from ganonym.classify.explain.composite import (
    FEWEST,
    LENGTHENED,
    Composite,
    Difference,
    composite,
    difference,
    drawn,
    inside,
    limit_of,
)
from ganonym.classify.studies.study import UNHEARD, Remark, Study, gathered, reasons_of
from ganonym.errors import UsageError
from ganonym.files import make_folder, write_output
from ganonym.photos.encode import encode_png
from ganonym.types import Payload, Progress

_LONGEST = 80
# Windows takes these for devices, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}


@dataclass(frozen=True, slots=True)
class ClassFace:
    """The composite of class `name` of `photos` photographs, and its difference from another, None without one."""

    name: str
    photos: int
    face: Composite
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class ClassFaces:
    """`faces` in the order of classes; `left_out`: people in each class that has fewer than 5."""

    faces: tuple[ClassFace, ...]
    left_out: dict[str, int]


def class_faces(
    cohort: Cohort,
    against: str | None = None,
    only: Sequence[str] = (),
    tell: Progress = lambda *_: None,
) -> ClassFaces:
    """Composites of all classes, or `only` of those named; with `against`, how the others differ from that one.

    Raises UsageError for classes that there are not, when `against` has fewer than 5 people, and when all have.
    """
    ready, left_out = check_people(cohort, against, only)
    sides = {name: _side(cohort, name) for name in cohort.names}
    faces = []
    for done, name in enumerate(ready):
        tell("composites", done, len(ready))
        other = None if against in (None, name) else difference(*sides[name], *sides[str(against)])
        faces.append(ClassFace(name, len(sides[name][0]), composite(*sides[name]), other))
    tell("composites", len(ready), len(ready))
    return ClassFaces(tuple(faces), left_out)


def check_people(
    cohort: Classed, against: str | None = None, only: Sequence[str] = ()
) -> tuple[list[str], dict[str, int]]:
    """The classes of whom composites can be made, and the people in those that have too few. Raises UsageError as
    `class_faces` does."""
    for name in (*only, *([] if against is None else [against])):
        if name not in cohort.names:
            raise UsageError(f"nobody has the disorder {name!r}.", f"There are {', '.join(cohort.names)}.")
    people = people_of(cohort)
    if against is not None and people[against] < FEWEST:
        raise UsageError(f"{against!r} has {people[against]} people, a composite takes {FEWEST}.", "Choose another.")
    wanted = [name for name in cohort.names if not only or name in only]
    ready = [name for name in wanted if people[name] >= FEWEST]
    left_out = {name: people[name] for name in wanted if name not in ready}
    if not ready:
        told = ", ".join(f"{name} ({number})" for name, number in left_out.items())
        raise UsageError(f"a composite takes {FEWEST} people; there are {told}.", "Merge classes, or add people.")
    return ready, left_out


def file_names(names: Sequence[str], suffix: str = ".png") -> dict[str, str]:
    """A file name for each name, safe on any system: letters a–z, digits, "-", "_"; no two alike whatever the case.

    >>> file_names(["Noonan syndrome 1/2", "noonan syndrome 1-2", "../..", "CON"])
    {'Noonan syndrome 1/2': 'Noonan-syndrome-1-2.png', 'noonan syndrome 1-2': 'noonan-syndrome-1-2-2.png', '../..': \
'class.png', 'CON': 'CON-2.png'}
    """
    taken, files = set(_DEVICES), {}
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")[:_LONGEST] or "class"
        number, chosen = 1, stem
        while chosen.lower() in taken:
            number += 1
            chosen = f"{stem}-{number}"
        taken.add(chosen.lower())
        files[name] = chosen + suffix
    return files


def _side(cohort: Cohort, name: str) -> tuple[list[Portrait], list[str]]:
    rows = np.flatnonzero(cohort.classes == cohort.names.index(name)).tolist()
    return [cohort.portraits[row] for row in rows], [cohort.subjects[row] for row in rows]


@dataclass(frozen=True, slots=True)
class Picture:
    """The composite of class `name`, of so many `people` and `photos`, at `path`.

    `difference`: where its map is, `shift_px` the largest shift of a landmark on the canvas of 256 px, `luma` the mean
    difference within the face in grey levels; None without a class to compare with.
    """

    name: str
    people: int
    photos: int
    path: Path
    difference: Path | None = None
    shift_px: float | None = None
    luma: float | None = None

    def payload(self) -> Payload:
        """For JSON."""
        row = {"people": self.people, "photos": self.photos, "composite": str(self.path)}
        if self.difference is None:
            return row
        return row | {
            "difference": str(self.difference),
            "largest_shift_px": self.shift_px,
            "mean_luma": self.luma,
        }


@dataclass(frozen=True, slots=True)
class Composites:
    """`pictures` of the classes of five people or more, and the people in each of `classes_left_out`.

    Maps of differences from the class `against` share the scale ±`limit` grey levels; None without maps.
    """

    pictures: tuple[Picture, ...]
    against: str | None
    limit: float | None
    classes_left_out: dict[str, int]
    simulated: bool
    left_out: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON."""
        return {
            "simulated": self.simulated,
            "against": self.against,
            "luma_limit": self.limit,
            "classes": {picture.name: picture.payload() for picture in self.pictures},
            "classes_left_out": self.classes_left_out,
            "left_out": reasons_of(self.left_out),
        }


def composites(study: Study, out: Path, against: str | None = None, tell: Progress = UNHEARD) -> Composites:
    """Write the mean face of each class of five people or more to the new or empty folder `out`.

    With `against`, maps of how the others differ from that class. The study's `only` are the classes that are drawn.
    Raises UsageError for a folder that is not empty and as `class_faces` and `gathered` do; EnvironmentFault when a
    file cannot be written.
    """
    make_folder(out, 0o750)
    if any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", "Choose another folder.")

    def check(cohort: Classed) -> None:
        check_people(cohort, against, study.only)

    others = () if against is None else (against,)
    wanted = replace(study, only=(*study.only, *others) if study.only else ())
    gathering = gathered(wanted, check, [CanvasCrop()], tell=tell)
    faces = class_faces(gathering.cohort, against, study.only, tell)
    differences = [face.difference for face in faces.faces if face.difference is not None]
    limit = limit_of(differences) if differences else None
    files = file_names([face.name for face in faces.faces])
    pictures = tuple(_written(face, out, files[face.name], limit) for face in faces.faces)
    remarks = (*gathering.remarks, *_remarks(pictures, faces.left_out, against, limit))
    cohort = gathering.cohort
    return Composites(pictures, against, limit, faces.left_out, cohort.simulated, cohort.left_out, remarks)


def _written(face: ClassFace, out: Path, file: str, limit: float | None) -> Picture:
    path, people = out / "composites" / file, face.face.subjects
    write_output(path, encode_png(face.face.rgb))
    if face.difference is None or limit is None:
        return Picture(face.name, people, face.photos, path)
    drawing = out / "differences" / file
    write_output(drawing, encode_png(drawn(face.face, face.difference, limit)))
    shift = float(np.hypot(*face.difference.shift.T).max())
    luma = float(face.difference.luma[inside(face.difference.points)].mean())
    return Picture(face.name, people, face.photos, path, drawing, shift, luma)


def _remarks(
    pictures: tuple[Picture, ...], left_out: dict[str, int], against: str | None, limit: float | None
) -> list[Remark]:
    remarks = []
    if left_out:
        listed = ", ".join(f"{name} ({number})" for name, number in left_out.items())
        remarks.append(Remark(f"Left out, with fewer than {FEWEST} people: {listed}", warning=True))
    fewest = min(picture.people for picture in pictures)
    remarks.append(
        Remark(
            f"Each composite is the mean of the people in its class, {fewest} or more. That is no privacy guarantee: "
            "a mean of few still resembles each of them."
        )
    )
    if limit is not None:
        remarks.append(
            Remark(
                f"Maps of differences from {against} share one scale, ±{limit:.0f} grey levels; arrows are "
                f"{LENGTHENED} times as long as the shift on the canvas of 256 px."
            )
        )
    return remarks
