"""What an attacker is given of one photo: its pixels, where a face was found its landmarks, and the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.types import RGB, Points


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo under attack.

    `points` (68, 2) in its own pixels as a detector finds them, or None when it found no face (failure to acquire).
    `oracle` (68, 2) or None: the original's landmarks, where the output keeps the original's geometry; an attacker can
    click the eyes of a blurred face that no detector sees. `file` is the file as released, for attacks on metadata.
    """

    rgb: RGB
    points: Points | None
    oracle: Points | None = None
    file: Path | None = None

    @property
    def place(self) -> Points | None:
        """Where the face is as the best-informed attacker knows it: the oracle's landmarks, else the detector's."""
        return self.points if self.oracle is None else self.oracle


def locate(rgbs: Sequence[RGB], detector: Detector, landmarks: LandmarkModel) -> list[Sample]:
    """Samples of photos, each with the landmarks of its largest face."""
    samples = []
    for rgb in rgbs:
        faces = find_faces(rgb, detector, landmarks)
        samples.append(Sample(rgb, faces[0].points if faces else None))
    return samples
