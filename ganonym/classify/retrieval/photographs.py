"""The photographs of a table as a gallery takes them: each looked at once, in however many splits it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.cohort import NO_DISORDER, NO_FACE, Crop, Portrait, Tell, portraits
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.retrieval.distances import Encodings
from ganonym.classify.retrieval.encode import encode
from ganonym.classify.retrieval.encodings_file import Stored, lacking, read_encodings, write_encodings
from ganonym.classify.retrieval.members import Member
from ganonym.classify.retrieval.views import View
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.cache import FaceCache
from ganonym.weights import sha256_file


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Who looks, and in which views."""

    members: tuple[Member, ...]
    views: tuple[View, ...]

    @property
    def crops(self) -> tuple[Crop, ...]:
        """What its members look at."""
        return tuple(ArcFaceCrop(side) for side in sorted({each.side for each in self.members}))


@dataclass(frozen=True, slots=True)
class Looked:
    """`cases` whose face was found and whose disorder is known, in the table's order.

    `left_out`: (image, reason) of every photograph that could not be used, once each.
    """

    cases: tuple[Case, ...]
    left_out: tuple[tuple[str, str], ...]
    faces: Mapping[str, Portrait] = field(repr=False)
    digests: Mapping[str, str] = field(repr=False)
    stored: Stored | None = field(repr=False)

    @property
    def simulated(self) -> bool:
        """Whether anybody in it was made by `ganonym phantom`."""
        return any(case.simulated for case in self.cases)


def look(
    cases: Sequence[Case],
    ensemble: Ensemble,
    file: Path | None = None,
    jobs: int = 1,
    tell: Tell = lambda *_: None,
    cache: FaceCache | None = None,
) -> Looked:
    """Look at every photograph, or read in `file`, where it exists, what was seen before.

    Raises UsageError when an image is said to be two things, when `file` was made otherwise or lacks a photograph, and
    EnvironmentFault as `portraits` does.
    """
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} for encodings.", "Make it first.")
    once = _once(cases)
    known = {image: case for image, case in once.items() if case.disorder is not None}
    digests = {} if file is None else {image: _digest(case.path) for image, case in known.items()}
    reasons = {image: NO_DISORDER for image in once if image not in known}
    faces: dict[str, Portrait] = {}
    stored = None
    if file is not None and file.exists():
        stored = read_encodings(file, ensemble.members, ensemble.views)
        there = {*stored.photos, *stored.blind}
        absent = [image for image, digest in digests.items() if digest not in there]
        if absent:
            raise lacking(file, absent)
        reasons |= {image: stored.blind[digest] for image, digest in digests.items() if digest in stored.blind}
    else:
        found = portraits([case.path for case in known.values()], ensemble.crops, jobs, tell, cache)
        for image, face in zip(known, found, strict=True):
            if isinstance(face, Portrait):
                faces[image] = face
            else:
                reasons[image] = NO_FACE if face is None else face.message
    used = tuple(case for case in cases if case.image not in reasons)
    return Looked(used, tuple((image, reasons[image]) for image in once if image in reasons), faces, digests, stored)


def encoded(looked: Looked, ensemble: Ensemble, file: Path | None = None, tell: Tell = lambda *_: None) -> Encodings:
    """What the ensemble makes of them; `file` as given to `look` is written unless it was read."""
    images = list(dict.fromkeys(case.image for case in looked.cases))
    stored = looked.stored
    if stored is not None:
        row = {digest: index for index, digest in enumerate(stored.photos)}
        rows = np.array([row[looked.digests[image]] for image in images], dtype=np.intp)
        return Encodings(tuple(images), tuple(each[rows] for each in stored.vectors))
    found = encode(images, [looked.faces[image] for image in images], ensemble.members, ensemble.views, tell)
    if file is not None:
        first = {looked.digests[image]: index for index, image in reversed([*enumerate(images)])}
        rows = np.array([*first.values()], dtype=np.intp)
        blind = {looked.digests[image]: reason for image, reason in looked.left_out if image in looked.digests}
        new = Stored(tuple(first), tuple(each[rows] for each in found.vectors), blind)
        write_encodings(file, new, ensemble.members, ensemble.views)
    return found


def _once(cases: Sequence[Case]) -> dict[str, Case]:
    """Each image once: splits name it again and again."""
    found: dict[str, Case] = {}
    for case in cases:
        first = found.setdefault(case.image, case)
        if (first.path, first.subject, first.disorder) != (case.path, case.subject, case.disorder):
            raise UsageError(
                f"image {case.image!r} is said to be two photographs, or to show two people or disorders.",
                "Give each photograph a name of its own.",
            )
    return found


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror}.", "Check the file.") from error
