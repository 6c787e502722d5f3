"""Encoders: aligned crops → embeddings, whoever trained them. Galleries, ensembles and few-shot learners use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.learner import Arrays
from ganonym.classify.networks.iresnet import IResNet, embeddings, load_iresnet
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.onnx_session import PRESETS, SIDE, template, width
from ganonym.types import Floats
from ganonym.weights import read_tensors, sha256_file, verified_path


class FaceEncoder(Protocol):
    """Crops of `crops.ArcFaceCrop`, (n, 112, 112, 3) uint8 RGB, → embeddings (n, width), not of unit length.

    One crop's embedding does not depend on the others', nor on how many there are.
    """

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int: ...

    def __call__(self, crops: NDArray[np.uint8]) -> Floats:
        """Raises UsageError on other crops."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class IResNetEncoder:
    """An iResNet as it is, in evaluation mode: GestaltMatcher-Arc's third model is one (`read_encoder`)."""

    name: str
    network: IResNet = field(repr=False)

    @property
    def width(self) -> int:
        return self.network.form.embedding

    def __call__(self, crops: NDArray[np.uint8]) -> Floats:
        side = self.network.form.side
        return embeddings(self.network, checked(crops, side), unit=False).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedEncoder:
    """What a trained classifier sees before it decides: `embed` maps crops to (n, width), as `TrainedGestalt.embed`."""

    name: str
    width: int
    embed: Callable[[NDArray[np.uint8]], Floats] = field(repr=False)

    def __call__(self, crops: NDArray[np.uint8]) -> Floats:
        return self.embed(crops)


def read_encoder(path: Path, sha256: str) -> IResNetEncoder:
    """The iResNet in the safetensors file at `path`, whose digest must be `sha256` (hex). Named after the file.

    Raises EnvironmentFault when the file is absent, another one, or holds no iResNet.
    """
    try:
        digest = sha256_file(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot read the encoder {path}: {error.strerror}.", "Check the path.") from error
    if digest != sha256.lower():
        raise EnvironmentFault(
            f"{path} has SHA-256 {digest}, you gave {sha256}.",
            "Fetch the file again, or give the digest it should have.",
        )
    return IResNetEncoder(path.stem, load_iresnet(path))


def read_foundation(path: Path | None = None, sha256: str | None = None, bundled: str = "gestalt") -> Arrays:
    """The network that a system starts from: the file at `path`, or the one that comes along as `bundled`.

    An iResNet for all but DeepGestalt, which starts from its four region networks (`Configuration.bundled_start`). A
    file of the user's is read only when its SHA-256 is `sha256`. Raises EnvironmentFault, and UsageError for a digest
    without a file or the reverse.
    """
    if path is None:
        if sha256 is not None:
            raise UsageError("sha256 is the digest of an encoder, and none is given.", "Give both, or neither.")
        return read_tensors(verified_path(bundled))[0]
    if not path.is_file():
        raise EnvironmentFault(f"there is no file {path}.", "Give the safetensors file of a pretrained network.")
    digest = sha256_file(path)
    if sha256 is None:
        raise UsageError(f"{path} is given without its digest.", f"If you trust the file: its sha256 is {digest}")
    if digest != sha256.lower():
        raise EnvironmentFault(
            f"{path} has SHA-256 {digest}, not {sha256}.", "Give that digest as sha256 if you trust the file."
        )
    return read_tensors(path)[0]


def checked(crops: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`crops` when they are (n, side, side, 3) uint8, none at all included; raises UsageError otherwise."""
    if not len(crops):
        return np.zeros((0, side, side, 3), np.uint8)
    if crops.dtype != np.uint8 or crops.shape[1:] != (side, side, 3):
        raise UsageError(
            f"the network takes crops (n, {side}, {side}, 3) uint8, not {crops.shape} {crops.dtype}.",
            "Cut them with ganonym.classify.crops.",
        )
    return crops


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
        vectors = np.zeros((len(crops), self.width))
        for row, crop in zip(vectors, checked(crops, SIDE), strict=True):
            row[:] = template(self.path, self.sha256, self.preset, crop)
        return vectors
