"""Who looks at a face, and how: encoders as members of an ensemble, each looking at every crop in several variants.

The encoders are of files, of trained models, or the bundled one, each with its digest. GestaltMatcher looks at each
crop as it is and mirrored, in colour and grey (Hustinx et al. 2023, arXiv 2211.06764, section 3): with three encoders,
twelve vectors an image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cohort import Portrait
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.encoders import FaceEncoder, OnnxEncoder, TrainedEncoder, read_encoder
from ganonym.classify.learner import CPU, Arrays
from ganonym.classify.model_folder import Model, digest, foundation_of, load_model
from ganonym.classify.retrieval.ranking import Encodings
from ganonym.classify.systems.gestaltmatcher import TrainedGestalt
from ganonym.classify.systems.margin import TrainedMargin
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.onnx_session import SIDE, width
from ganonym.types import Progress, luma
from ganonym.weights import sha256_file, verified_path

BUNDLED = "gestalt"

BATCH = 64


@dataclass(frozen=True, slots=True)
class Variant:
    """Mirrored left to right or not, without colours or with them."""

    flip: bool
    grey: bool


VARIANTS = (Variant(False, False), Variant(False, True), Variant(True, False), Variant(True, True))


def seen(crops: NDArray[np.uint8], variant: Variant) -> NDArray[np.uint8]:
    """RGB crops (n, h, w, 3) uint8 as `variant` shows them, a new array of the same shape.

    Grey is luma (ITU-R BT.601), rounded, in all three channels, so that the same network looks at it.
    """
    shown = crops[:, :, ::-1] if variant.flip else crops
    if not variant.grey:
        return np.ascontiguousarray(shown)
    grey = np.rint(luma(shown)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)


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

    def foundation(start: str) -> Arrays:
        if start != BUNDLED:
            raise _no_vectors(folder)
        return _foundation(folder, foundations)

    model = load_model(folder, foundation, device)
    trained = model.trained
    if not isinstance(trained, TrainedGestalt | TrainedMargin):
        raise _no_vectors(folder)
    encoder = TrainedEncoder(folder.name, trained.width, trained.embed)
    return Member(encoder, trained.network.form.side, digest(trained.arrays)), model


def _no_vectors(folder: Path) -> UsageError:
    return UsageError(
        f"the model in {folder} makes no vectors to compare photographs by.",
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


def encode(
    images: Sequence[str],
    portraits: Sequence[Portrait],
    members: Sequence[Member],
    variants: Sequence[Variant] = VARIANTS,
    tell: Progress = lambda *_: None,
) -> Encodings:
    """Vectors (n, width) of each (member, variant), variants within members, of `portraits` (n) called `images`.

    Portraits have an `ArcFaceCrop` of every side that a member wants. Raises UsageError without members, ValueError
    without variants or for an image twice, and what the encoders raise.
    """
    if not members:
        raise UsageError("there is no encoder.", "Give at least one.")
    vectors = [np.zeros((len(images), member.encoder.width)) for member in members for _ in variants]
    for start in range(0, len(images), BATCH):
        part = portraits[start : start + BATCH]
        crops = {
            side: np.stack([face.crop(ArcFaceCrop(side)) for face in part])
            for side in {member.side for member in members}
        }
        pairs = [(member, variant) for member in members for variant in variants]
        for rows, (member, variant) in zip(vectors, pairs, strict=True):
            rows[start : start + BATCH] = member.encoder(seen(crops[member.side], variant))
        tell("encode", min(start + BATCH, len(images)), len(images))
    return Encodings(tuple(images), tuple(vectors))
