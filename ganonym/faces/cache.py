"""Faces found once: where they lie in a photograph, kept in a folder, so that the next command need not look again.

    cache = open_cache(Path("faces"))
    rgb, faces = read_faces(Path("a.jpg"), cache)

The folder is private (mode 700): landmarks are biometric. An entry is named by a digest of the photograph's bytes and
of whatever finds faces, so that an altered photograph or another detector has none; the digest is keyed: without the
key, which lies beside the entries, a name tells nothing. Entries are JSON and signed with that key: one that is
damaged, edited, renamed or of another folder counts as none, and the faces are found anew.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.find import find_faces, reading_backends
from ganonym.photos.decode import decode
from ganonym.photos.source import read_bytes
from ganonym.types import LANDMARKS, RGB, Box, Face
from ganonym.weights import sha256_file, verified_path

KEY, KEY_BYTES = "key", 32
_PARTIAL = ".partial"
_Point = tuple[FiniteFloat, FiniteFloat]


class _Face(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    box: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
    points: Annotated[list[_Point], Field(min_length=LANDMARKS, max_length=LANDMARKS)]
    turns: Annotated[int, Field(ge=0, le=3)]


class _Entry(BaseModel):
    """`size` (width, height) of the photograph as it was decoded, and its faces, largest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: tuple[int, int]
    faces: list[_Face]


class _Signed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    entry: _Entry
    signature: str


@dataclass(frozen=True, slots=True)
class FaceCache:
    """An open cache: its `folder`, its `key`, and in `finder` what finds faces, by names, settings and weights."""

    folder: Path
    key: bytes = field(repr=False)
    finder: str

    def faces(self, data: bytes, rgb: RGB) -> list[Face]:
        """All faces of the photograph `rgb` whose file is `data`, largest first; found now unless they were before.

        Raises EnvironmentFault when what was found cannot be written.
        """
        name = self._digest(b"photo", data)
        path = self.folder / name[:2] / f"{name[2:]}.json"
        size = (rgb.shape[1], rgb.shape[0])
        known = self._read(path, name, size)
        if known is not None:
            return known
        found = find_faces(rgb, *reading_backends())
        self._write(path, name, _entry_of(found, size))
        return found

    def _read(self, path: Path, name: str, size: tuple[int, int]) -> list[Face] | None:
        try:
            signed = _Signed.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        entry = signed.entry
        if not hmac.compare_digest(signed.signature.encode(), self._signature(name, entry).encode()):
            return None
        faces = [_face_of(each) for each in entry.faces]
        return faces if entry.size == size and all(_plausible(face, size) for face in faces) else None

    def _write(self, path: Path, name: str, entry: _Entry) -> None:
        signed = _Signed(entry=entry, signature=self._signature(name, entry))
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_whole(path, signed.model_dump_json().encode())
        except OSError as error:
            raise _cannot_write(self.folder, error) from error

    def _signature(self, name: str, entry: _Entry) -> str:
        return self._digest(b"entry", name.encode() + b"\0" + entry.model_dump_json().encode())

    def _digest(self, purpose: bytes, data: bytes) -> str:
        """HMAC-SHA256 of `data`, hex; of another purpose or finder it is another one."""
        told = hmac.new(self.key, b"ganonym faces\0" + purpose + b"\0" + self.finder.encode() + b"\0", "sha256")
        told.update(data)
        return told.hexdigest()


def open_cache(folder: Path) -> FaceCache:
    """The cache in `folder`, which is made where there is none; for the detector that this machine has.

    Raises UsageError when `folder` holds other things or its key is open to other users, EnvironmentFault when it
    cannot be written or weights lack.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", "Name a folder for --cache.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = [each for each in folder.iterdir() if each.suffix != _PARTIAL]
        if not (folder / KEY).exists():
            if others:
                raise UsageError(f"{folder} is no cache of faces, and not empty.", "Name a new folder for --cache.")
            with suppress(OSError):  # a share may refuse it; the files in it are private either way
                folder.chmod(0o700)
            _make_key(folder / KEY)
        mode = (folder / KEY).stat().st_mode
        key = (folder / KEY).read_bytes()
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if mode & 0o077:
        raise UsageError(
            f"the key in {folder} is open to other users (mode {mode & 0o777:o}).", f"Run: chmod 600 {folder / KEY}"
        )
    if len(key) != KEY_BYTES:
        raise UsageError(f"the key in {folder} is damaged.", "Delete the folder: faces are found anew.")
    return FaceCache(folder, key, finder())


def read_faces(path: Path, known: FaceCache | None = None) -> tuple[RGB, list[Face]]:
    """The photograph at `path`, upright as its file says, and all its faces, largest first.

    Raises PhotoError as `read_bytes` and `decode` do, EnvironmentFault without weights.
    """
    data = read_bytes(path.parent, path.name)
    rgb = decode(data, path.name)
    return rgb, find_faces(rgb, *reading_backends()) if known is None else known.faces(data, rgb)


def finder() -> str:
    """What finds faces on this machine: versions, detector and landmarks with their settings and weights."""
    detector, landmarks = reading_backends()
    versions = ", ".join(f"{name} {version(name)}" for name in ("ganonym", "dlib-bin", "onnxruntime"))
    networks = [verified_path(name) for name in ("blazeface_short", "blazeface_full", "face_mesh")]  # of the detector
    files = [_digest_once(path) for path in (*networks, *landmarks.weights_files)]
    return f"{versions}; {detector!r}; {landmarks!r} {' '.join(files)}"


@cache
def _digest_once(path: Path) -> str:
    """Once a process, as weights are read once: dlib's are 100 MB."""
    return sha256_file(path)


def _entry_of(faces: list[Face], size: tuple[int, int]) -> _Entry:
    return _Entry(
        size=size,
        faces=[
            _Face(
                box=(face.box.left, face.box.top, face.box.right, face.box.bottom, face.box.score),
                points=[(x, y) for x, y in face.points.tolist()],
                turns=face.turns,
            )
            for face in faces
        ],
    )


def _face_of(stored: _Face) -> Face:
    return Face(Box(*stored.box), np.array(stored.points), stored.turns)


def _plausible(face: Face, size: tuple[int, int]) -> bool:
    """Whether a face lies in or around a photograph of `size`: landmarks may leave it where the face does."""
    return face.box.area > 0 and bool((np.abs(face.points / size - 0.5) < 1.5).all()) and bool(np.ptp(face.points) > 0)


def _make_key(path: Path) -> None:
    """Put a new key at `path` unless another process is first."""
    partial = _written(path, secrets.token_bytes(KEY_BYTES))
    try:
        with suppress(FileExistsError):
            path.hardlink_to(partial)
    finally:
        partial.unlink()


def _write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path` whole or not at all, mode 600; of several processes the last one has it."""
    partial = _written(path, data)
    try:
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _written(path: Path, data: bytes) -> Path:
    """A new file beside `path`, mode 600."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=_PARTIAL, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _cannot_write(folder: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot use the cache {folder}: {error.strerror or error}.", "Free space or fix permissions, or leave it out."
    )
