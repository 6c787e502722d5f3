"""Encoders as members of an ensemble: of files, of trained models, or the bundled one, each with its digest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganonym.classify.encoders import FaceEncoder, OnnxEncoder, TrainedEncoder, read_encoder
from ganonym.classify.learning.fit import CPU
from ganonym.classify.model_folder import Model, digest, foundation_of, load_model
from ganonym.classify.system import Arrays
from ganonym.classify.systems.gestaltmatcher import TrainedGestalt
from ganonym.classify.systems.margin import TrainedMargin
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.onnx_session import SIDE, width
from ganonym.weights import sha256_file, verified_path

BUNDLED = "gestalt"


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """An encoder of crops of `side` px; `digest` says which weights it has and how it is fed."""

    encoder: FaceEncoder
    side: int
    digest: str


def bundled(device: str = CPU) -> Member:
    """The gestalt encoder that comes along: it can tell virtual people apart. Raises EnvironmentFault."""
    path = verified_path(BUNDLED)
    return of_file(path, sha256_file(path), device)


def of_file(path: Path, sha256: str, device: str = CPU) -> Member:
    """The iResNet in a safetensors file, computing on `device`. Raises EnvironmentFault as `read_encoder` does."""
    encoder = read_encoder(path, sha256)
    encoder.network.to(device)
    return Member(encoder, encoder.network.form.side, sha256.lower())


def of_onnx(path: Path, sha256: str, preset: str = "arcface") -> Member:
    """A network of the user's. Raises UsageError and EnvironmentFault as `OnnxEncoder` does, for a bad file at once."""
    encoder = OnnxEncoder(path, sha256, preset)
    width(path, sha256)  # reads the file
    return Member(encoder, SIDE, f"{sha256.lower()} {preset}")


def of_model(folder: Path, foundations: Sequence[Callable[[], Arrays]], device: str = CPU) -> tuple[Member, Model]:
    """What a trained model sees before it decides; `foundations` are read until its own recognizer is among them.

    Raises UsageError when it is of a system that makes no vectors of single crops, EnvironmentFault as `load_model`.
    """

    def found(kind: str) -> Arrays:
        if kind not in ("gestaltmatcher", "margin"):
            raise _no_vectors(folder, kind)
        return _foundation(folder, foundations)

    model = load_model(folder, found, device)
    trained = model.trained
    if not isinstance(trained, TrainedGestalt | TrainedMargin):
        raise _no_vectors(folder, model.recipe.system)
    encoder = TrainedEncoder(folder.name, trained.width, trained.embed)
    return Member(encoder, trained.network.form.side, digest(trained.arrays)), model


def _no_vectors(folder: Path, kind: str) -> UsageError:
    return UsageError(
        f"{folder} is a model of {kind}, which makes no vectors to compare photographs by.",
        "Give one of gestaltmatcher or of a margin head.",
    )


def _foundation(folder: Path, foundations: Sequence[Callable[[], Arrays]]) -> Arrays:
    wanted = foundation_of(folder)
    for read in foundations:
        arrays = read()
        if digest(arrays) == wanted:
            return arrays
    raise EnvironmentFault(
        f"the model in {folder} started from another recognizer.", "Give its file with --base and --base-sha256."
    )
