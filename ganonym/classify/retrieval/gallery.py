"""The photographs of a table as a gallery takes them: each looked at once, in however many splits it stands.

Their encodings can be kept on disk, as safetensors, nothing pickled. Encodings of faces are personal data: people can
be found again by them. The file is readable by its owner only, and holds no names: photographs are known by the digests
of their files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from ganonym.classify.case import Case
from ganonym.classify.cohort import NO_DISORDER, NO_FACE, Crop, Portrait, portraits
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.retrieval.encode import Member, Variant, encode
from ganonym.classify.retrieval.ranking import Encodings
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.cache import FaceCache
from ganonym.faces.find import reading_backends
from ganonym.files import write_private
from ganonym.types import Floats, Progress
from ganonym.weights import read_tensors, sha256_file


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The encoders that look at faces, and the variants of a crop that each of them sees."""

    members: tuple[Member, ...]
    variants: tuple[Variant, ...]

    @property
    def crops(self) -> tuple[Crop, ...]:
        """What its members look at."""
        return tuple(ArcFaceCrop(side) for side in sorted({member.side for member in self.members}))


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
    tell: Progress = lambda *_: None,
    cache: FaceCache | None = None,
) -> Looked:
    """Look at every photograph, or read in `file`, where it exists, what was seen before.

    Raises UsageError when an image is said to be two things, when `file` was made otherwise or lacks a photograph, and
    EnvironmentFault as `portraits` does.
    """
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} for encodings.", "Make it first.")
    once = _once(cases)
    labelled = {image: case for image, case in once.items() if case.disorder is not None}
    digests = {} if file is None else {image: _digest(case) for image, case in labelled.items()}
    reasons = {image: NO_DISORDER for image in once if image not in labelled}
    faces: dict[str, Portrait] = {}
    stored = None
    if file is not None and file.exists():
        stored = read_encodings(file, ensemble.members, ensemble.variants)
        there = {*stored.photos, *stored.blind}
        absent = [image for image, digest in digests.items() if digest not in there]
        if absent:
            raise lacking(file, absent)
        reasons |= {image: stored.blind[digest] for image, digest in digests.items() if digest in stored.blind}
    else:
        paths, choices = [case.path for case in labelled.values()], [case.face for case in labelled.values()]
        portraits_read = portraits(paths, ensemble.crops, jobs, tell, cache, choices)
        for image, face in zip(labelled, portraits_read, strict=True):
            if isinstance(face, Portrait):
                faces[image] = face
            else:
                reasons[image] = NO_FACE if face is None else face.message
    used = tuple(case for case in cases if case.image not in reasons)
    return Looked(used, tuple((image, reasons[image]) for image in once if image in reasons), faces, digests, stored)


def encoded(
    looked: Looked, ensemble: Ensemble, file: Path | None = None, tell: Progress = lambda *_: None
) -> Encodings:
    """What the ensemble makes of them; `file` as given to `look` is written unless it was read."""
    images = list(dict.fromkeys(case.image for case in looked.cases))
    stored = looked.stored
    if stored is not None:
        row = {digest: index for index, digest in enumerate(stored.photos)}
        rows = np.array([row[looked.digests[image]] for image in images], dtype=np.intp)
        return Encodings(tuple(images), tuple(array[rows] for array in stored.vectors))
    encodings = encode(images, [looked.faces[image] for image in images], ensemble.members, ensemble.variants, tell)
    if file is not None:
        first = {looked.digests[image]: index for index, image in reversed([*enumerate(images)])}
        rows = np.array([*first.values()], dtype=np.intp)
        blind = {looked.digests[image]: reason for image, reason in looked.left_out if image in looked.digests}
        new = Stored(tuple(first), tuple(array[rows] for array in encodings.vectors), blind)
        write_encodings(file, new, ensemble.members, ensemble.variants)
    return encodings


def _once(cases: Sequence[Case]) -> dict[str, Case]:
    """Each image once: splits name it again and again."""
    cases_by_image: dict[str, Case] = {}
    for case in cases:
        first = cases_by_image.setdefault(case.image, case)
        if (first.path, first.subject, first.disorder) != (case.path, case.subject, case.disorder):
            raise UsageError(
                f"image {case.image!r} is said to be two photographs, or to show two people or disorders.",
                "Give each photograph a name of its own.",
            )
    return cases_by_image


def _digest(case: Case) -> str:
    """Of the photograph, and of which of its faces is meant, where the table says it."""
    try:
        return sha256_file(case.path) if case.face is None else f"{sha256_file(case.path)} {case.face}"
    except OSError as error:
        raise EnvironmentFault(f"cannot read {case.path}: {error.strerror}.", "Check the file.") from error


FORMAT = 2
"""1 was of crops cut from the canvas, 2 is of crops cut from the photograph."""
PERSONAL = "encodings of faces are personal data, as private as the photographs"
_CARD, _REMEDY = "encodings", "Delete it, and it is written anew; or name another file."


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """`vectors[v]` (n, d_v) float64 of each (encoder, variant), row i of the photograph with digest `photos[i]`.

    `blind`: why others have none, by digest, so that they are not looked for again.
    """

    photos: tuple[str, ...]
    vectors: tuple[Floats, ...] = field(repr=False)
    blind: Mapping[str, str]


def write_encodings(path: Path, stored: Stored, members: Sequence[Member], variants: Sequence[Variant]) -> None:
    """Put a file at `path`, mode 600, whole or not at all; the same input gives the same bytes.

    Raises EnvironmentFault when it cannot be written.
    """
    told = _made_by(members, variants) | {"photos": list(stored.photos), "blind": dict(sorted(stored.blind.items()))}
    arrays = {_name(place): np.ascontiguousarray(array, np.float64) for place, array in enumerate(stored.vectors)}
    data = save(arrays, {_CARD: json.dumps(told, ensure_ascii=False)})  # of two entries the order would vary
    write_private(path, data)


def read_encodings(path: Path, members: Sequence[Member], variants: Sequence[Variant]) -> Stored:
    """What `write_encodings` wrote. Raises UsageError when other encoders, variants or another version made it, and
    EnvironmentFault when it is no such file."""
    arrays, metadata = read_tensors(path)
    try:
        told: dict[str, Any] = json.loads(metadata[_CARD])
        photos, blind = tuple(told["photos"]), dict(told["blind"])
        vectors = tuple(np.asarray(arrays[_name(place)], np.float64) for place in range(len(arrays)))
    except (KeyError, ValueError, TypeError) as error:
        raise EnvironmentFault(f"{path} holds no encodings of ganonym.", "Name another file.") from error
    wanted = _made_by(members, variants)
    other = [name for name, value in wanted.items() if told.get(name) != value]
    if other:
        raise UsageError(f"{path} was made with other {' and '.join(other)}.", _REMEDY)
    widths = [member.encoder.width for member in members for _ in variants]
    if [array.shape for array in vectors] != [(len(photos), width) for width in widths]:
        raise EnvironmentFault(f"{path} is damaged: its arrays do not fit its photographs.", _REMEDY)
    return Stored(photos, vectors, blind)


def lacking(path: Path, images: Sequence[str]) -> UsageError:
    """The error for `images` of which the file at `path` knows nothing."""
    more = f" … and {len(images) - 10} more" if len(images) > 10 else ""
    return UsageError(
        f"{path} knows nothing of {len(images)} photographs, new or changed since: {', '.join(images[:10])}{more}.",
        _REMEDY,
    )


def _made_by(members: Sequence[Member], variants: Sequence[Variant]) -> dict[str, Any]:
    """All that a vector depends on besides the photograph."""
    return {
        "format": FORMAT,
        "version": version("ganonym"),
        "landmarks": type(reading_backends()[1]).__name__,
        "encoders": [member.digest for member in members],
        "views": [[variant.flip, variant.grey] for variant in variants],
    }


def _name(place: int) -> str:
    return f"vectors.{place:03d}"
