"""k counts people: photographs of one person under several subject ids are found before anything is grouped.

`find_same_people` is what every run does. Evidence, the strongest first: the same file; the same picture, re-encoded,
resized, mirrored, cropped or relit, by the aligned faces' thumbnails, confirmed by the recognizer. Tried on 1163
development photographs and nine alterations of each of 80: 97.5 % of the altered ones are found (95 % when resized to a
third, 86 % when cropped into the face), and among 674 498 pairs of photographs of different people three, which truly
were one picture under two names.

`audit_people` goes further, before a release: which subjects of a manifest look like one person to the recognizer? Of
298 officials and 81 volunteers, 132 of 134 pairs of photographs of one person lie within `DOUBT`, and one of 131 194
pairs of different people. Children, and people of groups that the recognizer has seen little of, look more alike to it:
read the list as questions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from ganonym.batch.inventory import Inventory
from ganonym.batch.pipeline import Engine, Tools
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.descriptor import describe
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import default_backends
from ganonym.photos.decode import read_photo
from ganonym.release_plan import Claim
from ganonym.subjects import Distinct, FaceChoice, choose_face, is_doubtful
from ganonym.types import Floats, Refusal
from ganonym.workers import in_workers

ALIKE, SURE = 0.95, 0.98
"""Correlations of two face thumbnails from which they may be one picture, and from which they most likely are."""

NEAR, SAME = 0.35, 0.6
"""Distances of the recognizer's descriptors below which it is one picture when they are `ALIKE`, and when `SURE`."""

DOUBT = 0.45
"""Distance of descriptors below which two subjects may be one person."""

_BLOCK = 2048
_LISTED = 30
_PATIENCE = 120.0
_ROWS = 1024


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Claims of several subjects that show one person, and what says so."""

    claims: tuple[Claim, ...]
    evidence: str

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(sorted({claim.subject for claim in self.claims}))

    def __str__(self) -> str:
        shown = [f"{claim.photo!r} ({claim.subject})" if claim.row else repr(claim.photo) for claim in self.claims]
        return f"{self.evidence}: {', '.join(shown)}"


def find_same_people(
    claims: Sequence[Claim],
    root: Path,
    engine: Engine,
    distinct: Distinct = frozenset(),
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> list[SamePerson]:
    """Groups of claims of different subjects that are one file or one picture; photos are read again below `root`.

    Pairs of subjects in `distinct` are not compared, nor the faces of one photo, which the analysis compares. Where the
    engine's tools have no recognizer, thumbnails alone decide.
    """
    files: set[tuple[int, int]] = set()
    by_digest: dict[str, list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        by_digest[claim.digest].append(place)
    for places in by_digest.values():
        files |= {pair for pair in combinations(places, 2) if _doubtful(claims, pair, distinct)}
    pictures = {pair: likeness for pair, likeness in _alike(claims, distinct) if pair not in files}
    confirmed = _confirmed(claims, pictures, root, engine, tell)
    return [*_grouped(claims, files, "the same file"), *_grouped(claims, confirmed, "the same picture")]


def refuse_same_people(repeated: Sequence[SamePerson]) -> None:
    """Raise UsageError that lists `repeated` people and says what to do, unless there are none."""
    if not repeated:
        return
    lines = [str(group) for group in repeated[:_LISTED]]
    more = [f"… and {len(repeated) - _LISTED} more"] if len(repeated) > _LISTED else []
    raise UsageError(
        "\n  ".join(["one person would count as several subjects:", *lines, *more]) + "\n",
        "Remove copies, or give one person one subject id in the manifest. Different people all the same (twins)? "
        "Then --distinct FILE, a CSV with their ids in a line.",
    )


def _doubtful(claims: Sequence[Claim], pair: tuple[int, int], distinct: Distinct) -> bool:
    one, other = (claims[place] for place in pair)
    return one.photo != other.photo and is_doubtful(one.subject, other.subject, distinct)


def _alike(claims: Sequence[Claim], distinct: Distinct) -> Iterator[tuple[tuple[int, int], float]]:
    """Pairs whose thumbnails, one mirrored or not, correlate by `ALIKE`, and how; in blocks, so memory stays flat."""
    if not claims:
        return
    faces = np.array([claim.record.thumbnail for claim in claims], np.float64).reshape(len(claims), -1)
    side = round(faces.shape[1] ** 0.5)
    plain, mirrored = _unit(faces), _unit(faces.reshape(-1, side, side)[:, :, ::-1].reshape(faces.shape))
    for start in range(0, len(claims), _BLOCK):
        rows = plain[start : start + _BLOCK]
        for first in range(start, len(claims), _BLOCK):
            columns = slice(first, first + _BLOCK)
            likeness = np.maximum(rows @ plain[columns].T, rows @ mirrored[columns].T)
            for row, column in np.argwhere(likeness >= ALIKE):
                pair = start + int(row), first + int(column)
                if pair[0] < pair[1] and _doubtful(claims, pair, distinct):
                    yield pair, float(likeness[row, column])


def _unit(rows: Floats) -> Floats:
    """Rows centred and of length 1, so that products are correlations; a face of one grey correlates with nothing."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 0))


def _confirmed(
    claims: Sequence[Claim],
    pairs: Mapping[tuple[int, int], float],
    root: Path,
    engine: Engine,
    tell: Callable[[str, int, int], None],
) -> set[tuple[int, int]]:
    """Those of `pairs` that the recognizer takes for one person, and those it could not look at."""
    places = sorted({place for pair in pairs for place in pair})
    descriptors: dict[int, Floats] = {}
    work = ((root, claims[place]) for place in places)
    for done, (_, outcome) in enumerate(engine.stream(_describe, work), start=1):
        if not isinstance(outcome, Refusal) and outcome is not None:
            descriptors[places[done - 1]] = outcome
        tell("compare", done, len(places))
    return {
        (one, other)
        for (one, other), likeness in pairs.items()
        if one not in descriptors
        or other not in descriptors
        or float(np.linalg.norm(descriptors[one] - descriptors[other])) < (SAME if likeness >= SURE else NEAR)
    }


def _describe(tools: Tools, work: tuple[Path, Claim]) -> Floats | None:
    root, claim = work
    if claim.record.descriptor is not None or tools.describe is None:
        return claim.record.descriptor
    rgb, digest = read_photo(root, claim.photo)
    if digest != claim.digest:
        raise PhotoError("changed", f"{claim.photo!r} changed during the run.", "Run again when it is still.")
    return tools.describe(rgb, claim.record.points)


def _grouped(claims: Sequence[Claim], pairs: set[tuple[int, int]], evidence: str) -> list[SamePerson]:
    if not pairs:
        return []
    ends = np.array(sorted(pairs)).T
    graph = coo_matrix((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(len(claims),) * 2)
    labels = connected_components(graph, directed=False)[1]
    groups: dict[int, list[Claim]] = defaultdict(list)
    for place in sorted(set(ends.ravel().tolist())):
        groups[int(labels[place])].append(claims[place])
    return [SamePerson(tuple(group), evidence) for group in groups.values()]


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
    source: Path, inventory: Inventory, jobs: int = 1, tell: Callable[[str, int, int], None] = lambda *_: None
) -> PeopleAudit:
    """Compare the subject's face of every photo of `inventory` below `source` with those of all other subjects.

    Pairs that the steward called distinct are left out. Raises UsageError where no manifest says who is who.
    """
    if inventory.rows is None:
        raise UsageError("without a manifest nobody knows whose photo is whose.", "Give --manifest.")
    photographs = [(source, photo, inventory.rows[photo].face) for photo in inventory.photos]
    photos: list[str] = []
    rows: list[Floats] = []
    refused: list[tuple[str, Refusal]] = []
    for done, (photo, outcome) in enumerate(
        zip(inventory.photos, in_workers(_descriptor, photographs, _name, jobs, _PATIENCE), strict=True), start=1
    ):
        if isinstance(outcome, PhotoError):
            refused.append((photo, Refusal(outcome.reason, str(outcome))))
        elif isinstance(outcome, Refusal):
            refused.append((photo, outcome))
        else:
            photos.append(photo)
            rows.append(outcome)
        tell("compare", done, len(inventory.photos))
    suspects, nearest = _suspects(photos, np.array(rows).reshape(len(rows), -1), inventory)
    return PeopleAudit(suspects, len(photos), tuple(refused), nearest)


def _suspects(photos: Sequence[str], rows: Floats, inventory: Inventory) -> tuple[tuple[Suspect, ...], float | None]:
    """The pairs nearer than `DOUBT`, the most alike first, and the distance of the two most alike subjects."""
    owners = [inventory.subject_of(photo) for photo in photos]
    numbers = np.unique(owners, return_inverse=True)[1] if owners else np.zeros(0, int)
    nearest: dict[tuple[str, str], Suspect] = {}
    least = float("inf")
    for start in range(0, len(photos), _ROWS):
        distances = cdist(rows[start : start + _ROWS], rows[start:])
        distances[numbers[start : start + _ROWS, None] == numbers[None, start:]] = np.inf
        least = min(least, float(distances.min()))
        for row, column in np.argwhere(distances < DOUBT):
            first, second = sorted((start + int(row), start + int(column)), key=lambda place: (owners[place], place))
            pair, distance = (owners[first], owners[second]), float(distances[row, column])
            closer = pair not in nearest or distance < nearest[pair].distance
            if closer and is_doubtful(*pair, inventory.distinct):
                nearest[pair] = Suspect(pair, (photos[first], photos[second]), distance)
    suspects = tuple(sorted(nearest.values(), key=lambda suspect: (suspect.distance, suspect.subjects)))
    return suspects, None if least == float("inf") else least


def _descriptor(photograph: tuple[Path, str, FaceChoice | None]) -> Floats | Refusal:
    source, photo, choice = photograph
    rgb, _ = read_photo(source, photo)
    seen = find_everybody(rgb, *default_backends())
    if not seen.faces:
        return Refusal("no-face", f"{photo!r} shows no face that can be found.")
    faces = (*seen.faces, *seen.doubtful)
    place = choose_face([face.box for face in faces], choice)
    return place if isinstance(place, Refusal) else describe(rgb, faces[place].points)


def _name(photograph: tuple[Path, str, FaceChoice | None]) -> str:
    return photograph[1]
