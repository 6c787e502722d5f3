"""Every face of a photo: tries sizes and quarter turns before it gives up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganonym.faces import fan
from ganonym.faces.align import unturn
from ganonym.faces.blazeface import BlazeFaceDetector
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.landmarks import DlibLandmarks, LandmarkModel
from ganonym.faces.mesh import MeshLandmarks
from ganonym.faces.overlap import shared
from ganonym.types import RGB, Box, Face, Points


def default_backends(weights: Path | None = None) -> tuple[Detector, LandmarkModel]:
    """The detector and the landmark model that find the faces of a release on this machine: the maker's.

    BlazeFace and the face mesh, unless the folder `weights` (or the environment's GANONYM_WEIGHTS) holds FAN's weights.
    Raises EnvironmentFault when those are there but altered: never falls back in silence from weights that were asked
    for. Why these: docs/adr/0018-free-finder.md.
    """
    return _fan_backends(weights) or free_backends()


def reading_backends(weights: Path | None = None) -> tuple[Detector, LandmarkModel]:
    """What finds the faces that classifiers read, that are measured, and that the trainer learns from.

    dlib, on whose points the bundled classifiers, galleries and generator were fitted; FAN as in `default_backends`.
    """
    return _fan_backends(weights) or judge_backends()


def free_backends() -> tuple[Detector, LandmarkModel]:
    """BlazeFace and the face mesh, which may be used for everything."""
    return BlazeFaceDetector(), MeshLandmarks()


def judge_backends() -> tuple[Detector, LandmarkModel]:
    """What finds faces and landmarks for attackers and judges: dlib, which shares nothing with the free ones."""
    return DlibDetector(), DlibLandmarks()


def _fan_backends(weights: Path | None) -> tuple[Detector, LandmarkModel] | None:
    folder = weights or (Path(os.environ["GANONYM_WEIGHTS"]) if os.environ.get("GANONYM_WEIGHTS") else None)
    return (DlibDetector(), fan.load(folder)) if folder is not None and fan.present(folder) else None


def find_faces(
    rgb: RGB, detector: Detector, landmarks: LandmarkModel, turns: Sequence[int] = (0, 1, 2, 3)
) -> list[Face]:
    """All faces of `rgb`, largest first, in the photo's own pixels; empty when there is none.

    The photo is searched at the first of the quarter `turns`, then (when no face is sure) at the others; the turn with
    the surest face wins, and faces that overlap a surer one by more than half are duplicates.
    """
    best: list[Box] = []
    best_turns = 0
    for turn in turns:
        boxes = detector.detect(np.rot90(rgb, turn))
        if boxes and (not best or boxes[0].score > best[0].score):
            best, best_turns = boxes, turn
        if turn == turns[0] and best and best[0].score >= detector.sure:
            break
    turned = np.ascontiguousarray(np.rot90(rgb, best_turns))
    faces = [_face(box, landmarks.locate(turned, box), best_turns, rgb.shape[:2]) for box in distinct(best)]
    return sorted(faces, key=lambda face: -face.box.area)


def distinct(boxes: Sequence[Box]) -> list[Box]:
    """Those of `boxes` that overlap no surer one by more than half of the smaller, surest first."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(shared(box, other) <= 0.5 for other in kept):
            kept.append(box)
    return kept


def _face(box: Box, points: Points, turns: int, shape: tuple[int, ...]) -> Face:
    """The face found in `numpy.rot90(photo, turns)`, in the pixels of the photo of `shape` (height, width)."""
    corners = unturn(np.array([[box.left, box.top], [box.right, box.bottom]]), turns, shape)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Face(Box(left, top, right, bottom, box.score), unturn(points, turns, shape), turns)
