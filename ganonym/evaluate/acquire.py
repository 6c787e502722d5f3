"""Photos to templates: every photo is decoded once, in a worker process; templates come back, pixels do not.

Memory is flat in the photos' size: what stays of each is a row a view, its landmarks and a 64 px crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganonym.errors import PhotoError
from ganonym.evaluate.attackers.attacker import Rows, View
from ganonym.evaluate.controls.weak import WEAK, weakened
from ganonym.evaluate.sample import Sample
from ganonym.evaluate.utility.agreement import Agreement, agree
from ganonym.evaluate.utility.features import PerceptualDistance
from ganonym.evaluate.utility.inputs import face_crop
from ganonym.evaluate.utility.landmarks import landmark_noise
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import find_faces, judge_backends
from ganonym.photos.decode import read_photo
from ganonym.subjects import FaceChoice, choose_face
from ganonym.types import RGB, Face, Points
from ganonym.workers import in_workers

PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Task:
    """One photo to look at, with its output and the attacker's mock output where there are any.

    `choice` says which face of the original is the subject's, the largest where None.
    """

    original: Path
    released: Path | None
    mock: Path | None
    views: tuple[View, ...]
    weak_views: tuple[View, ...] = ()
    perceptual: PerceptualDistance | None = None
    choice: FaceChoice | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of one photo and its output.

    Templates by view: `originals`, `released`, `mock` (a missing name: not acquired), `weak` by (method, view).
    `points` and `released_points` (68, 2) in their own pixels, None where no face was found; `crop` and `released_crop`
    (64, 64, 3) aligned by them. `noise`: of the original's landmarks; `perceptual`: LPIPS.
    `same_size`: the output has the photo's size. `problem`: why the output cannot be read.
    """

    originals: dict[str, Rows]
    released: dict[str, Rows]
    mock: dict[str, Rows]
    weak: dict[tuple[str, str], Rows]
    points: Points | None
    released_points: Points | None
    crop: RGB | None
    released_crop: RGB | None
    agreement: Agreement | None
    noise: float
    perceptual: float | None
    same_size: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """All photos as the attackers see them; lists are in the order of the tasks.

    `originals`, `released`, `mock` by view, (n, d) with NaN rows; `weak` by (method, view) with NaN rows where the
    method was not tried. `unreadable`: (index, reason) of photos whose original cannot be read, which have no trial.
    `distractors`, by view: originals of further people, one row each.
    """

    originals: dict[str, Rows]
    released: dict[str, Rows]
    mock: dict[str, Rows]
    weak: dict[tuple[str, str], Rows]
    looks: tuple[Look | None, ...]
    unreadable: tuple[tuple[int, str], ...]
    distractors: dict[str, Rows] = field(default_factory=dict)


def acquire(tasks: Sequence[Task], jobs: int, tell: Callable[[str, int, int], None]) -> Seen:
    """Look at every photo in `jobs` worker processes. Errors but those of single photos are passed on."""
    views = {view.name: view for task in tasks for view in (*task.views, *task.weak_views)}
    tables: dict[tuple[str, ...], Rows] = {}
    looks: list[Look | None] = []
    unreadable: list[tuple[int, str]] = []
    tell("look", 0, len(tasks))
    for index, found in enumerate(in_workers(look, tasks, _name, jobs, PATIENCE)):
        tell("look", index + 1, len(tasks))
        if isinstance(found, PhotoError):
            looks.append(None)
            unreadable.append((index, found.message))
            continue
        looks.append(_slim(found))
        rows: dict[tuple[str, ...], Rows] = {("original", name): row for name, row in found.originals.items()}
        rows |= {("released", name): row for name, row in found.released.items()}
        rows |= {("mock", name): row for name, row in found.mock.items()}
        rows |= {("weak", method, name): row for (method, name), row in found.weak.items()}
        for key, row in rows.items():
            if key not in tables:
                tables[key] = np.full((len(tasks), len(row)), np.nan, row.dtype)
            tables[key][index] = row

    def table(*key: str) -> Rows:
        return tables.get(key, np.full((len(tasks), views[key[-1]].width), np.nan, np.float32))

    main = dict.fromkeys(view.name for task in tasks for view in task.views)
    return Seen(
        {name: table("original", name) for name in main},
        {name: table("released", name) for name in main},
        {name: table("mock", name) for name in main} if any(task.mock for task in tasks) else {},
        {(key[1], key[2]): rows for key, rows in tables.items() if key[0] == "weak"},
        tuple(looks),
        tuple(unreadable),
    )


def acquire_distractors(
    photos: Sequence[Path], views: tuple[View, ...], jobs: int, tell: Callable[[str, int, int], None]
) -> dict[str, Rows]:
    """Photos of people who are not in the release, by view (m, d); without a face, or unreadable, they are left out."""
    seen = acquire([Task(path, None, None, views) for path in photos], jobs, tell)
    kept = [index for index, look in enumerate(seen.looks) if look is not None and look.points is not None]
    return {name: rows[kept] for name, rows in seen.originals.items()}


def _name(task: Task) -> str:
    return task.original.name


def _slim(look: Look) -> Look:
    return Look({}, {}, {}, {}, *(getattr(look, name) for name in Look.__slots__[4:]))


def look(task: Task) -> Look:
    """Look at one photo. Raises PhotoError when the original cannot be read; an output that cannot is a `problem`."""
    rgb = _read(task.original)
    face = _face(rgb) if task.choice is None else _chosen(rgb, task.choice)
    points = None if face is None else face.points
    before = Sample(rgb, points, points, task.original)
    after, problem = None, None
    if task.released is not None:
        try:
            after = _output(task.released, rgb, face)
        except PhotoError as error:
            problem = error.message
    mock = None if task.mock is None else _output(task.mock, rgb, face)
    weak: dict[tuple[str, str], Rows] = {}
    if points is not None:
        for method in WEAK if task.weak_views else ():
            blurred = Sample(weakened(method, rgb, points), points, points)
            weak |= {(method, name): row for name, row in _rows(task.weak_views, blurred).items()}
    return Look(
        _rows(task.views, before),
        {} if after is None else _rows(task.views, after),
        {} if mock is None else _rows(task.views, mock),
        weak,
        points,
        None if after is None else after.points,
        face_crop(before),
        None if after is None else face_crop(after),
        None if after is None else agree(before, after),
        landmark_noise(before, judge_backends()[1]),
        None if after is None or task.perceptual is None else task.perceptual(before, after),
        after is not None and after.rgb.shape == rgb.shape,
        problem,
    )


def _read(path: Path) -> RGB:
    return read_photo(path.parent, path.name)[0]


def _face(rgb: RGB, turns: Sequence[int] = (0, 1, 2, 3)) -> Face | None:
    return next(iter(find_faces(rgb, *judge_backends(), turns)), None)


def _chosen(rgb: RGB, choice: FaceChoice) -> Face | None:
    faces = find_everybody(rgb, *judge_backends()).faces
    place = choose_face([face.box for face in faces], choice) if faces else None
    return faces[place] if isinstance(place, int) else None


def _output(path: Path, original: RGB, face: Face | None) -> Sample:
    """An output of the photo's size has its geometry: it is searched the same way up, and the face's place is known."""
    rgb = _read(path)
    same = face is not None and rgb.shape == original.shape
    found = _face(rgb, (face.turns,)) if same and face is not None else _face(rgb)
    return Sample(
        rgb, None if found is None else found.points, face.points if same and face is not None else None, path
    )


def _rows(views: Sequence[View], sample: Sample) -> dict[str, Rows]:
    return {view.name: row for view in views if (row := view.template(sample)) is not None}
