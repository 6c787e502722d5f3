"""What the critic sees is shifted, cut and recoloured at random, real and fake alike, so that it cannot learn by heart.

Adaptive discriminator augmentation (Karras et al. 2020) with the transformations of DiffAugment (Zhao et al. 2020).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
