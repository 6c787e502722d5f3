"""Post-conditions of every output: one face, where it was asked for, and not a copy of the source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.faces.descriptor import describe
from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.thumbnail import correlation, face_thumbnail
from ganonym.types import RGB, FaceRecord, PrivateFace


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that an output must keep.

    `landmark_error`: mean distance of found to requested landmarks, in interocular distances. `correlation` of grey
    24 × 24 thumbnails of source and output. `descriptor`: least distance of dlib's descriptors, checked only when the
    record holds one; 0.6 is dlib's own limit for "the same person".
    """

    landmark_error: float = 0.12
    correlation: float = 0.97
    descriptor: float = 0.6


def problems(
    rgb: RGB, face: PrivateFace, record: FaceRecord, detector: Detector, landmarks: LandmarkModel, limits: Limits
) -> list[str]:
    """What is wrong with the output `rgb` (256, 256, 3) of `face`; empty when every post-condition holds.

    `record` is the source's analysis; only its thumbnail and descriptor are compared.
    """
    found = find_faces(rgb, detector, landmarks)
    if len(found) != 1:
        return [f"the output shows {len(found)} faces instead of one"]
    points = found[0].points
    wrong = []
    interocular = float(np.linalg.norm(face.points[36:42].mean(axis=0) - face.points[42:48].mean(axis=0)))
    error = float(np.linalg.norm(points - face.points, axis=1).mean()) / interocular
    if not error <= limits.landmark_error:
        wrong.append(f"landmarks lie {error:.3f} interocular distances off (limit {limits.landmark_error})")
    likeness = correlation(face_thumbnail(rgb, points), record.thumbnail)
    if not likeness <= limits.correlation:
        wrong.append(f"it correlates {likeness:.3f} with its source (limit {limits.correlation})")
    if record.descriptor is not None:
        distance = float(np.linalg.norm(describe(rgb, points) - record.descriptor))
        if not distance >= limits.descriptor:
            wrong.append(f"the recognizer sees the source in it (distance {distance:.2f}, limit {limits.descriptor})")
    return wrong
