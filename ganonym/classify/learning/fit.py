"""The one training loop of all classifiers: rows in batches, a loss, an optimizer and its schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganonym.classify.progress import report
from ganonym.classify.system import CPU, Course

LossOf: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""Rows (b,) of the training set and the generator of all random choices → the loss, a scalar."""
Weights: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """`rate` follows `course` over all steps; `clip` bounds each value of the gradient; `decay` is the weight decay.

    `device`: where networks that follow it live and compute, as torch names it. Random numbers are always drawn on the
    processor, so that a seed means the same draws everywhere; sums of a GPU still differ in their last digits.

    A published schedule is written down as such in its recipe; where it waits for a plateau of a validation score, the
    cosine stands in, because folds of rare disorders are too small to hold a validation set (the recipe says so).
    """

    epochs: int = 30
    batch: int = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    rate: float = 1e-3
    momentum: float = 0.9
    decay: float = 0.0
    clip: float | None = None
    course: Course = "cosine"
    device: str = CPU


def fit(parameters: Weights, loss_of: LossOf, photos: int, schedule: Schedule, seed: int) -> None:
    """Minimise `loss_of` over `photos` rows, each drawn once an epoch, the last incomplete batch left out.

    `parameters` as torch optimizers take them, groups with rates of their own included (`lr` relative to nothing: it
    is the group's own starting rate). A set smaller than a batch is one batch. Deterministic by `seed`. Every step is
    reported (`progress.heard`).
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    batch = min(schedule.batch, photos)
    starts = range(0, photos - batch + 1, batch)
    order = torch.empty(0)

    def loss_at(step: int) -> Tensor:
        nonlocal order
        epoch_step = step % len(starts)
        if epoch_step == 0:
            order = torch.randperm(photos, generator=generator)
        start = starts[epoch_step]
        return loss_of(order[start : start + batch], generator)

    descend(_optimizer(parameters, schedule), loss_at, schedule.epochs * len(starts), schedule.course, schedule.clip)


def descend(
    optimizer: torch.optim.Optimizer,
    loss_at: Callable[[int], Tensor],
    steps: int,
    course: Course = "cosine",
    clip: float | None = None,
) -> None:
    """Step 0 … `steps` − 1 down the gradient of the loss `loss_at` each, at the optimizer's rates times the `course`.

    `clip` bounds each value of the gradient. Every step is reported (`progress.heard`).
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        share = 1.0 if course == "constant" else 0.5 * (1 + float(np.cos(np.pi * step / steps)))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share
        optimizer.zero_grad(set_to_none=True)
        loss_at(step).backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            nn.utils.clip_grad_value_([weight for group in optimizer.param_groups for weight in group["params"]], clip)
        optimizer.step()
        report("fit", step + 1, steps)


def _optimizer(parameters: Weights, schedule: Schedule) -> torch.optim.Optimizer:
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(parameters, schedule.rate, schedule.momentum, weight_decay=schedule.decay)
    kind = torch.optim.Adam if schedule.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, schedule.rate, weight_decay=schedule.decay)


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network that `make` builds with first weights drawn from `seed`; global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return make()


def home(network: nn.Module) -> torch.device:
    """The device on which a network's parameters are, and its batches should be."""
    return next(network.parameters()).device


def gestalt_weights(classes: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Weights (c,) of classes in GestaltMatcher's cross-entropy: 0.5 + 0.5 · min(n) / n_c; 0 of classes without photos.

    Counted by class number. (Upstream counts by frequency order and so weights the wrong classes.)

    >>> gestalt_weights(np.array([0, 0, 0, 0, 1]), 2).tolist()
    [0.625, 1.0]
    """
    number = np.bincount(classes, minlength=count).astype(np.float64)
    present = number > 0
    return np.where(present, 0.5 + 0.5 * number[present].min() / np.maximum(number, 1.0), 0.0)


def inverse_weights(classes: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Weights (c,) n / (c · n_c) (Wu et al. 2019): every class counts alike; 0 of classes without photos.

    >>> inverse_weights(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    number = np.bincount(classes, minlength=count).astype(np.float64)
    present = number > 0
    return np.where(present, len(classes) / (present.sum() * np.maximum(number, 1.0)), 0.0)


def dropped(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """`features` of any shape with about `share` of them set to 0 and the others divided by 1 − `share`.

    >>> dropped(torch.ones(6), 0.5, torch.Generator().manual_seed(0)).tolist()
    [0.0, 2.0, 0.0, 0.0, 0.0, 2.0]
    """
    kept = torch.rand(features.shape, generator=generator) >= share
    return features * kept.to(features.device) / (1 - share)
