"""Phase 1's results on disk: what was found on each photo, so that a resumed run need not look again."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.batch.ledger import canonical
from ganonym.errors import PhotoError
from ganonym.files import cannot_write, write_all
from ganonym.photos.source import read_bytes
from ganonym.types import JSON, Box, FaceRecord, Pose, Refusal

ANALYSIS = 2
"""Number of what is kept of a photo; what an older number kept is not read."""


class AnalysisStore:
    """JSONL file with one line a photo, found again by photo, its SHA-256 and `key` (settings and weights).

    Only line positions stay in memory. A line that a crash tore is dropped. Raises EnvironmentFault.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._size = 0
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(os.dup(self._handle), "rb") as lines:
                for line in lines:
                    entry = _parse(line)
                    if entry is None:
                        break
                    if entry["key"] == key:
                        self._places[entry["name"], entry["input"]] = (self._size, len(line))
                    self._size += len(line)
            os.ftruncate(self._handle, self._size)
        except OSError as error:
            raise cannot_write(path, error) from error

    def __contains__(self, photo: tuple[str, str]) -> bool:
        return photo in self._places

    def add(self, name: str, digest: str, outcome: list[FaceRecord] | Refusal) -> None:
        """Keep what was found on the photo `name` whose bytes have the SHA-256 `digest`."""
        found: JSON = (
            {"refusal": asdict(outcome)} if isinstance(outcome, Refusal) else {"faces": [*map(_pack, outcome)]}
        )
        line = canonical({"key": self._key, "name": name, "input": digest, **found}) + b"\n"
        try:
            os.lseek(self._handle, self._size, os.SEEK_SET)
            write_all(self._handle, line)
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self._places[name, digest] = (self._size, len(line))
        self._size += len(line)

    def read(self, name: str, digest: str) -> list[FaceRecord] | Refusal:
        """What `add` was given. Raises KeyError when it never was."""
        entry = json.loads(self._line(name, digest))
        if "refusal" in entry:
            return Refusal(**entry["refusal"])
        return [_unpack(name, face) for face in entry["faces"]]

    def digest(self, photos: Iterable[tuple[str, str]]) -> str:
        """Hex SHA-256 over what was found on these photos, (name, SHA-256) each, after it has reached the disk."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise cannot_write(self._path, error) from error
        whole = hashlib.sha256()
        for photo in photos:
            whole.update(self._line(*photo))
        return whole.hexdigest()

    def __enter__(self) -> AnalysisStore:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def _line(self, name: str, digest: str) -> bytes:
        offset, size = self._places[name, digest]
        return os.pread(self._handle, size, offset)


def fingerprint(root: Path, name: str) -> str | Refusal:
    """Hex SHA-256 of a photo's bytes, or why it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(root, name)).hexdigest()
    except PhotoError as error:
        return Refusal(error.reason, str(error))


def dataset_digest(photos: Iterable[tuple[str, str]], refused: Iterable[str], rows: Iterable[JSON]) -> str:
    """Hex SHA-256 over everything that decides who is in the release: photos, refused files, manifest rows."""
    return hashlib.sha256(canonical([list(photos), sorted(refused), list(rows)])).hexdigest()


def _parse(line: bytes) -> JSON | None:
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return None
    return (
        entry if isinstance(entry, dict) and line.endswith(b"\n") and {"key", "name", "input"} <= set(entry) else None
    )


def _pack(face: FaceRecord) -> JSON:
    return {
        "index": face.index,
        "box": asdict(face.box),
        "points": face.points.tolist(),
        "shape": face.shape.tolist(),
        "pose": asdict(face.pose),
        "tone": face.tone,
        "thumbnail": [list(face.thumbnail.shape), base64.b64encode(face.thumbnail.tobytes()).decode()],
        "descriptor": None if face.descriptor is None else face.descriptor.tolist(),
        "person": face.person,
        "refusal": None if face.refusal is None else asdict(face.refusal),
        "row": None if face.row is None else face.row.tolist(),
    }


def _unpack(source: str, kept: JSON) -> FaceRecord:
    size, pixels = kept["thumbnail"]
    descriptor = kept["descriptor"]
    return FaceRecord(
        source=source,
        index=kept["index"],
        box=Box(**kept["box"]),
        points=np.array(kept["points"], dtype=np.float64),
        shape=np.array(kept["shape"], dtype=np.float64),
        pose=Pose(**kept["pose"]),
        tone=kept["tone"],
        thumbnail=np.frombuffer(base64.b64decode(pixels), dtype=np.uint8).reshape(size),
        descriptor=None if descriptor is None else np.array(descriptor, dtype=np.float64),
        person=kept["person"],
        refusal=None if kept["refusal"] is None else Refusal(**kept["refusal"]),
        row=None if kept["row"] is None else np.array(kept["row"], dtype=np.float64),
    )
