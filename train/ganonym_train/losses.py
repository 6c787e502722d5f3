"""Terms of the generator's and the critic's loss, what each one weighs, and the fixed networks that some ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import UsageError

Scores = list[list[Tensor]]


def discriminator_hinge(real: Scores, fake: Scores) -> Tensor:
    """Hinge loss over patch scores, averaged over scales (Lim & Ye 2017)."""
    terms = [
        functional.relu(1 - r[-1]).mean() + functional.relu(1 + f[-1]).mean() for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def generator_hinge(fake: Scores) -> Tensor:
    """What the generator wants: high patch scores."""
    return -torch.stack([f[-1].mean() for f in fake]).mean()


def feature_matching(real: Scores, fake: Scores) -> Tensor:
    """Mean L1 between the discriminator's features of paired images (Wang et al. 2018, pix2pixHD)."""
    terms = [
        functional.l1_loss(f, r.detach())
        for rs, fs in zip(real, fake, strict=True)
        for r, f in zip(rs[:-1], fs[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


ENERGY_BANDS, NEIGHBOURHOOD = 3, 16


def band_energy(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the local strength of detail, mean |band| over 16 × 16 pixels, in the three finest bands.

    Where detail lies in a neighbourhood is free, and a picture as sharp as its target costs nothing: the condition
    cannot tell where each hair and pore lies, and whoever is asked for it does best by adding none.

    >>> noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> bool(band_energy(noise.flip(-1), noise) < 0.2 * band_energy(0 * noise, noise))
    True
    """
    total = output.new_zeros(())
    for level in range(ENERGY_BANDS):
        coarse, wanted = smooth(output, level), smooth(target, level)
        strength, asked = (output - coarse).abs(), (target - wanted).abs()
        total = total + functional.avg_pool2d(strength - asked, NEIGHBOURHOOD).abs().mean()
        output, target = coarse, wanted
    return total


def smooth(image: Tensor, level: int) -> Tensor:
    """`image` (n, c, h, w) through the binomial filter 1 4 6 4 1 with its taps 2^level px apart, mirrored at the edges.

    Not decimated ("à trous", Holschneider et al. 1989): a loss on pooled pyramids has a grid, and networks draw it.
    """
    step, channels = 2**level, image.shape[1]
    taps = image.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    across = taps.reshape(1, 1, 1, 5).expand(channels, 1, 1, 5)
    padded = functional.pad(image, (2 * step,) * 4, mode="reflect")
    rows = functional.conv2d(padded, across, groups=channels, dilation=(1, step))
    return functional.conv2d(rows, across.transpose(2, 3), groups=channels, dilation=(step, 1))


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
        terms_of_loss = [field.name for field in fields(self)]
        for term in terms:
            if term not in terms_of_loss:
                raise UsageError(f"{term} is no term of the loss.", f"There are: {', '.join(terms_of_loss)}.")
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
    return torch.stack([(map_ - want).abs().mean() / (want.abs().mean() + 1e-6) for map_, want in pairs]).mean()


def gradient_penalty(discriminator: nn.Module, real: Tensor, parts: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): how steep the scores are at real images (n, 3, h, w), per patch.

    The squared gradient of the sum of all patch scores, summed over the image, divided by the number of patches.
    """
    images = real.detach().requires_grad_(True)
    scores = torch.cat([scale[-1].flatten(1) for scale in discriminator(images, parts)], dim=1)
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().sum() / scores.numel()


def landmarker_of(path: Path) -> Landmarker:
    """Pictures (n, 3, 256, 256) in −1…1 → landmarks (n, 68, 2) in canvas pixels, by the landmark network at `path`.

    Raises EnvironmentFault for weights of anything else.
    """
    from ganonym.faces.landmark_network import load_landmark_network, points_on_canvas

    network = deepcopy(load_landmark_network(path))
    return lambda pictures: points_on_canvas(network.to(pictures.device), pictures)


def face_network_of(path: Path) -> FaceNetwork:
    """The encoder whose weights are at `path`, for the identity terms. Raises EnvironmentFault for anything else.

    Not the bundled weights, which judge the results: train others with another seed.
    """
    from ganonym.faces.encoder import load_encoder, to_input

    network = deepcopy(load_encoder(path))

    def embed(pictures: Tensor) -> Tensor:
        vectors: Tensor = network.to(pictures.device)(to_input(pictures))
        return vectors

    def features(pictures: Tensor) -> list[Tensor]:
        network.to(pictures.device)
        x, maps = to_input(pictures), []
        for layer in (network.stem, network.at28, network.at14, network.at7):
            x = layer(x)
            maps.append(x)
        return maps

    return FaceNetwork(embed, features)
