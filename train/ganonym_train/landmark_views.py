"""Random views of landmark sources: moved, bent, lit, blurred, grainy, compressed and partly hidden; points follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganonym.faces.landmark_network import FILL, INPUT, MIRROR
from ganonym_train.landmark_sources import FILL as SOURCE_FILL
from ganonym_train.landmark_sources import SIDE

WAVES, BEND = 3, 0.012
_MIRROR = torch.from_numpy(MIRROR.copy())


@dataclass(frozen=True, slots=True)
class Bending:
    """A smooth map from crop to source, both −1…1: q → linear @ (q + waves(q)) + shift; `flipped` (n,) mirrors it.

    `linear` (n, 2, 2), `shift` (n, 2), waves by `frequency` (n, w, 2), `phase` (n, w), `amplitude` (n, w, 2).
    """

    linear: Tensor
    shift: Tensor
    frequency: Tensor
    phase: Tensor
    amplitude: Tensor
    flipped: Tensor

    def waves(self, q: Tensor) -> Tensor:
        angle = torch.einsum("npk,nwk->npw", q, self.frequency) + self.phase[:, None]
        return torch.einsum("npw,nwk->npk", angle.sin(), self.amplitude)

    def to_source(self, q: Tensor) -> Tensor:
        """Crop positions (n, p, 2) → source positions."""
        return torch.einsum("npk,njk->npj", q + self.waves(q), self.linear) + self.shift[:, None]

    def to_crop(self, source: Tensor) -> Tensor:
        """The inverse of `to_source`: a fixed point, since the waves are a contraction."""
        flat = torch.einsum("npk,njk->npj", source - self.shift[:, None], torch.linalg.inv(self.linear))
        q = flat
        for _ in range(12):
            q = flat - self.waves(q)
        return q

    def landmarks_to_source(self, points: Tensor) -> Tensor:
        """Landmarks seen in the crop (n, 68, 2) → the source's, renumbered where the view is mirrored."""
        return self.renumbered(self.to_source(points))

    def landmarks_to_crop(self, points: Tensor) -> Tensor:
        """The source's landmarks → those of the crop, renumbered where the view is mirrored."""
        return self.renumbered(self.to_crop(points))

    def renumbered(self, values: Tensor) -> Tensor:
        """Values of the 68 points (n, 68, k), those of mirrored views given to their opposites."""
        return torch.where(self.flipped[:, None, None], values[:, _MIRROR], values)


def sample_bending(count: int, rng: np.random.Generator) -> Bending:
    """Draw views: roll N(0, 12°), size ± 12 %, shift ± 6 % of the crop, aspect ± 5 %, half of them mirrored."""
    roll = rng.normal(0, math.radians(12), count).clip(-0.8, 0.8)
    size = (SOURCE_FILL / FILL) * np.exp(rng.normal(0, 0.12, count).clip(-0.3, 0.3))
    flipped = rng.random(count) < 0.5
    stretch = np.exp(rng.normal(0, 0.05, count))
    x, y = size * stretch * np.where(flipped, -1, 1), size / stretch
    cos, sin = np.cos(roll), np.sin(roll)
    linear = np.stack([np.stack([cos * x, -sin * y], -1), np.stack([sin * x, cos * y], -1)], 1)
    shift = rng.normal(0, 0.12, (count, 2)).clip(-0.25, 0.25) * size[:, None]
    frequency = rng.uniform(-8, 8, (count, WAVES, 2))
    phase = rng.uniform(0, 2 * np.pi, (count, WAVES))
    amplitude = rng.normal(0, BEND, (count, WAVES, 2)).clip(-2 * BEND, 2 * BEND)
    return Bending(
        _single(linear),
        _single(shift),
        _single(frequency),
        _single(phase),
        _single(amplitude),
        torch.from_numpy(flipped),
    )


def crops_through(pictures: Tensor, bending: Bending) -> Tensor:
    """Crops (n, 3, 96, 96) in 0…1 of pictures uint8 (n, 3, 160, 160)."""
    places = (torch.arange(INPUT) + 0.5) * (2 / INPUT) - 1
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).reshape(1, -1, 2)
    grid = bending.to_source(grid.expand(len(pictures), -1, -1)).reshape(-1, INPUT, INPUT, 2)
    return functional.grid_sample(pictures.float() / 255, grid, padding_mode="border", align_corners=False)


def to_unit(points: Tensor) -> Tensor:
    """Pixels of a source → −1…1 between its edges."""
    return (points + 0.5) * (2 / SIDE) - 1


def photographed(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Crops (n, 3, 96, 96) in 0…1 under random light, focus, grain, compression and hidden patches, in −1…1."""
    count = len(crops)
    ramp = torch.linspace(-1, 1, INPUT)
    slope = _single(rng.normal(0, 0.2, (2, count, 1, 1, 1)).clip(-0.5, 0.5))
    gain = _single(np.exp(rng.normal(0, 0.25, (count, 1, 1, 1)) + rng.normal(0, 0.08, (count, 3, 1, 1))))
    gamma = _single(np.exp(rng.normal(0, 0.25, (count, 1, 1, 1))))
    x = crops.clamp(1e-4, 1) ** gamma * gain * (1 + slope[0] * ramp + slope[1] * ramp[:, None])
    grey = torch.from_numpy(rng.random(count) < 0.2)
    x = torch.where(grey[:, None, None, None], x.mean(1, keepdim=True), x)
    for number in np.flatnonzero(rng.random(count) < 0.3).tolist():
        x[number] = _blurred(x[number : number + 1], int(rng.integers(1, 4)))[0]
    for number in np.flatnonzero(rng.random(count) < 0.25).tolist():
        x[number] = compressed(x[number : number + 1], float(rng.uniform(0.03, 0.3)))[0]
    for number in np.flatnonzero(rng.random(count) < 0.25).tolist():
        left, top, width, height = rng.integers((0, 0, 10, 10), (INPUT - 10, INPUT - 10, 42, 42)).tolist()
        x[number, :, top : top + height, left : left + width] = _single(rng.uniform(0, 1, (3, 1, 1)))
    grain = _single(rng.uniform(0, 0.06, (count, 1, 1, 1)) * (rng.random((count, 1, 1, 1)) < 0.7))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**62))))
    return (x + grain * noise).clamp(0, 1) * 2 - 1


def _blurred(x: Tensor, reach: int) -> Tensor:
    for _ in range(2):
        padded = functional.pad(x, (reach,) * 4, mode="replicate")
        x = functional.avg_pool2d(padded, 2 * reach + 1, stride=1)
    return x


def compressed(x: Tensor, step: float) -> Tensor:
    """`x` (n, 3, h, w) in 0…1, quantized in 8 × 8 cosine blocks as JPEG does; sides are multiples of 8."""
    k = torch.arange(8)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * math.sqrt(2 / 8)
    basis[0] /= math.sqrt(2)
    steps = step * (1 + k[:, None] + k[None]) / 4
    height, width = x.shape[-2:]
    blocks = x.reshape(*x.shape[:2], height // 8, 8, width // 8, 8).transpose(-3, -2)
    quantized = ((basis @ blocks @ basis.T) / steps).round() * steps
    decoded: Tensor = basis.T @ quantized @ basis
    return decoded.transpose(-3, -2).reshape(x.shape)


def _single(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
