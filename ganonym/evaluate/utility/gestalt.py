"""What the classifier core sees in a face: embeddings of the bundled gestalt encoder, which judges utility.

No attacker uses it: whoever attacks with the encoder that judges would be judged by the attack.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.networks.iresnet import IResNet, embeddings, load_iresnet
from ganonym.evaluate.sample import Sample
from ganonym.types import Floats
from ganonym.weights import verified_path

WEIGHTS_NAME = "gestalt"


@dataclass(frozen=True, slots=True)
class GestaltView:
    """The embedding as a view, so that it is computed where the photo is read. No attacker compares it."""

    name: str = "gestalt"
    width: int = 128

    def template(self, sample: Sample) -> Floats | None:
        """(128,) of unit length, None without landmarks. Raises EnvironmentFault when the weights lack."""
        if sample.points is None:
            return None
        network = _network()
        crop = ArcFaceCrop(network.form.side)(sample.rgb, sample.points)
        return np.asarray(embeddings(network, crop[None])[0], dtype=np.float64)


@cache
def _network() -> IResNet:
    """Once a process: each loading verifies the weights."""
    return load_iresnet(verified_path(WEIGHTS_NAME))
