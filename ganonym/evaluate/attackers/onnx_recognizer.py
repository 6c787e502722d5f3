"""A recognizer that the user brings as an ONNX file: ArcFace, AdaFace, AuraFace, SFace, or one fed as they are.

The face is aligned as these were trained: eye centres, nose tip and mouth corners by a similarity onto five fixed
places in 112 x 112 pixels (Deng et al. 2019). Nothing is downloaded, and a file runs only when its SHA-256 is the one
given.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.attackers.attacker import Fixed
from ganonym.evaluate.attackers.lessons import cosine
from ganonym.evaluate.sample import Sample
from ganonym.faces.align import crop, similarity
from ganonym.types import RGB, Points

SIDE = 112
# Image left eye, image right eye, nose tip, image left and right mouth corner.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


@dataclass(frozen=True, slots=True)
class Preset:
    """What a network wants of the aligned face: order of the colours, and (value − `offset`) / `scale`."""

    bgr: bool
    offset: float
    scale: float


PRESETS = {
    "arcface": Preset(bgr=False, offset=127.5, scale=127.5),
    "auraface": Preset(bgr=False, offset=127.5, scale=127.5),
    "adaface": Preset(bgr=True, offset=127.5, scale=127.5),
    # OpenCV's FaceRecognizerSF loads BGR and swaps: its network is fed RGB, 0…255 as they are.
    "sface": Preset(bgr=False, offset=0.0, scale=1.0),
}


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
        return _width(self.path, self.sha256)

    def template(self, sample: Sample) -> NDArray[np.float32] | None:
        """(width,) as the network gives it, None where no face was found.

        Raises EnvironmentFault when onnxruntime or the file is missing, the file is another one, is no such network, or
        answers with what no face can be compared by.
        """
        points = sample.place if self.oracle else sample.points
        if points is None:
            return None
        found = _run(self.path, self.sha256, fed(aligned(sample.rgb, points), PRESETS[self.preset]))
        if not np.isfinite(found).all() or not found.any():
            raise EnvironmentFault(f"{self.path} answers a face with no usable template.", "Check model and preset.")
        return found


def aligned(rgb: RGB, points: Points) -> RGB:
    """The face with landmarks `points` (68, 2) as (112, 112, 3); black outside the photo."""
    five = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
    return crop(rgb, similarity(five, PLACES), SIDE)


def fed(face: RGB, preset: Preset) -> NDArray[np.float32]:
    """The network's input (1, 3, 112, 112)."""
    channels = face[..., ::-1] if preset.bgr else face
    return np.ascontiguousarray(((channels.astype(np.float32) - preset.offset) / preset.scale).transpose(2, 0, 1)[None])


def recognizer(view: OnnxView) -> Fixed:
    """The attacker that compares the network's templates by cosine."""
    return Fixed(view.name, "T2", view, cosine)


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


@cache
def _session(path: Path, sha256: str) -> Any:
    """The network, one thread on the CPU, once a process."""
    try:
        import onnxruntime
    except ImportError as error:
        raise EnvironmentFault(
            f"onnxruntime is needed to run {path} and is not installed.", "pip install ganonym[onnx]"
        ) from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"cannot read the recognizer {path}: {error.strerror}.", "Check the path.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise EnvironmentFault(
            f"{path} has SHA-256 {found}, you gave {sha256}.",
            "Fetch the file again, or give the digest it should have.",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        # From bytes: what runs is what was hashed, and weights in other files are not followed.
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no other base
        raise EnvironmentFault(f"{path} is no ONNX network that runs here ({error}).", "Export it anew.") from error
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or not _fits(shape):
        raise EnvironmentFault(
            f"{path} takes {[(each.type, each.shape) for each in inputs]}, "
            f"not one float picture (1, 3, {SIDE}, {SIDE}).",
            "Only recognizers of aligned faces of this size can be used.",
        )
    return session


def _fits(shape: list[Any]) -> bool:
    """Whether a network's input takes (1, 3, 112, 112); names and None stand for any size."""
    wanted = (1, 3, SIDE, SIDE)
    pairs = zip(shape, wanted, strict=True) if len(shape) == len(wanted) else [(0, 1)]
    return all(not isinstance(size, int) or size == needed for size, needed in pairs)


def _run(path: Path, sha256: str, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    session = _session(path, sha256)
    try:
        found = np.asarray(session.run(None, {session.get_inputs()[0].name: picture})[0], dtype=np.float32)
    except Exception as error:  # as above
        raise EnvironmentFault(f"{path} fails on a picture ({error}).", "Export it anew.") from error
    return found.ravel()


@cache
def _width(path: Path, sha256: str) -> int:
    return len(_run(path, sha256, np.zeros((1, 3, SIDE, SIDE), dtype=np.float32)))
