"""Photographs as all classifiers look at them: the largest face, its landmarks upright, and crops of it.

Each photograph is decoded once, in a worker process, which cuts whatever crops (`crops`) the system at hand has named
straight from it: one resampling, and black only where the photograph ends. Nothing else of the photograph is kept.
What a system makes of it is its `look`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case, Roster, roster
from ganonym.classify.learner import Inputs
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.align import apply, crop
from ganonym.faces.aligned import upright
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.faces.pose import estimate_pose
from ganonym.subjects import FaceChoice, choose_face
from ganonym.types import CANVAS, RGB, Points, Pose, Progress, Refusal
from ganonym.workers import in_workers

PATIENCE = 120.0
NO_FACE = "no face was found"
NO_DISORDER = "its disorder is not given"


class Crop(Protocol):
    """A part of a face, in the size and place in which some network looks at it. Equal ones cut alike; hashable."""

    def __call__(self, rgb: RGB, points: Points) -> NDArray[np.uint8]:
        """Cut it from the photograph (h, w, 3) that shows a face with landmarks `points` (68, 2)."""
        ...


@dataclass(frozen=True, slots=True)
class CanvasCrop:
    """The face upright on the canvas, (256, 256, 3): what composites are made of. No network looks at it."""

    def __call__(self, rgb: RGB, points: Points) -> RGB:
        return crop(rgb, upright(points, CANVAS), CANVAS)


@dataclass(frozen=True, slots=True)
class Portrait:
    """`crops` cut from the photograph, `points` (68, 2) upright on the canvas of 256 px, `pose` of the head, degrees.

    The pose is of the head in the photograph.
    """

    crops: Mapping[Crop, NDArray[np.uint8]]
    points: Points
    pose: Pose

    def crop(self, wanted: Crop) -> NDArray[np.uint8]:
        """What `wanted` shows. Raises KeyError unless it was named when the photograph was read."""
        if wanted not in self.crops:
            raise KeyError(f"{wanted} was not cut from this photograph; there are {list(self.crops)}")
        return self.crops[wanted]

    @property
    def canvas(self) -> RGB:
        """The `CanvasCrop`."""
        return self.crop(CanvasCrop())


def portrait_at(rgb: RGB, points: Points, crops: Sequence[Crop] = ()) -> Portrait:
    """The face with landmarks `points` (68, 2) in `rgb` (h, w, 3), with `crops` of it."""
    return Portrait(
        {wanted: wanted(rgb, points) for wanted in crops}, apply(upright(points, CANVAS), points), estimate_pose(points)
    )


def portraits(
    paths: Sequence[Path],
    crops: Sequence[Crop] = (),
    jobs: int = 1,
    tell: Progress = lambda *_: None,
    cache: FaceCache | None = None,
    choices: Sequence[FaceChoice | None] = (),
) -> list[Portrait | PhotoError | None]:
    """The portrait of each photograph, in order: None without a face, the error of a file that cannot be read.

    It is of the face of `choices` (n), or of the largest where there is no choice; a face that is chosen and not there
    is an error, too.
    Nothing is dropped: entry i belongs to `paths[i]`. Raises EnvironmentFault when a worker dies, weights lack, or the
    cache cannot be written.
    """
    faces: list[Portrait | PhotoError | None] = []
    look = partial(_look, crops=tuple(crops), cache=cache)
    photos = [*zip(paths, choices or [None] * len(paths), strict=True)]
    for portrait in in_workers(look, photos, _name, jobs, PATIENCE):
        faces.append(portrait)
        tell("look", len(faces), len(paths))
    return faces


def _look(photo: tuple[Path, FaceChoice | None], crops: tuple[Crop, ...], cache: FaceCache | None) -> Portrait | None:
    path, choice = photo
    rgb, faces = read_faces(path, cache)
    if not faces:
        return None
    place = 0 if choice is None else choose_face([face.box for face in faces], choice)
    if isinstance(place, Refusal):
        raise PhotoError(place.reason, f"{place.detail}.", "Correct the column face of the manifest.")
    return portrait_at(rgb, faces[place].points, crops)


def _name(photo: tuple[Path, FaceChoice | None]) -> str:
    return photo[0].name


@dataclass(frozen=True, slots=True)
class Cohort:
    """`cases` and `portraits` (n), `names` of the classes in order, `classes` (n,) as places in them.

    `left_out`: (image, reason) of every case that could not be used; nothing is dropped without a word.
    """

    cases: tuple[Case, ...]
    portraits: tuple[Portrait, ...]
    names: tuple[str, ...]
    classes: NDArray[np.intp]
    left_out: tuple[tuple[str, str], ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(case.subject for case in self.cases)

    @property
    def simulated(self) -> bool:
        """Whether anybody in it was made by `ganonym phantom`."""
        return any(case.simulated for case in self.cases)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a system makes of a cohort: `inputs` (m, ...), one a photo or one a subject.

    `classes` (m,), `subjects` and `images` (the first, where there are several) of each.
    """

    inputs: Inputs
    classes: NDArray[np.intp]
    subjects: tuple[str, ...]
    images: tuple[str, ...]


def gather(
    cases: Sequence[Case],
    jobs: int = 1,
    names: Sequence[str] | None = None,
    positive: str | None = None,
    tell: Progress = lambda *_: None,
    crops: Sequence[Crop] = (),
    cache: FaceCache | None = None,
) -> Cohort:
    """Look at every case, and cut `crops`. Classes are those of `roster`, which raises UsageError before any
    photograph is read.

    Raises UsageError when nobody is left.
    """
    listed = roster(cases, names, positive)
    paths, choices = [case.path for case in listed.cases], [case.face for case in listed.cases]
    return seen_cohort(cases, listed, portraits(paths, crops, jobs, tell, cache, choices))


def seen_cohort(cases: Sequence[Case], listed: Roster, faces: Sequence[Portrait | PhotoError | None]) -> Cohort:
    """Those of the `listed` of `cases` whose photo shows a face (`faces`, one each). UsageError when nobody is left."""
    left_out = [(case.image, NO_DISORDER) for case in cases if case.disorder is None]
    kept: list[tuple[Case, Portrait, int]] = []
    for case, face, number in zip(listed.cases, faces, listed.classes.tolist(), strict=True):
        if isinstance(face, Portrait):
            kept.append((case, face, number))
        else:
            left_out.append((case.image, NO_FACE if face is None else face.message))
    if not kept:
        raise UsageError(
            f"none of {len(cases)} cases can be used: {left_out[0][1] if left_out else 'there are none'}.",
            "Check the folder of photographs, and the column of disorders.",
        )
    used, looks, classes = zip(*kept, strict=True)
    return Cohort(tuple(used), tuple(looks), listed.names, np.array(classes, dtype=np.intp), tuple(left_out))
