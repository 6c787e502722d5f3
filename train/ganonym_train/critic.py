"""The critic of training, a conditional PatchGAN at two scales, and how what it sees is varied.

Real and fake are shifted, cut and recoloured at random and alike, so that it cannot learn by heart: adaptive
discriminator augmentation (Karras et al. 2020) with the transformations of DiffAugment (Zhao et al. 2020).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ganonym.faces.condition import PARTS
from ganonym_train.losses import smooth

EMPHASIS = 6.0


class Patches(nn.Module):
    """One PatchGAN (Isola et al. 2017): the features of every layer, the patch scores last.

    With spectral norm (Miyato et al. 2018) and pixel norm (Karras et al. 2018). It sees the part maps, so a face whose
    parts stand elsewhere is caught.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        widths = (3 + len(PARTS), width, width * 2, width * 4)
        self.layers = nn.ModuleList(
            [spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths)]
            + [spectral_norm(nn.Conv2d(width * 4, width * 4, 3, padding=1))]
        )
        self.score = spectral_norm(nn.Conv2d(width * 4, 1, 3, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(_pixel_norm(layer(x)), 0.2)
            features.append(x)
        return [*features, self.score(x)]


class Discriminator(nn.Module):
    """Patches at full and half resolution: image (n, 3, h, w) and part maps (n, 7, h, w) → two feature lists."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.fine = Patches(width)
        self.coarse = Patches(width)

    def forward(self, image: Tensor, parts: Tensor) -> list[list[Tensor]]:
        half, half_parts = functional.avg_pool2d(image, 2), functional.avg_pool2d(parts, 2)
        return [
            self.fine(torch.cat([_emphasised(image), parts], dim=1)),
            self.coarse(torch.cat([_emphasised(half), half_parts], dim=1)),
        ]


def _emphasised(image: Tensor) -> Tensor:
    """`image` with its two finest bands seven times as strong.

    Surrogates and photographs differ by a few grey levels of detail. Under spectral norm a critic of plain pictures
    stayed at chance; with this it tells them apart after 100 steps.
    """
    return image + EMPHASIS * (image - smooth(smooth(image, 0), 1))


def _pixel_norm(x: Tensor) -> Tensor:
    """Unit mean square over the channels of each place.

    Not instance norm: its statistics span the picture, and a generator learns to game them with a few bright specks.
    """
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)


SHIFT = 1 / 8  # of the crop's size, either way
CUT = (0.04, 0.15)  # of the crop's area
COLOUR = 0.2
TARGET = 0.6  # of the real scores, the mean sign to keep to
ITEMS = 40_000  # images in which the probability can go from 0 to 1


def augment(
    first: Tensor, second: Tensor, parts: Tensor, probability: float, seed: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Two images (n, 3, h, w) in −1…1 and the part maps (n, k, h, w) of both, transformed alike.

    Differentiable in `first`; the others are constants. Each of shift, cutout and colour befalls a row with
    `probability`; of row i all three tensors are moved and cut at the same place, and both images recoloured alike. A
    function of its arguments: `seed` decides every draw, and the global generators are left as they were. Probability
    0 returns the arguments.
    """
    if probability <= 0:
        return first, second, parts
    import kornia.augmentation as transforms

    height, width = first.shape[-2:]
    number = torch.Generator().manual_seed(_one_number(seed))
    shifted, cut, coloured = (
        (torch.rand(len(first), generator=number) < probability).nonzero()[:, 0].to(first.device) for _ in range(3)
    )
    # kornia draws from the global generator of the CPU.
    with torch.random.fork_rng(devices=[]), torch.autocast(first.device.type, enabled=False):
        torch.manual_seed(int(torch.randint(2**62, (), generator=number)))
        pad = (round(height * SHIFT), round(width * SHIFT))
        shift = transforms.RandomCrop((height, width), padding=pad, padding_mode="reflect")
        erase = transforms.RandomErasing(p=1.0, scale=CUT, ratio=(0.5, 2.0), value=0.0)
        colour = transforms.ColorJitter(COLOUR, COLOUR, COLOUR, 0.0, p=1.0)
        both = torch.cat([first, second, parts], dim=1)
        both = _on_rows(both, shifted, shift)
        both = _on_rows(both, cut, erase)
        first, second, parts = both[:, :3], both[:, 3:6].detach(), both[:, 6:].detach()
        if len(coloured):
            first = first.index_copy(0, coloured, colour(first[coloured] / 2 + 0.5) * 2 - 1)
            drawn = colour._params
            second = second.index_copy(0, coloured, colour(second[coloured] / 2 + 0.5, params=drawn) * 2 - 1)
    return first, second, parts


def adapted(probability: float, mean_sign: float, images: int) -> float:
    """The probability after `images` more: up when the mean sign of the real scores is above TARGET, else down."""
    step = images / ITEMS
    return min(max(probability + (step if mean_sign > TARGET else -step), 0.0), 1.0)


def _on_rows(images: Tensor, rows: Tensor, transform: Any) -> Tensor:
    return images.index_copy(0, rows, transform(images[rows])) if len(rows) else images


def _one_number(seed: tuple[int, ...]) -> int:
    import numpy as np

    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)
