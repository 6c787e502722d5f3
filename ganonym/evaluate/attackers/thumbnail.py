"""The attacker without weights: correlation of 24 x 24 grey thumbnails of the aligned face.

Blurred and pixelated faces that no recognizer finds are still linked by it (evaluation protocol, tier T0 `pixel-ncc`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ganonym.evaluate.attackers.attacker import stack
from ganonym.evaluate.sample import Sample
from ganonym.faces.align import crop, similarity
from ganonym.types import Floats

SIDE = 24
# Where the eyes' centres and the mouth's centre lie in the thumbnail: the face from brows to chin fills it.
ANCHORS = np.array([[7.0, 8.0], [16.0, 8.0], [11.5, 17.5]])


def thumbnail(sample: Sample) -> Floats | None:
    """Grey thumbnail of the aligned face with zero mean and unit variance, (576,); None without landmarks.

    A face of one grey has no pattern: all zeros.
    """
    if sample.points is None:
        return None
    points = sample.points
    anchors = np.array([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[48:60].mean(axis=0)])
    grey = crop(sample.rgb, similarity(anchors, ANCHORS), SIDE).astype(np.float64) @ [0.299, 0.587, 0.114]
    centred = grey.ravel() - grey.mean()
    spread = centred.std()
    # Grey levels are integers: anything below a thousandth of a level is rounding.
    return centred / spread if spread > 1e-3 else np.zeros(SIDE * SIDE)


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
