"""A small convolutional network on 64 px crops, trained from nothing: what pixels say beyond landmarks.

It does not see colours but the directions of edges, locally normalised as in histograms of oriented gradients (Dalal
and Triggs 2005), so that light plays no part: on simulated syndromes this tells more apart than a larger network on
pixels, at a fraction of the arithmetic (`benchmarks/phantom_utility.py` prints what it reaches).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.learner import Inputs, Predictor
from ganonym.classify.learning.fit import descend
from ganonym.types import LUMA, Floats

DIRECTIONS, CELL = 8, 4
WIDTHS = (48, 96)
BATCH, DROPOUT = 32, 0.3
_MIRRORED = [-direction % DIRECTIONS for direction in range(DIRECTIONS)]


@dataclass(frozen=True, slots=True)
class SmallNetwork:
    """Learns from crops (n, 64, 64, 3) uint8 in `epochs` passes; classes are drawn alike, however rare.

    Crops are mirrored at random, all from a generator of its own: equal seeds on one machine give equal networks, and
    no global state is touched.
    """

    epochs: int = 30

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:
        """Adam with decoupled weight decay and a cosine schedule, labels smoothed by 0.1."""
        generator = torch.Generator().manual_seed(seed)
        maps, labels = oriented_gradients(inputs), torch.from_numpy(classes.astype(np.int64))
        network = _Network(maps.shape[-1], count, generator)
        optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
        weights = 1.0 / torch.bincount(labels, minlength=count).double()[labels]

        def loss_at(_step: int) -> Tensor:
            rows = torch.multinomial(weights, BATCH, replacement=True, generator=generator)
            flip = torch.rand(BATCH, 1, 1, 1, generator=generator) < 0.5
            batch = torch.where(flip, mirrored(maps[rows]), maps[rows])
            return functional.cross_entropy(network(batch, generator), labels[rows], label_smoothing=0.1)

        descend(optimizer, loss_at, self.epochs * max(len(maps) // BATCH, 1))
        network.eval()

        def predict(others: Inputs) -> Floats:
            with torch.inference_mode():
                seen = oriented_gradients(others)
                chances = network(seen).softmax(dim=1) + network(mirrored(seen)).softmax(dim=1)
            return np.asarray(chances.double().numpy() / 2.0)

        return predict


def oriented_gradients(crops: NDArray[np.uint8]) -> Tensor:
    """Crops (n, s, s, 3) → maps (n, 8, s / 4, s / 4): how strong edges of each direction are in cells of 4 px.

    Each edge is shared between the two nearest of eight directions, and each cell divided by the energy of the 5 × 5
    cells around it, so that neither brightness nor contrast matters.
    """
    grey = torch.from_numpy(crops).float() @ torch.tensor(LUMA)
    padded = functional.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strength = (across.square() + down.square()).sqrt()
    direction = torch.atan2(down, across) / math.pi * DIRECTIONS  # edges have no sign: −8 … 8 is twice around
    lower = direction.floor()
    share = direction - lower
    first, second = (index.long() % DIRECTIONS for index in (lower, lower + 1))
    maps = torch.zeros(len(crops), DIRECTIONS, *strength.shape[2:])
    maps.scatter_add_(1, first, strength * (1 - share)).scatter_add_(1, second, strength * share)
    cells = functional.avg_pool2d(maps, CELL)
    energy = functional.avg_pool2d(cells.square().sum(dim=1, keepdim=True), 5, 1, 2, count_include_pad=False)
    return cells / (energy.sqrt() + 1.0)


def mirrored(maps: Tensor) -> Tensor:
    """What `oriented_gradients` would be of the crops mirrored left to right."""
    return maps[:, _MIRRORED].flip(3)


class _Network(nn.Module):
    """Two convolutions and a linear layer: maps (n, 8, s, s) → scores (n, classes)."""

    def __init__(self, side: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw their first weights from the global generator
            layers: list[nn.Module] = []
            before = DIRECTIONS
            for width in WIDTHS:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
                before = width
            self.features = nn.Sequential(*layers, nn.Flatten())
            self.head = nn.Linear(before * (side >> len(WIDTHS)) ** 2, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, maps: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """With a generator some features are dropped, as in training."""
        features = self.features(maps)
        if generator is not None:
            kept = torch.rand(features.shape, generator=generator) >= DROPOUT
            features = features * kept / (1 - DROPOUT)
        scores: Tensor = self.head(features)
        return scores
