"""How GestaltMatcher-Arc alters photos in training (Hustinx et al., WACV 2023): sharpness, mirror, light, colour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ganonym.errors import EnvironmentFault

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
