"""Batches for the training loop, made ahead in threads; each is a function of the seed and its number alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from ganonym.faces.appearance import AppearanceModel
from ganonym_train.distributed import Ranks
from ganonym_train.pairs import BATCH_PATTERN, Item, Target, crops_of, make_item

# Whole canvases cost four crops each: of every eight items a photograph and the two samples, every fourth step.
CANVAS_KINDS, CANVAS_EVERY = (0, 6, 7), 4


@dataclass(frozen=True, slots=True)
class Faces:
    """Items stacked: condition (n, 10, h, w), target (n, 3, h, w) in −1…1, points (n, 68, 2) px, real (n,) bool."""

    condition: Tensor
    target: Tensor
    points: Tensor
    real: Tensor

    def to(self, device: torch.device) -> Faces:
        condition, target = (
            each.to(device, memory_format=torch.channels_last) for each in (self.condition, self.target)
        )
        return Faces(condition, target, self.points.to(device), self.real.to(device))


def stacked(items: list[Item]) -> Faces:
    """Items of one size as one batch."""
    return Faces(
        torch.stack([item.condition for item in items]),
        torch.stack([item.target for item in items]),
        torch.from_numpy(np.stack([item.points for item in items]).astype(np.float32)),
        torch.tensor([item.real for item in items]),
    )


def batches(
    targets: list[Target],
    model: AppearanceModel,
    seed: int,
    numbers: range,
    ranks: Ranks,
    size: int,
    canvases: bool,
    workers: int,
) -> Iterator[tuple[Faces, Faces | None]]:
    """This rank's slice of each batch of `numbers`: crops of its `size` items, and on some steps whole canvases.

    Eight items each depend on (seed, batch number, place among the eights of all ranks) alone: a resumed run sees the
    same, and ranks together see what one process with their joined batch would.
    """

    def make(number: int) -> tuple[Faces, Faces | None]:
        crops, whole = [], []
        groups = size // BATCH_PATTERN
        for group in range(ranks.rank * groups, (ranks.rank + 1) * groups):
            rng = np.random.default_rng([seed, number, group])
            items = [make_item(targets, model, kind, rng) for kind in range(BATCH_PATTERN)]
            crops += [crop for item in items for crop in crops_of(item, rng)]
            whole += [items[kind] for kind in CANVAS_KINDS]
        return stacked(crops), stacked(whole) if canvases and number % CANVAS_EVERY == 0 else None

    with ThreadPoolExecutor(workers) as ahead:
        upcoming = iter(numbers)
        waiting = deque(ahead.submit(make, number) for number in islice(upcoming, workers))
        while waiting:
            batch = waiting.popleft().result()
            if (following := next(upcoming, None)) is not None:
                waiting.append(ahead.submit(make, following))
            yield batch
