"""A small face network trained here, which judges synthesized faces: pictures → features in which people differ."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import EnvironmentFault
from ganonym.types import CANVAS, RGB, Floats
from ganonym.weights import read_tensors, verified_path

SIDE = 112
FEATURES = 128
# The part of the canvas that a face can reach, twice SIDE wide: left, top.
CORNER = (16, 14)
WIDTHS = (32, 64, 128, 192)


class Encoder(nn.Module):
    """Pictures (n, 3, 112, 112) in −1…1 → unit vectors (n, 128); a residual network of 1.4 M parameters.

    Cosine similarity says how much two faces look like one person. It is a judge only: no loss of the generator
    contains it, so that agreement with it was not bought.
    """

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.stem = nn.Conv2d(3, first, 5, stride=2, padding=2, bias=False)
        self.at28 = nn.Sequential(_Down(first, second), _Residual(second))
        self.at14 = nn.Sequential(_Down(second, third), _Residual(third))
        self.at7 = nn.Sequential(_Down(third, fourth), _Residual(fourth))
        self.norm = nn.BatchNorm2d(fourth)
        self.head = nn.Linear(fourth, FEATURES)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.at7(self.at14(self.at28(self.stem(pictures))))
        pooled = functional.silu(self.norm(x)).mean(dim=(2, 3))
        return functional.normalize(self.head(pooled).float(), dim=1)


class _Down(nn.Sequential):
    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.BatchNorm2d(before), nn.SiLU(), nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


NEUTRAL = 0.35
"""The grey around faces, in −1…1, with which the encoder was trained."""


def to_input(pictures: Tensor) -> Tensor:
    """Canvas pictures (n, 3, 256, 256) → what the encoder sees, (n, 3, 112, 112): the face's part, halved in size."""
    left, top = CORNER
    part = pictures[..., top : top + 2 * SIDE, left : left + 2 * SIDE]
    return functional.avg_pool2d(part, 2)


def encode(pictures: Sequence[RGB], encoder: Encoder, batch: int = 32) -> Floats:
    """Features (n, 128) of canvas pictures (256, 256, 3) with the face on the neutral backdrop; rows of length 1.

    Raises ValueError for pictures of another size.
    """
    found = [np.zeros((0, FEATURES))]
    for start in range(0, len(pictures), batch):
        stack = np.stack(pictures[start : start + batch])
        if stack.shape[1:] != (CANVAS, CANVAS, 3):
            raise ValueError(f"pictures of shape {stack.shape[1:]} are not on the {CANVAS} px canvas")
        with torch.inference_mode():
            canvas = torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1
            found.append(encoder(to_input(canvas)).double().numpy())
    return np.concatenate(found)


def load_encoder(path: Path | None = None) -> Encoder:
    """The bundled encoder, verified, or the weights at `path`; never trains. Raises EnvironmentFault."""
    return _load(path or verified_path("encoder"))


@cache
def _load(path: Path) -> Encoder:
    network = Encoder()
    arrays, _ = read_tensors(path)
    try:
        network.load_state_dict({key: torch.tensor(array) for key, array in arrays.items()})
    except RuntimeError as error:
        raise EnvironmentFault(
            f"{path} holds weights that are not of this encoder.", "Train it: ganonym train encoder"
        ) from error
    return network.eval().requires_grad_(False)
