"""What an attacker is given of one photo: its pixels and, where a face was found, its landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.types import RGB, Points


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo under attack. `points` (68, 2) in its own pixels, or None when no face was found (failure to acquire).

    Points may come from a detector, or from the original's geometry where the output keeps it ("oracle" alignment).
    """

    rgb: RGB
    points: Points | None


def locate(rgbs: Sequence[RGB], detector: Detector, landmarks: LandmarkModel) -> list[Sample]:
    """Samples of photos, each with the landmarks of its largest face."""
    samples = []
    for rgb in rgbs:
        faces = find_faces(rgb, detector, landmarks)
        samples.append(Sample(rgb, faces[0].points if faces else None))
    return samples
