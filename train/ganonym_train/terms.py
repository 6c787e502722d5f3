"""Terms of the training loss beyond those of ganonym.synthesis.losses, and what each one weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import UsageError

Landmarker = Callable[[Tensor], Tensor]
MARGIN = 0.3
PENALTY_EVERY = 16


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term weighs. 0 leaves it out; for `augmentation`, the critic sees every picture as it is.

    Samples have no target: they are held to their surrogate in the coarse.
    `surrogate` is no term: it scales what the generator sees of the texture. At 0 it draws from the outlines of the
    parts alone, as pix2pix on landmarks does; that is for comparison.
    """

    energy: float = 5.0
    features: float = 1.0
    adversarial: float = 0.3
    perceptual: float = 2.0
    coarse: float = 10.0
    landmarks: float = 2.0
    repulsion: float = 1.0
    likeness: float = 2.0
    penalty: float = 0.1
    augmentation: float = 1.0
    surrogate: float = 1.0

    def without(self, terms: Sequence[str]) -> Weights:
        """These weights with `terms` at 0. Raises UsageError for a name that is none."""
        known = [field.name for field in fields(self)]
        for term in terms:
            if term not in known:
                raise UsageError(f"{term} is no term of the loss.", f"There are: {', '.join(known)}.")
        return replace(self, **dict.fromkeys(terms, 0.0))


WEIGHTS = Weights()


@dataclass(frozen=True, slots=True)
class FaceNetwork:
    """A fixed face network: whole canvases (n, 3, 256, 256) in −1…1 → unit vectors (n, d), and feature maps.

    Not the network that judges the results: agreement with a judge must not be trained for.
    """

    embed: Callable[[Tensor], Tensor]
    features: Callable[[Tensor], list[Tensor]]


def landmark_consistency(output: Tensor, points: Tensor, landmarker: Landmarker) -> Tensor:
    """Mean distance of the landmarks found in `output` (n, 3, 256, 256) to `points` (n, 68, 2) px.

    In interocular distances, over points and pictures. `landmarker` is differentiable and returns pixels.
    """
    interocular = (points[:, 36:42].mean(dim=1) - points[:, 42:48].mean(dim=1)).norm(dim=1)
    distance: Tensor = (landmarker(output) - points).norm(dim=2).mean(dim=1) / interocular
    return distance.mean()


def identity_repulsion(vectors: Tensor, gallery: Tensor, margin: float = MARGIN) -> Tensor:
    """How far the cosine similarity of `vectors` (n, d) to the nearest of `gallery` (m, d) exceeds `margin`; mean.

    Both of unit length.

    >>> identity_repulsion(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [0.0, 1.0]])).item()
    0.30000001192092896
    """
    return functional.relu((vectors @ gallery.T).amax(dim=1) - margin).mean()


def feature_distance(output: Tensor, target: Tensor, features: Callable[[Tensor], list[Tensor]]) -> Tensor:
    """Mean L1 between the feature maps of pictures (n, 3, 256, 256), each map in units of the target's mean size."""
    with torch.no_grad():
        wanted = features(target)
    pairs = zip(features(output), wanted, strict=True)
    return torch.stack([(found - want).abs().mean() / (want.abs().mean() + 1e-6) for found, want in pairs]).mean()


def gradient_penalty(discriminator: nn.Module, real: Tensor, parts: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): how steep the scores are at real images (n, 3, h, w), per patch.

    The squared gradient of the sum of all patch scores, summed over the image, divided by the number of patches.
    """
    images = real.detach().requires_grad_(True)
    scores = torch.cat([scale[-1].flatten(1) for scale in discriminator(images, parts)], dim=1)
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().sum() / scores.numel()
