"""Photographs as all classifiers look at them: the largest face, its landmarks upright, and crops of it.

Each photograph is decoded once, in a worker process, which cuts whatever crops (`crops/`) the system at hand has named
straight from it: one resampling, and black only where the photograph ends. Nothing else of the photograph is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.faces.align import apply, crop
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.faces.pose import estimate_pose
from ganonym.faces.upright import upright
from ganonym.types import CANVAS, RGB, Points, Pose
from ganonym.workers import in_workers

PATIENCE = 120.0


class Crop(Protocol):
    """A part of a face, in the size and place in which some network looks at it. Equal ones cut alike; hashable."""

    def __call__(self, rgb: RGB, points: Points) -> NDArray[np.uint8]:
        """Cut it from the photograph (h, w, 3) that shows a face with landmarks `points` (68, 2)."""
        ...


@dataclass(frozen=True, slots=True)
class CanvasCrop:
    """The face upright on the canvas, (256, 256, 3): what composites are made of. No network looks at it."""

    def __call__(self, rgb: RGB, points: Points) -> RGB:
        return crop(rgb, upright(points, CANVAS), CANVAS)


@dataclass(frozen=True, slots=True)
class Portrait:
    """`crops` cut from the photograph, `points` (68, 2) upright on the canvas of 256 px, `pose` of the head, degrees.

    The pose is of the head in the photograph.
    """

    crops: Mapping[Crop, NDArray[np.uint8]]
    points: Points
    pose: Pose

    def crop(self, wanted: Crop) -> NDArray[np.uint8]:
        """What `wanted` shows. Raises KeyError unless it was named when the photograph was read."""
        if wanted not in self.crops:
            raise KeyError(f"{wanted} was not cut from this photograph; there are {list(self.crops)}")
        return self.crops[wanted]

    @property
    def canvas(self) -> RGB:
        """The `CanvasCrop`."""
        return self.crop(CanvasCrop())


def portrait_at(rgb: RGB, points: Points, crops: Sequence[Crop] = ()) -> Portrait:
    """The face with landmarks `points` (68, 2) in `rgb` (h, w, 3), with `crops` of it."""
    return Portrait(
        {each: each(rgb, points) for each in crops}, apply(upright(points, CANVAS), points), estimate_pose(points)
    )


def portraits(
    paths: Sequence[Path],
    crops: Sequence[Crop] = (),
    jobs: int = 1,
    tell: Callable[[str, int, int], None] = lambda *_: None,
    cache: FaceCache | None = None,
) -> list[Portrait | PhotoError | None]:
    """The portrait of each photograph, in order: None without a face, the error of a file that cannot be read.

    Nothing is dropped: entry i belongs to `paths[i]`. Raises EnvironmentFault when a worker dies, weights lack, or the
    cache cannot be written.
    """
    found: list[Portrait | PhotoError | None] = []
    look = partial(_look, crops=tuple(crops), cache=cache)
    for each in in_workers(look, paths, _name, jobs, PATIENCE):
        found.append(each)
        tell("look", len(found), len(paths))
    return found


def _look(path: Path, crops: tuple[Crop, ...], cache: FaceCache | None) -> Portrait | None:
    rgb, faces = read_faces(path, cache)
    return portrait_at(rgb, faces[0].points, crops) if faces else None


def _name(path: Path) -> str:
    return path.name
