"""Photographs as all classifiers look at them: the largest face, upright on a canvas, with its landmarks.

Each is decoded once, in a worker process; every published crop (`crops/`) is cut from the canvas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.faces.align import apply, crop
from ganonym.faces.find import default_backends, find_faces
from ganonym.faces.pose import estimate_pose
from ganonym.faces.upright import upright
from ganonym.photos.decode import read_photo
from ganonym.photos.isolate import in_workers
from ganonym.types import CANVAS, RGB, Points, Pose

PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Portrait:
    """`canvas` (256, 256, 3) uint8 RGB, `points` (68, 2) on it, `pose` of the head in the photograph, degrees."""

    canvas: RGB
    points: Points
    pose: Pose


def portrait(rgb: RGB) -> Portrait | None:
    """The largest face of a photograph (h, w, 3), None when there is none. Raises EnvironmentFault without weights."""
    face = next(iter(find_faces(rgb, *default_backends())), None)
    return None if face is None else portrait_at(rgb, face.points)


def portrait_at(rgb: RGB, points: Points) -> Portrait:
    """The face with landmarks `points` (68, 2) in `rgb` (h, w, 3), turned upright and brought to the canvas."""
    matrix = upright(points, CANVAS)
    return Portrait(crop(rgb, matrix, CANVAS), apply(matrix, points), estimate_pose(points))


def portraits(
    paths: Sequence[Path], jobs: int = 1, tell: Callable[[str, int, int], None] = lambda *_: None
) -> list[Portrait | PhotoError | None]:
    """The portrait of each photograph, in order: None without a face, the error of a file that cannot be read.

    Nothing is dropped: entry i belongs to `paths[i]`. Raises EnvironmentFault when a worker dies or weights lack.
    """
    found: list[Portrait | PhotoError | None] = []
    for each in in_workers(_look, paths, _name, jobs, PATIENCE):
        found.append(each)
        tell("look", len(found), len(paths))
    return found


def _look(path: Path) -> Portrait | None:
    return portrait(read_photo(path.parent, path.name)[0])


def _name(path: Path) -> str:
    return path.name


def stacked(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Crops of one size as one array (n, ...), empty without any.

    >>> stacked([np.zeros((2, 2, 3), np.uint8)]).shape
    (1, 2, 2, 3)
    """
    return np.stack(crops) if crops else np.zeros(0, np.uint8)
