"""Features of networks that judge utility, and the rows of the assessment made of them: KID and LPIPS.

KID uses the bundled encoder, which sees who is shown; LPIPS uses AlexNet, which sees what stayed the same. Both are
reported and decide nothing. Syndromes are judged by the bundled gestalt encoder. No attacker uses these networks: an
attack with the encoder that judges would judge itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.networks.iresnet import IResNet, embeddings, load_iresnet
from ganonym.errors import EnvironmentFault
from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.rows import mean_of, not_evaluated, reported
from ganonym.faces.align import apply, crop
from ganonym.faces.aligned import upright
from ganonym.statistics.intervals import Estimate
from ganonym.synthesis.quality import kernel_distance
from ganonym.types import CANVAS, RGB, Floats, Points
from ganonym.weights import read_manifest, verified_path

if TYPE_CHECKING:
    from ganonym.faces.appearance import AppearanceModel
    from ganonym.faces.encoder import Encoder
    from ganonym.synthesis.perceptual import Perceptual


REALISM = "realism"
LPIPS = "lpips-alex"
REMEDY = (
    "Write the state of lpips.LPIPS(net='alex') with safetensors.torch.save_model into a folder, name the file and its "
    f"sha256 under [{LPIPS}] in a manifest.toml there, and set GANONYM_WEIGHTS to the folder."
)
FEWEST_FACES = 20


def face_features(sample: Sample) -> Floats | None:
    """Features (128,) by the bundled encoder of the face on the neutral backdrop; None without landmarks.

    Raises EnvironmentFault when its weights are missing or altered.
    """
    from ganonym.evaluate.pictures import on_neutral_backdrop
    from ganonym.faces.encoder import encode

    if sample.points is None:
        return None
    canvas, points = _canvas(sample.rgb, sample.points)
    model, encoder = _models()
    return np.asarray(encode([on_neutral_backdrop(canvas, points, model)], encoder)[0])


@cache
def _models() -> tuple[AppearanceModel, Encoder]:
    """Once a process: each loading verifies the weights."""
    from ganonym.faces.appearance import load_appearance
    from ganonym.faces.encoder import load_encoder

    return load_appearance(), load_encoder()


@dataclass(frozen=True, slots=True)
class EncoderView:
    """`face_features` as a view, so that they are computed where the photo is read. No attacker compares them."""

    name: str = "features"
    width: int = 128

    def template(self, sample: Sample) -> Floats | None:
        """(128,), None without landmarks. Raises EnvironmentFault as `face_features`."""
        return face_features(sample)


def lpips_weights(folder: Path | None = None) -> Path:
    """The LPIPS weights in `folder`, or in the environment's GANONYM_WEIGHTS, their SHA-256 checked.

    The digest is pinned in that folder's `manifest.toml`, as for every other network that the user brings. Raises
    EnvironmentFault with the remedy when they are absent, altered or not named there; nothing is ever downloaded.
    """
    named = os.environ.get("GANONYM_WEIGHTS")
    folder = folder or (Path(named) if named else None)
    if folder is None:
        raise EnvironmentFault("LPIPS has no weights here: no folder of weights is named.", REMEDY)
    if not (folder / "manifest.toml").is_file() or LPIPS not in read_manifest(folder):
        raise EnvironmentFault(f"LPIPS has no weights in {folder}: its manifest.toml names none.", REMEDY)
    return verified_path(LPIPS, folder)


@dataclass(frozen=True, slots=True)
class PerceptualDistance:
    """LPIPS (Zhang et al. 2018) of two faces aligned at 256 px, with the weights at `path`; made by `lpips_weights`."""

    path: Path

    def __call__(self, original: Sample, released: Sample) -> float:
        """0 = the same picture; NaN where either has no landmarks. Raises EnvironmentFault for other weights."""
        import torch

        if original.place is None or released.place is None:
            return float("nan")
        pair = [
            torch.from_numpy(_canvas(sample.rgb, points)[0]).permute(2, 0, 1)[None].float() / 127.5 - 1
            for sample, points in ((original, original.place), (released, released.place))
        ]
        with torch.inference_mode():
            return float(_network(self.path)(*pair))


def distances(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """KID of released faces against originals, beside that between two halves of the originals' subjects; LPIPS."""
    yield _kid(inputs, rng)
    if inputs.perceptual is None or not np.isfinite(inputs.perceptual).any():
        yield not_evaluated(REALISM, "LPIPS", f"It was not measured. {REMEDY}")
        return
    measured = np.isfinite(inputs.perceptual)
    subjects = [subject for subject, keep in zip(inputs.subjects, measured, strict=True) if keep]
    note = "Distance of each released face from its original; 0 is a copy."
    yield reported(REALISM, "LPIPS", mean_of(inputs.perceptual[measured]), subjects, rng, note=note)


def _kid(inputs: UtilityInputs, rng: np.random.Generator) -> Utility:
    name = "KID in the bundled encoder's features"
    if inputs.original_features is None or inputs.released_features is None:
        return not_evaluated(REALISM, name, "Features were not computed.")
    width = inputs.original_features.shape[1]
    before, after = (features * np.sqrt(width) for features in (inputs.original_features, inputs.released_features))
    finite = np.isfinite(before).all(axis=1), np.isfinite(after).all(axis=1)
    if min(side.sum() for side in finite) < FEWEST_FACES:
        return not_evaluated(REALISM, name, f"Fewer than {FEWEST_FACES} faces on one side.")
    people = sorted(set(inputs.subjects))
    half = set(rng.permutation(people)[: len(people) // 2].tolist())
    mine = np.array([subject in half for subject in inputs.subjects])
    one, other = before[finite[0] & mine], before[finite[0] & ~mine]
    floor = _estimate(one, other, rng) if min(len(one), len(other)) >= FEWEST_FACES // 2 else None
    note = "The original's value is between two halves of the originals. A face encoder's view: identity, not pores."
    return Utility(
        family=REALISM,
        name=name,
        original=floor,
        released=_estimate(before[finite[0]], after[finite[1]], rng),
        difference=None,
        margin=None,
        decision="reported",
        note=note,
    )


def _estimate(real: Floats, fake: Floats, rng: np.random.Generator) -> Estimate:
    found = kernel_distance(real, fake, rng)
    return Estimate(value=found.value, low=found.low, high=found.high)


def _canvas(rgb: RGB, points: Points) -> tuple[RGB, Points]:
    """The face on the 256 px canvas, and its landmarks there."""
    matrix = upright(points, CANVAS)
    return crop(rgb, matrix, CANVAS), apply(matrix, points)


@cache
def _network(path: Path) -> Perceptual:
    from ganonym.synthesis.perceptual import Perceptual

    return Perceptual(path)


GESTALT = "gestalt"


@dataclass(frozen=True, slots=True)
class GestaltView:
    """The embedding as a view, so that it is computed where the photo is read. No attacker compares it."""

    name: str = "gestalt"
    width: int = 128

    def template(self, sample: Sample) -> Floats | None:
        """(128,) of unit length, None without landmarks. Raises EnvironmentFault when the weights lack."""
        if sample.points is None:
            return None
        network = _gestalt_network()
        crop = ArcFaceCrop(network.form.side)(sample.rgb, sample.points)
        return np.asarray(embeddings(network, crop[None])[0], dtype=np.float64)


@cache
def _gestalt_network() -> IResNet:
    """Once a process: each loading verifies the weights."""
    return load_iresnet(verified_path(GESTALT))
