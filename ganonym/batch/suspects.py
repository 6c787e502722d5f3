"""An audit before a release: which subjects of a manifest look like one person to the recognizer?

k over duplicates is void, and the copies that a run looks for itself are only the plainest of them. Of 298 officials
and 81 volunteers, 132 of 134 pairs of photographs of one person lie within `DOUBT`, and one of 131 194 pairs of
different people. Children, and people of groups that the recognizer has seen little of, look more alike to it: read the
list as questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganonym.batch.plan import Plan
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.descriptor import describe
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import default_backends
from ganonym.photos.decode import read_photo
from ganonym.subjects import FaceChoice, choose_face, is_doubtful
from ganonym.types import Floats, Refusal
from ganonym.workers import in_workers

DOUBT = 0.45
"""Distance of descriptors below which two subjects may be one person."""

_PATIENCE = 120.0
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Suspect:
    """Two subjects who may be one person: their two most alike photos and the recognizer's distance."""

    subjects: tuple[str, str]
    photos: tuple[str, str]
    distance: float


@dataclass(frozen=True, slots=True)
class PeopleAudit:
    """`suspects`, the most alike first, among `compared` photos; `refused` (photo, reason) were not compared.

    `nearest` is the distance of the two most alike subjects, suspected or not; None with fewer than two.
    """

    suspects: tuple[Suspect, ...]
    compared: int
    refused: tuple[tuple[str, Refusal], ...]
    nearest: float | None


def audit_people(
    source: Path, plan: Plan, jobs: int = 1, tell: Callable[[str, int, int], None] = lambda *_: None
) -> PeopleAudit:
    """Compare the subject's face of every photo of `plan` below `source` with those of all other subjects.

    Pairs that the steward called distinct are left out. Raises UsageError where no manifest says who is who.
    """
    if plan.rows is None:
        raise UsageError("without a manifest nobody knows whose photo is whose.", "Give --manifest.")
    tasks = [(source, photo, plan.rows[photo].face) for photo in plan.photos]
    photos: list[str] = []
    rows: list[Floats] = []
    refused: list[tuple[str, Refusal]] = []
    for done, (photo, found) in enumerate(
        zip(plan.photos, in_workers(_look, tasks, _name, jobs, _PATIENCE), strict=True), start=1
    ):
        if isinstance(found, PhotoError):
            refused.append((photo, Refusal(found.reason, str(found))))
        elif isinstance(found, Refusal):
            refused.append((photo, found))
        else:
            photos.append(photo)
            rows.append(found)
        tell("compare", done, len(plan.photos))
    suspects, nearest = _suspects(photos, np.array(rows).reshape(len(rows), -1), plan)
    return PeopleAudit(suspects, len(photos), tuple(refused), nearest)


def _suspects(photos: Sequence[str], rows: Floats, plan: Plan) -> tuple[tuple[Suspect, ...], float | None]:
    """The pairs nearer than `DOUBT`, the most alike first, and the distance of the two most alike subjects."""
    from scipy.spatial.distance import cdist

    owners = [plan.subject_of(photo) for photo in photos]
    numbers = np.unique(owners, return_inverse=True)[1] if owners else np.zeros(0, int)
    nearest: dict[tuple[str, str], Suspect] = {}
    least = float("inf")
    for start in range(0, len(photos), _BLOCK):
        distances = cdist(rows[start : start + _BLOCK], rows[start:])
        distances[numbers[start : start + _BLOCK, None] == numbers[None, start:]] = np.inf
        least = min(least, float(distances.min()))
        for row, column in np.argwhere(distances < DOUBT):
            first, second = sorted((start + int(row), start + int(column)), key=lambda place: (owners[place], place))
            pair, distance = (owners[first], owners[second]), float(distances[row, column])
            closer = pair not in nearest or distance < nearest[pair].distance
            if closer and is_doubtful(*pair, plan.distinct):
                nearest[pair] = Suspect(pair, (photos[first], photos[second]), distance)
    suspects = tuple(sorted(nearest.values(), key=lambda suspect: (suspect.distance, suspect.subjects)))
    return suspects, None if least == float("inf") else least


def _look(task: tuple[Path, str, FaceChoice | None]) -> Floats | Refusal:
    source, photo, choice = task
    rgb, _ = read_photo(source, photo)
    seen = find_everybody(rgb, *default_backends())
    if not seen.faces:
        return Refusal("no-face", f"{photo!r} shows no face that can be found.")
    faces = (*seen.faces, *seen.doubtful)
    place = choose_face([face.box for face in faces], choice)
    return place if isinstance(place, Refusal) else describe(rgb, faces[place].points)


def _name(task: tuple[Path, str, FaceChoice | None]) -> str:
    return task[1]
