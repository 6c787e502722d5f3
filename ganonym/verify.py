"""Post-conditions of every output: one face, where it was asked for, and not a copy of the source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.faces.descriptor import describe
from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.thumbnail import correlation, face_thumbnail
from ganonym.types import CANVAS, RGB, FaceRecord, PrivateFace


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that an output must keep, set on 40 virtual and 40 real people with an early generator.

    `landmark_error`: mean distance of found to requested landmarks, in interocular distances; 0.055 and 0.082 at most
    in sound outputs. `correlation` of grey 24 × 24 thumbnails of source and output: 0.91 and 0.78 at most in sound
    outputs, at least 0.95 in copies, blurred (SD 6 px), darkened or recompressed ones too; 1 in 40 copies so bright
    that they clip stays below. Half-transparent copies are not told from sound outputs: the descriptor is for those.
    `descriptor`: least distance of dlib's descriptors, checked only when the record holds one; 0.6 is dlib's own limit
    for "the same person", copies lie within 0.1 and blurred ones within 0.56.
    """

    landmark_error: float = 0.10
    correlation: float = 0.92
    descriptor: float = 0.6


def problems(
    rgb: RGB, face: PrivateFace, record: FaceRecord, detector: Detector, landmarks: LandmarkModel, limits: Limits
) -> list[str]:
    """What is wrong with the output `rgb` of `face`; empty when it is (256, 256, 3) and every post-condition holds.

    `record` is the source's analysis; only its thumbnail and descriptor are compared.
    """
    if rgb.shape != (CANVAS, CANVAS, 3):
        return [f"the output has shape {rgb.shape}, not {(CANVAS, CANVAS, 3)}"]
    found = find_faces(rgb, detector, landmarks)
    if len(found) != 1:
        return [f"the output shows {len(found)} faces instead of one"]
    points = found[0].points
    wrong = []
    interocular = float(np.linalg.norm(face.points[36:42].mean(axis=0) - face.points[42:48].mean(axis=0)))
    error = float(np.linalg.norm(points - face.points, axis=1).mean()) / interocular
    if not error <= limits.landmark_error:
        wrong.append(f"landmarks lie {error:.3f} interocular distances off (limit {limits.landmark_error})")
    # At the requested landmarks too: those found in a blurred copy are too coarse to line it up with its source.
    likeness = max(correlation(face_thumbnail(rgb, each), record.thumbnail) for each in (points, face.points))
    if not likeness <= limits.correlation:
        wrong.append(f"it correlates {likeness:.3f} with its source (limit {limits.correlation})")
    if record.descriptor is not None:
        distance = float(np.linalg.norm(describe(rgb, points) - record.descriptor))
        if not distance >= limits.descriptor:
            wrong.append(f"the recognizer sees the source in it (distance {distance:.2f}, limit {limits.descriptor})")
    return wrong
