"""An encoder that the user brings as an ONNX file, run by onnxruntime (`ganonym.onnx_session`).

Whether a network is ONNX is a matter of its type here. (GestaltMatcher-Arc tells by the length of the answer, which
holds for batches of one only.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.encoders import checked
from ganonym.errors import UsageError
from ganonym.onnx_session import PRESETS, SIDE, template, width
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class OnnxEncoder:
    """The network at `path`; `sha256` in hex, `preset` of `onnx_session.PRESETS`: "arcface" for insightface's networks.

    Raises UsageError when there is no such preset. The file is read when the first crop comes.
    """

    path: Path
    sha256: str
    preset: str = "arcface"

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"no preset {self.preset!r}.", f"There are {', '.join(PRESETS)}.")

    @property
    def name(self) -> str:
        return f"{self.path.stem} ({self.preset})"

    @property
    def width(self) -> int:
        """Length of an embedding. Raises EnvironmentFault as the encoder does."""
        return width(self.path, self.sha256)

    def __call__(self, crops: NDArray[np.uint8]) -> Floats:
        """(n, width) of crops (n, 112, 112, 3) uint8 RGB, run one by one, so that no crop sees another.

        Raises UsageError on other crops; EnvironmentFault when onnxruntime or the file is missing, the file is not the
        one with this digest, is no network of such crops, or answers with what no face can be compared by.
        """
        found = np.zeros((len(crops), self.width))
        for row, crop in zip(found, checked(crops, SIDE), strict=True):
            row[:] = template(self.path, self.sha256, self.preset, crop)
        return found
