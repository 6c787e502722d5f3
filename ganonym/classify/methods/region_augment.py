"""How grey crops are varied while a network learns from them: small affine maps and mirroring, all in one batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

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


def augmented(crops: Tensor, generator: torch.Generator, ranges: Augmentation) -> Tensor:
    """Each of the crops (n, 1, s, s) in 0 … 1 rotated, sheared, zoomed, shifted and mirrored by draws of its own.

    Bilinear; ½ where the crop ends. Equal states of `generator` give equal crops. About the middle of the crop.
    """
    grid = functional.affine_grid(_maps(len(crops), generator, ranges), list(crops.shape), align_corners=False)
    return functional.grid_sample(crops - FILL, grid, padding_mode="zeros", align_corners=False) + FILL


def _maps(count: int, generator: torch.Generator, ranges: Augmentation) -> Tensor:
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
