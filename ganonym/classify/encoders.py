"""Encoders: aligned crops → embeddings, whoever trained them. Galleries, ensembles and few-shot learners use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.networks.iresnet import IResNet, embeddings, load_iresnet
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Floats
from ganonym.weights import sha256_file


class FaceEncoder(Protocol):
    """Crops of `crops.arcface`, (n, 112, 112, 3) uint8 RGB, → embeddings (n, width), not of unit length.

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
        found = sha256_file(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot read the encoder {path}: {error.strerror}.", "Check the path.") from error
    if found != sha256.lower():
        raise EnvironmentFault(
            f"{path} has SHA-256 {found}, you gave {sha256}.",
            "Fetch the file again, or give the digest it should have.",
        )
    return IResNetEncoder(path.stem, load_iresnet(path))


def checked(crops: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`crops` when they are (n, side, side, 3) uint8, none at all included; raises UsageError otherwise."""
    if not len(crops):
        return np.zeros((0, side, side, 3), np.uint8)
    if crops.dtype != np.uint8 or crops.shape[1:] != (side, side, 3):
        raise UsageError(
            f"the network takes crops (n, {side}, {side}, 3) uint8, not {crops.shape} {crops.dtype}.",
            "Cut them with ganonym.classify.crops.arcface.",
        )
    return crops
