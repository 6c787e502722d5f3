"""Photos to templates: every photo is decoded once, in a worker process; templates come back, pixels do not.

Memory is flat in the photos' size: what stays of each is a row a view, its landmarks and a 64 px crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganonym.errors import PhotoError
from ganonym.evaluate.attackers.attacker import Rows, Sample, View
from ganonym.evaluate.controls.planted import WEAK, weakened
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
class PhotoPair:
    """One photo to acquire, with its output and the attacker's mock output where there are any.

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
class Acquired:
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
    """All photos as the attackers see them; lists are in the order of the pairs.

    `originals`, `released`, `mock` by view, (n, d) with NaN rows; `weak` by (method, view) with NaN rows where the
    method was not tried. `unreadable`: (index, reason) of photos whose original cannot be read, which have no trial.
    `distractors`, by view: originals of further people, one row each.
    """

    originals: dict[str, Rows]
    released: dict[str, Rows]
    mock: dict[str, Rows]
    weak: dict[tuple[str, str], Rows]
    photos: tuple[Acquired | None, ...]
    unreadable: tuple[tuple[int, str], ...]
    distractors: dict[str, Rows] = field(default_factory=dict)


def acquire(pairs: Sequence[PhotoPair], jobs: int, tell: Callable[[str, int, int], None]) -> Seen:
    """Look at every photo in `jobs` worker processes. Errors but those of single photos are passed on."""
    views = {view.name: view for pair in pairs for view in (*pair.views, *pair.weak_views)}
    tables: dict[tuple[str, ...], Rows] = {}
    photos: list[Acquired | None] = []
    unreadable: list[tuple[int, str]] = []
    tell("look", 0, len(pairs))
    for index, acquired in enumerate(in_workers(acquire_pair, pairs, _name, jobs, PATIENCE)):
        tell("look", index + 1, len(pairs))
        if isinstance(acquired, PhotoError):
            photos.append(None)
            unreadable.append((index, acquired.message))
            continue
        photos.append(_slim(acquired))
        rows: dict[tuple[str, ...], Rows] = {("original", name): row for name, row in acquired.originals.items()}
        rows |= {("released", name): row for name, row in acquired.released.items()}
        rows |= {("mock", name): row for name, row in acquired.mock.items()}
        rows |= {("weak", method, name): row for (method, name), row in acquired.weak.items()}
        for key, row in rows.items():
            if key not in tables:
                tables[key] = np.full((len(pairs), len(row)), np.nan, row.dtype)
            tables[key][index] = row

    def table(*key: str) -> Rows:
        return tables.get(key, np.full((len(pairs), views[key[-1]].width), np.nan, np.float32))

    main = dict.fromkeys(view.name for pair in pairs for view in pair.views)
    return Seen(
        {name: table("original", name) for name in main},
        {name: table("released", name) for name in main},
        {name: table("mock", name) for name in main} if any(pair.mock for pair in pairs) else {},
        {(key[1], key[2]): rows for key, rows in tables.items() if key[0] == "weak"},
        tuple(photos),
        tuple(unreadable),
    )


def acquire_distractors(
    paths: Sequence[Path], views: tuple[View, ...], jobs: int, tell: Callable[[str, int, int], None]
) -> dict[str, Rows]:
    """Photos of people who are not in the release, by view (m, d); without a face, or unreadable, they are left out."""
    seen = acquire([PhotoPair(path, None, None, views) for path in paths], jobs, tell)
    kept = [index for index, photo in enumerate(seen.photos) if photo is not None and photo.points is not None]
    return {name: rows[kept] for name, rows in seen.originals.items()}


def _name(pair: PhotoPair) -> str:
    return pair.original.name


def _slim(acquired: Acquired) -> Acquired:
    return Acquired({}, {}, {}, {}, *(getattr(acquired, name) for name in Acquired.__slots__[4:]))


def acquire_pair(pair: PhotoPair) -> Acquired:
    """Templates and measures of one photo. An output that cannot be read is a `problem`.

    Raises PhotoError when the original cannot be read.
    """
    rgb = _read(pair.original)
    face = _face(rgb) if pair.choice is None else _chosen(rgb, pair.choice)
    points = None if face is None else face.points
    before = Sample(rgb, points, points, pair.original)
    after, problem = None, None
    if pair.released is not None:
        try:
            after = _output(pair.released, rgb, face)
        except PhotoError as error:
            problem = error.message
    mock = None if pair.mock is None else _output(pair.mock, rgb, face)
    weak: dict[tuple[str, str], Rows] = {}
    if points is not None:
        for method in WEAK if pair.weak_views else ():
            blurred = Sample(weakened(method, rgb, points), points, points)
            weak |= {(method, name): row for name, row in _rows(pair.weak_views, blurred).items()}
    return Acquired(
        _rows(pair.views, before),
        {} if after is None else _rows(pair.views, after),
        {} if mock is None else _rows(pair.views, mock),
        weak,
        points,
        None if after is None else after.points,
        face_crop(before),
        None if after is None else face_crop(after),
        None if after is None else agree(before, after),
        landmark_noise(before, judge_backends()[1]),
        None if after is None or pair.perceptual is None else pair.perceptual(before, after),
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
    released = _face(rgb, (face.turns,)) if same and face is not None else _face(rgb)
    return Sample(
        rgb, None if released is None else released.points, face.points if same and face is not None else None, path
    )


def _rows(views: Sequence[View], sample: Sample) -> dict[str, Rows]:
    return {view.name: row for view in views if (row := view.template(sample)) is not None}
