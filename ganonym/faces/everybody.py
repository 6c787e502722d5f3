"""Everybody on a photo: whom the finder sees, whom it sees on a closer look, and whom only a second detector sees.

The finder stops at one clear face; a child beside a parent can then stay unseen. So a detector that shares nothing with
it looks as well, and where it sees more, the finder looks again at its finest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ganonym.faces.blazeface import BlazeFaceDetector, blazeface_boxes
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.overlap import stray_boxes
from ganonym.types import RGB, Box, Face

BELIEVED = 0.6
"""Probability from which BlazeFace is believed beside dlib. Of 1168 development photographs none is withheld for one
who is not there; from 0.5 seven were (a neck, a blurred tree).
"""

SECOND = DlibDetector(sides=(640,), threshold=0.6, beside=0.6, every_size=True, most_enlarged=2.0)
"""Beside BlazeFace, dlib's HOG: faces of an eighth of the longer side or more, at a score that no sleeve reaches."""


@dataclass(frozen=True, slots=True)
class Everybody:
    """`faces` as the finder gives them, largest first; `doubtful` ones that only the second detector sees."""

    faces: tuple[Face, ...]
    doubtful: tuple[Face, ...]


def find_everybody(rgb: RGB, detector: Detector, landmarks: LandmarkModel) -> Everybody:
    """All faces of `rgb` (h, w, 3) uint8; where the finder sees none there is nobody.

    Landmarks of doubtful faces are where the model puts them in the second detector's box, good or not.
    """
    faces = find_faces(rgb, detector, landmarks)
    if not faces:
        return Everybody((), ())
    others = blazeface_boxes(rgb, BELIEVED) if isinstance(detector, DlibDetector) else SECOND.detect(rgb)
    unseen = stray_boxes(others, [face.box for face in faces], [])
    if unseen:
        closer = find_faces(rgb, _finest(detector), landmarks, turns=(0,))
        places = [face.box for face in faces]
        faces += [face for face in closer if stray_boxes([face.box], places, []) and _at_one_of(face, unseen)]
        unseen = stray_boxes(unseen, [face.box for face in faces], [])
    doubtful = [Face(box, landmarks.locate(rgb, box)) for box in unseen]
    return Everybody(*(tuple(sorted(group, key=lambda face: -face.box.area)) for group in (faces, doubtful)))


def _finest(detector: Detector) -> Detector:
    if isinstance(detector, BlazeFaceDetector):
        return replace(detector, every_size=True)
    return DlibDetector(every_size=True)


def _at_one_of(face: Face, boxes: Sequence[Box]) -> bool:
    return any(not stray_boxes([box], [face.box], []) for box in boxes)
