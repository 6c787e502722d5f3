"""Encodings on disk, so that a gallery is looked at once: safetensors, nothing pickled.

Encodings of faces are personal data: people can be found again by them. The file is readable by its owner only, and
holds no names: photographs are known by the digests of their files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from ganonym.classify.retrieval.members import Member
from ganonym.classify.retrieval.views import View
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.find import default_backends
from ganonym.types import Floats
from ganonym.weights import read_tensors

FORMAT = 2
"""1 was of crops cut from the canvas, 2 is of crops cut from the photograph."""
PERSONAL = "encodings of faces are personal data, as private as the photographs"
_CARD, _REMEDY = "encodings", "Delete it, and it is written anew; or name another file."


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """`vectors[v]` (n, d_v) float64 of each (encoder, view), row i of the photograph with digest `photos[i]`.

    `blind`: why others have none, by digest, so that they are not looked for again.
    """

    photos: tuple[str, ...]
    vectors: tuple[Floats, ...] = field(repr=False)
    blind: Mapping[str, str]


def write_encodings(path: Path, stored: Stored, members: Sequence[Member], views: Sequence[View]) -> None:
    """Put a file at `path`, mode 600, whole or not at all; the same input gives the same bytes.

    Raises EnvironmentFault when it cannot be written.
    """
    told = _made_by(members, views) | {"photos": list(stored.photos), "blind": dict(sorted(stored.blind.items()))}
    arrays = {_name(place): np.ascontiguousarray(each, np.float64) for place, each in enumerate(stored.vectors)}
    data = save(arrays, {_CARD: json.dumps(told, ensure_ascii=False)})  # of two entries the order would vary
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}.", "Check space and permissions.") from error


def read_encodings(path: Path, members: Sequence[Member], views: Sequence[View]) -> Stored:
    """What `write_encodings` wrote. Raises UsageError when other encoders, views or another version made it, and
    EnvironmentFault when it is no such file."""
    arrays, metadata = read_tensors(path)
    try:
        told: dict[str, Any] = json.loads(metadata[_CARD])
        photos, blind = tuple(told["photos"]), dict(told["blind"])
        vectors = tuple(np.asarray(arrays[_name(place)], np.float64) for place in range(len(arrays)))
    except (KeyError, ValueError, TypeError) as error:
        raise EnvironmentFault(f"{path} holds no encodings of ganonym.", "Name another file.") from error
    wanted = _made_by(members, views)
    other = [name for name, value in wanted.items() if told.get(name) != value]
    if other:
        raise UsageError(f"{path} was made with other {' and '.join(other)}.", _REMEDY)
    widths = [member.encoder.width for member in members for _ in views]
    if [each.shape for each in vectors] != [(len(photos), width) for width in widths]:
        raise EnvironmentFault(f"{path} is damaged: its arrays do not fit its photographs.", _REMEDY)
    return Stored(photos, vectors, blind)


def lacking(path: Path, images: Sequence[str]) -> UsageError:
    """The error for `images` of which the file at `path` knows nothing."""
    more = f" … and {len(images) - 10} more" if len(images) > 10 else ""
    return UsageError(
        f"{path} knows nothing of {len(images)} photographs, new or changed since: {', '.join(images[:10])}{more}.",
        _REMEDY,
    )


def _made_by(members: Sequence[Member], views: Sequence[View]) -> dict[str, Any]:
    """All that a vector depends on besides the photograph."""
    return {
        "format": FORMAT,
        "version": version("ganonym"),
        "landmarks": type(default_backends()[1]).__name__,
        "encoders": [member.digest for member in members],
        "views": [[view.flip, view.grey] for view in views],
    }


def _name(place: int) -> str:
    return f"vectors.{place:03d}"
