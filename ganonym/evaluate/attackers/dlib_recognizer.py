"""The recognizer attack that needs no download: dlib's 128-D descriptors, compared by Euclidean distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ganonym.evaluate.attackers.attacker import stack
from ganonym.evaluate.sample import Sample
from ganonym.faces.descriptor import DESCRIPTOR, describe
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class DlibRecognizer:
    """Distance = Euclidean between identity descriptors."""

    name: str = field(default="dlib", init=False)

    def templates(self, samples: Sequence[Sample]) -> Floats:
        """(n, 128), NaN rows where no face was found. Raises EnvironmentFault when the weights are missing."""
        rows = [None if each.points is None else describe(each.rgb, each.points) for each in samples]
        return stack(rows, DESCRIPTOR)

    def distances(self, probes: Floats, gallery: Floats) -> Floats:
        """Euclidean distances, (p, g)."""
        from scipy.spatial.distance import cdist

        return np.asarray(cdist(probes, gallery))

    def learn(self, templates: Floats, subjects: Sequence[str]) -> DlibRecognizer:  # noqa: ARG002
        """Itself: the network is fixed."""
        return self
