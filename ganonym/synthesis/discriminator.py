"""The critic of training: a conditional PatchGAN at two scales with spectral and pixel norm."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ganonym.faces.condition import PARTS


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
        x = torch.cat([image, parts], dim=1)
        return [self.fine(x), self.coarse(functional.avg_pool2d(x, 2))]


def _pixel_norm(x: Tensor) -> Tensor:
    """Unit mean square over the channels of each place.

    Not instance norm: its statistics span the picture, and a generator learns to game them with a few bright specks.
    """
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)
