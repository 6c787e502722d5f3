"""Photographs to measure: the landmarks of the largest face of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ganonym.errors import PhotoError
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.types import Points
from ganonym.workers import in_workers

PATIENCE = 120.0


def landmarks_of(
    paths: Sequence[Path],
    jobs: int = 1,
    tell: Callable[[str, int, int], None] = lambda *_: None,
    cache: FaceCache | None = None,
) -> list[Points | PhotoError]:
    """Landmarks (68, 2) of the largest face in pixels of each photo, in order, or why there are none.

    Raises EnvironmentFault when a worker dies, weights lack, or the cache cannot be written.
    """
    found: list[Points | PhotoError] = []
    for each in in_workers(partial(_look, cache=cache), paths, _name, jobs, PATIENCE):
        found.append(each)
        tell("measure", len(found), len(paths))
    return found


def _look(path: Path, cache: FaceCache | None) -> Points:
    _, faces = read_faces(path, cache)
    if not faces:
        raise PhotoError("no-face", f"{path.name!r} shows no face that is found.", "Use a frontal photo of one person.")
    return faces[0].points


def _name(path: Path) -> str:
    return path.name
