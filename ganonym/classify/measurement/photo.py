"""Photographs to measure: the landmarks of the largest face of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ganonym.errors import PhotoError
from ganonym.faces.find import default_backends, find_faces
from ganonym.photos.decode import read_photo
from ganonym.photos.isolate import in_workers
from ganonym.types import Points

PATIENCE = 120.0


def landmarks_of(
    paths: Sequence[Path], jobs: int = 1, tell: Callable[[str, int, int], None] = lambda *_: None
) -> list[Points | PhotoError]:
    """Landmarks (68, 2) of the largest face in pixels of each photo, in order, or why there are none.

    Raises EnvironmentFault when a worker dies or weights lack.
    """
    found: list[Points | PhotoError] = []
    for each in in_workers(_look, paths, _name, jobs, PATIENCE):
        found.append(each)
        tell("measure", len(found), len(paths))
    return found


def _look(path: Path) -> Points:
    face = next(iter(find_faces(read_photo(path.parent, path.name)[0], *default_backends())), None)
    if face is None:
        raise PhotoError("no-face", f"{path.name!r} shows no face that is found.", "Use a frontal photo of one person.")
    return face.points


def _name(path: Path) -> str:
    return path.name
