"""Face recognizers: dlib's, which needs no download, and those that the user brings as ONNX files.

dlib's 128-D descriptors are compared by Euclidean distance. For an ONNX file (ArcFace, AdaFace, AuraFace, SFace, or one
fed as they are) the face is aligned as these were trained: eye centres, nose tip and mouth corners by a similarity onto
five fixed places in 112 x 112 pixels (Deng et al. 2019). Nothing is downloaded, and a file runs only when its SHA-256
is the one given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.crops import ArcFaceCrop
from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Approach, Fixed, Sample, cosine, euclidean
from ganonym.faces.descriptor import DESCRIPTOR, describe
from ganonym.onnx_session import PRESETS, SIDE, template, width
from ganonym.types import RGB, Floats, Points

# Detector's and oracle's landmarks mostly agree, and a descriptor takes 0.1 s.
_latest: list[tuple[RGB, Points, Floats]] = []


@dataclass(frozen=True, slots=True)
class DlibView:
    """dlib's descriptor (128,) of the face where the detector finds it or, with `oracle`, where it is known to be."""

    oracle: bool = False
    width: int = DESCRIPTOR

    @property
    def name(self) -> str:
        return "dlib oracle" if self.oracle else "dlib"

    @property
    def words(self) -> str:
        """What reports call it."""
        return "face recognizer, position known" if self.oracle else "face recognizer"

    def template(self, sample: Sample) -> Floats | None:
        """(128,), None where no face was found. Raises EnvironmentFault when the weights are missing."""
        points = sample.place if self.oracle else sample.points
        return None if points is None else _describe_once(sample.rgb, points)


def _describe_once(rgb: RGB, points: Points) -> Floats:
    for seen, places, descriptor in _latest:
        if seen is rgb and np.array_equal(places, points):
            return descriptor
    descriptor = describe(rgb, points)
    _latest[:] = [(rgb, points, descriptor)]
    return descriptor


def _recognizer(view: DlibView) -> Fixed:
    return Fixed(view.name, view, euclidean, Approach("T1", view.words))


DLIB, DLIB_ORACLE = _recognizer(DlibView()), _recognizer(DlibView(oracle=True))


@dataclass(frozen=True, slots=True)
class OnnxView:
    """Template of the network at `path`, of the length that the network gives; `sha256` in hex, `preset` of PRESETS.

    With `oracle` the face is taken where it is known to be. Raises UsageError when there is no such preset.
    """

    path: Path
    sha256: str
    preset: str
    oracle: bool = False

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"no recognizer preset {self.preset!r}.", f"There are {', '.join(PRESETS)}.")

    @property
    def name(self) -> str:
        return f"{self.path.stem} ({self.preset}){' oracle' if self.oracle else ''}"

    @property
    def width(self) -> int:
        """Length of a template. Raises EnvironmentFault as `template` does."""
        return width(self.path, self.sha256)

    def template(self, sample: Sample) -> NDArray[np.float32] | None:
        """(width,) as the network gives it, None where no face was found.

        Raises EnvironmentFault when onnxruntime or the file is missing, the file is another one, is no such network, or
        answers with what no face can be compared by.
        """
        points = sample.place if self.oracle else sample.points
        if points is None:
            return None
        return template(self.path, self.sha256, self.preset, ArcFaceCrop(SIDE)(sample.rgb, points))


def recognizer(view: OnnxView) -> Fixed:
    """The attacker that compares the network's templates by cosine."""
    return Fixed(view.name, view, cosine, Approach("T2"))


def parse_recognizer(text: str) -> OnnxView:
    """The recognizer of `onnx:PATH:PRESET:SHA256`. Raises UsageError when `text` is none.

    >>> parse_recognizer("onnx:models/glintr100.onnx:auraface:" + 64 * "0").name
    'glintr100 (auraface)'
    """
    kind, _, rest = text.partition(":")
    parts = rest.rsplit(":", 2)
    if kind != "onnx" or len(parts) != 3 or not parts[0]:
        raise UsageError(f"{text!r} is no recognizer.", "Write onnx:PATH:PRESET:SHA256.")
    path, preset, digest = parts
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise UsageError(f"{digest!r} is no SHA-256.", f"sha256sum {path} prints it, 64 hex digits.")
    return OnnxView(Path(path), digest.lower(), preset)
