"""The one training loop of all classifiers: rows in batches, a loss, an optimizer; and how photos are altered in it.

`altered_photos` alters as GestaltMatcher-Arc does (Hustinx et al., WACV 2023): sharpness, mirror, light, colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.learner import CPU, Course
from ganonym.classify.progress import report
from ganonym.errors import EnvironmentFault

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


SIDE = 112
SHRUNK, SHRUNK_TO = 0.1, (50, 100)
MIRRORED, GREY = 0.5, 0.1
JITTER, HUE = 0.2, 0.1
"""Brightness, contrast and saturation times 1 ± 0.2 (the default of `albumentations`), hue ± 0.1 of its circle."""


def altered_photos(crops: NDArray[np.uint8], generator: torch.Generator) -> NDArray[np.uint8]:
    """Crops (n, s, s, 3) uint8 RGB, each altered at random by `generator` alone.

    In this order: one in ten is shrunk to 50 … 100 px of 112 and enlarged again, half are mirrored, all change in
    brightness, contrast, saturation and hue (in random order), one in ten becomes grey. Raises EnvironmentFault
    without torchvision.
    """
    tool = _torchvision()
    images = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)
    altered = torch.empty_like(images)
    for index, image in enumerate(images):
        # Rounded once, at the end: torchvision cuts bytes off after each change, which darkens.
        altered[index] = _altered(image.float() / 255, tool, generator).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(altered.permute(0, 2, 3, 1).numpy())


def _altered(image: Tensor, tool: Any, generator: torch.Generator) -> Tensor:
    # Always as many draws, so that what befalls one photo does not hang on what befell the one before.
    shrink, size, mirror, grey, *jitter = torch.rand(8, generator=generator).tolist()
    order = torch.randperm(4, generator=generator).tolist()
    if shrink < SHRUNK:
        low, high = SHRUNK_TO
        image = _shrunk(image, round(image.shape[-1] * (low + (high - low) * size) / SIDE))
    if mirror < MIRRORED:
        image = image.flip(2)
    brightness, contrast, saturation = (1 + JITTER * (2 * share - 1) for share in jitter[:3])
    changes = (
        lambda picture: tool.adjust_brightness(picture, brightness),
        lambda picture: tool.adjust_contrast(picture, contrast),
        lambda picture: tool.adjust_saturation(picture, saturation),
        lambda picture: tool.adjust_hue(picture, HUE * (2 * jitter[3] - 1)),
    )
    for place in order:
        image = changes[place](image)
    return tool.rgb_to_grayscale(image, num_output_channels=3) if grey < GREY else image


def _shrunk(image: Tensor, side: int) -> Tensor:
    """As sharp as a picture of `side` px, at the size it had."""
    small = functional.interpolate(image[None], (side, side), mode="bilinear", align_corners=False)
    return functional.interpolate(small, image.shape[1:], mode="bilinear", align_corners=False)[0]


def _torchvision() -> Any:
    try:
        from torchvision.transforms.v2 import functional as tool
    except ImportError as error:
        raise EnvironmentFault(
            "torchvision is needed to alter photos in training and is not installed.",
            "Install it: pip install 'ganonym[classify]'",
        ) from error
    return tool


FILL = 0.5


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of uniform draws, −x … x: `rotation` and `shear` in degrees, `shift` in sides of the crop, `zoom` a share.

    `mirror` is the chance of a left-right flip. The values are DeepGestalt's (Gurovich et al., arXiv 1801.07637).
    """

    rotation: float = 5.0
    shift: float = 0.05
    shear: float = 5.0
    zoom: float = 0.05
    mirror: float = 0.5


def altered_regions(crops: Tensor, generator: torch.Generator, ranges: Augmentation) -> Tensor:
    """Each of the crops (n, 1, s, s) in 0 … 1 rotated, sheared, zoomed, shifted and mirrored by draws of its own.

    Bilinear; ½ where the crop ends. Equal states of `generator` give equal crops. About the middle of the crop.
    """
    grid = functional.affine_grid(_region_maps(len(crops), generator, ranges), list(crops.shape), align_corners=False)
    return functional.grid_sample(crops - FILL, grid, padding_mode="zeros", align_corners=False) + FILL


def _region_maps(count: int, generator: torch.Generator, ranges: Augmentation) -> Tensor:
    """Maps (n, 2, 3) from places in the new crop to places in the old, in −1 … 1 from edge to edge."""

    def drawn(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * limit

    turn, lean = drawn(math.radians(ranges.rotation)), drawn(math.radians(ranges.shear))
    scale, right, down = 1 + drawn(ranges.zoom), drawn(2 * ranges.shift), drawn(2 * ranges.shift)
    sign = 1.0 - 2.0 * (torch.rand(count, generator=generator) < ranges.mirror).float()
    cosine, sine, tangent = turn.cos(), turn.sin(), lean.tan()
    # Rotation · shear along x · zoom; mirrored last, so that it flips the result whatever else was drawn.
    first = torch.stack([cosine * scale * sign, (cosine * tangent - sine) * scale, right], dim=1)
    second = torch.stack([sine * scale * sign, (sine * tangent + cosine) * scale, down], dim=1)
    return torch.stack([first, second], dim=1)
