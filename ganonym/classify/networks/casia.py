"""The ten-convolution network of CASIA-WebFace (Yi et al., "Learning face representation from scratch", 2014).

DeepGestalt (Gurovich et al. 2019) and the first GestaltMatcher (Hsieh et al. 2022) are made of it. Parameters carry the
names of GestaltMatcher's reimplementation (igsb/GestaltMatcher), so that its weights load once they are safetensors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.learning.fit import dropped

WIDTHS = ((32, 64), (64, 128), (96, 192), (128, 256), (160, 320))
"""Channels of two convolutions a stage; stages are parted by max-pooling."""
DROPOUT = 0.5
SIDE = 100


class Casia(nn.Module):
    """Grey crops (n, 1, side, side) in 0 … 1 → scores (n, count), one a class.

    3 × 3 convolutions with biases, batch normalisation and ReLU after each but the last; max-pooling of 2 that rounds
    up (100 → 50 → 25 → 13 → 7); the mean over the last map, 320 features; dropout ½; one linear layer.

    `width` multiplies all channels. Deviation: crops of other sides than 100 are taken too, whose last map is averaged
    whatever its side (at 100 px this is the published 7 × 7 pooling). First weights come from torch's global generator,
    so build it within `fit.seeded`: convolutions as torch draws them, the head by He et al. (2015) with zero biases.
    """

    def __init__(self, count: int, width: float = 1.0) -> None:
        super().__init__()
        self.count = count
        layers: list[nn.Module] = []
        before = 1
        for stage, pair in enumerate(WIDTHS):
            if stage > 0:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            for channels in pair:
                after = max(1, round(channels * width))
                layers.append(_Convolution(before, after))
                before = after
        last = layers.pop()
        assert isinstance(last, _Convolution)
        self.base = nn.ModuleList([*layers, last.conv])
        head = nn.Linear(before, count)
        nn.init.kaiming_normal_(head.weight)
        nn.init.zeros_(head.bias)
        self.classifier = nn.ModuleList([head])

    def features(self, crops: Tensor) -> Tensor:
        """Crops (n, 1, side, side) → (n, 320 · width): GestaltMatcher's facial phenotype descriptor."""
        maps = crops
        for layer in self.base:
            maps = layer(maps)
        return maps.mean(dim=(2, 3))

    def forward(self, crops: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """With a generator half of the features are left out, as in training."""
        features = self.features(crops)
        if generator is not None:
            features = dropped(features, DROPOUT, generator)
        scores: Tensor = self.classifier[0](features)
        return scores


class _Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(maps)))
