"""The attacker without weights: correlation of 24 x 24 grey thumbnails of the aligned face.

Blurred and pixelated faces that no recognizer finds are still linked by it (evaluation protocol, tier T0 `pixel-ncc`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ganonym.evaluate.attackers.attacker import stack
from ganonym.evaluate.sample import Sample
from ganonym.faces.thumbnail import SIDE, face_thumbnail
from ganonym.types import Floats


def thumbnail(sample: Sample) -> Floats | None:
    """Grey thumbnail of the aligned face with zero mean and unit variance, (576,); None without landmarks.

    A face of one grey has no pattern: all zeros.
    """
    if sample.points is None:
        return None
    grey = face_thumbnail(sample.rgb, sample.points).astype(np.float64).ravel()
    centred = grey - grey.mean()
    spread = centred.std()
    return np.asarray(centred / spread) if spread > 0 else centred


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Distance = 1 − correlation, in [0, 2]."""

    name: str = field(default="thumbnail", init=False)

    def templates(self, samples: Sequence[Sample]) -> Floats:
        """(n, 576), NaN rows where no face was found."""
        return stack([thumbnail(sample) for sample in samples], SIDE * SIDE)

    def distances(self, probes: Floats, gallery: Floats) -> Floats:
        """1 − correlation, (p, g)."""
        return np.asarray(1.0 - probes @ gallery.T / (SIDE * SIDE))

    def learn(self, templates: Floats, subjects: Sequence[str]) -> Thumbnail:  # noqa: ARG002
        """Itself: nothing is learned."""
        return self
