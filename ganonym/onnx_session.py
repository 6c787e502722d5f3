"""ONNX networks, run by onnxruntime and checked by SHA-256; those that the user brings are fed one aligned face.

Nothing is downloaded, and what runs is what was hashed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault
from ganonym.types import RGB

SIDE = 112


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a network wants of the aligned face: order of the colours, and (value − `offset`) / `scale`."""

    bgr: bool
    offset: float
    scale: float


PRESETS = {
    "arcface": Preprocessing(bgr=False, offset=127.5, scale=127.5),
    "auraface": Preprocessing(bgr=False, offset=127.5, scale=127.5),
    "adaface": Preprocessing(bgr=True, offset=127.5, scale=127.5),
    # OpenCV's FaceRecognizerSF loads BGR and swaps: its network is fed RGB, 0…255 as they are.
    "sface": Preprocessing(bgr=False, offset=0.0, scale=1.0),
}


def fed(face: RGB, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The network's input (1, 3, 112, 112) of an aligned face (112, 112, 3)."""
    channels = face[..., ::-1] if preprocessing.bgr else face
    return np.ascontiguousarray(
        ((channels.astype(np.float32) - preprocessing.offset) / preprocessing.scale).transpose(2, 0, 1)[None]
    )


def template(path: Path, sha256: str, preset: str, face: RGB) -> NDArray[np.float32]:
    """What the network at `path` gives for an aligned face (112, 112, 3), flat; `preset` of PRESETS.

    One face at a time, because many exported networks take no other batch. Raises EnvironmentFault when onnxruntime or
    the file is missing, the file is not the one with digest `sha256` (hex), takes other pictures, fails, or answers
    with what no face can be compared by.
    """
    answer = _run(path, sha256, fed(face, PRESETS[preset]))
    if not np.isfinite(answer).all() or not answer.any():
        raise EnvironmentFault(f"{path} answers a face with no usable template.", "Check model and preset.")
    return answer


@cache
def width(path: Path, sha256: str) -> int:
    """Length of a template. Raises EnvironmentFault as `template` does."""
    return len(_run(path, sha256, np.zeros((1, 3, SIDE, SIDE), dtype=np.float32)))


def _run(path: Path, sha256: str, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    session = _session(path, sha256)
    try:
        answer = np.asarray(session.run(None, {session.get_inputs()[0].name: picture})[0], dtype=np.float32)
    except Exception as error:  # as in `open_network`
        raise EnvironmentFault(f"{path} fails on a picture ({error}).", "Export it anew.") from error
    return answer.ravel()


@cache
def _session(path: Path, sha256: str) -> Any:
    """The recognizer, checked to take one aligned face."""
    session = open_network(path, sha256)
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or not _fits(shape):
        raise EnvironmentFault(
            f"{path} takes {[(tensor.type, tensor.shape) for tensor in inputs]}, "
            f"not one float picture (1, 3, {SIDE}, {SIDE}).",
            "Only recognizers of aligned faces of this size can be used.",
        )
    return session


@cache
def open_network(path: Path, sha256: str) -> Any:
    """The onnxruntime session of the file with digest `sha256` (hex): one thread on the CPU, once a process.

    Raises EnvironmentFault when onnxruntime or the file is missing, is another file, or no network that runs here.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EnvironmentFault(
            f"onnxruntime is needed to run {path} and cannot be imported ({error}).", "Reinstall ganonym."
        ) from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"cannot read the network {path}: {error.strerror}.", "Check the path.") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256.lower():
        raise EnvironmentFault(
            f"{path} has SHA-256 {digest}, you gave {sha256}.",
            "Fetch the file again, or give the digest it should have.",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        # From bytes: what runs is what was hashed, and weights in other files are not followed.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no other base
        raise EnvironmentFault(f"{path} is no ONNX network that runs here ({error}).", "Export it anew.") from error


def _fits(shape: list[Any]) -> bool:
    """Whether a network's input takes (1, 3, 112, 112); names and None stand for any size."""
    wanted = (1, 3, SIDE, SIDE)
    pairs = zip(shape, wanted, strict=True) if len(shape) == len(wanted) else [(0, 1)]
    return all(not isinstance(size, int) or size == needed for size, needed in pairs)
