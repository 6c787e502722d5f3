"""The network behind the reversal attack: aligned colour crops as released → crops as they may have been.

torch is imported with this module's functions, not with the module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Crops = NDArray[np.float32]

RESTORE_STEPS, BATCH = 200, 8
RATE = 2e-3
WIDTHS = (32, 64, 96)
PENALTIES = tuple(10.0**power for power in range(-3, 2))
PENALTIES_IN_PLACE = (0.03, 1.0)
FOLDS = 4
_PART = 1024  # pixels solved for at once, which bounds memory and not the result


@dataclass(frozen=True, slots=True)
class Regression:
    """Ridge regression between crops: mean `target` (d,) + (x − `source`) · `rows`ᵀ (d, n) · `weights` (n, d)."""

    source: Crops
    target: Crops
    rows: Crops
    weights: Crops

    def __call__(self, crops: Crops) -> Crops:
        """(m, d) in grey levels, not clipped."""
        return np.asarray(self.target + ((crops - self.source) @ self.rows.T) @ self.weights)


def regress(released: Crops, originals: Crops, penalty: float) -> Regression:
    """The regression (n, d) → (n, d) in its dual form, which costs n³; `penalty` in units of the mean eigenvalue."""
    from scipy.linalg import cho_factor, cho_solve

    source, target = released.mean(axis=0), originals.mean(axis=0)
    rows = released - source
    kernel = (rows @ rows.T).astype(np.float64)
    shrunk = kernel + (penalty * max(float(np.trace(kernel)) / len(kernel), 1e-9)) * np.eye(len(kernel))
    factor = cho_factor(shrunk)
    weights = np.empty_like(rows)
    for start in range(0, rows.shape[1], _PART):
        part = slice(start, start + _PART)
        weights[:, part] = cho_solve(factor, (originals[:, part] - target[part]).astype(np.float64))
    return Regression(source, target, rows, weights)


@dataclass(frozen=True, slots=True)
class InPlace:
    """Linear regression of each pixel's colour on the released colour there: `weights` (d / 3, 3, 3).

    It knows of colours and texture only, and needs few people for that.
    """

    source: Crops
    target: Crops
    weights: Crops

    def __call__(self, crops: Crops) -> Crops:
        """(m, d) in grey levels, not clipped."""
        colours = (crops - self.source).reshape(len(crops), -1, 3)
        return np.asarray(self.target + np.einsum("npc,pce->npe", colours, self.weights).reshape(crops.shape))


def regress_in_place(released: Crops, originals: Crops, penalty: float) -> InPlace:
    """The regression (n, d) → (n, d) pixel by pixel; `penalty` in units of the mean variance."""
    source, target = released.mean(axis=0), originals.mean(axis=0)
    seen, wanted = ((crops - crops.mean(axis=0)).reshape(len(crops), -1, 3) for crops in (released, originals))
    own = np.einsum("npc,npe->pce", seen, seen).astype(np.float64)
    shrunk = own + max(penalty * float(np.trace(own, axis1=1, axis2=2).mean()) / 3, 1e-9) * np.eye(3)
    return InPlace(source, target, np.linalg.solve(shrunk, np.einsum("npc,npe->pce", seen, wanted)).astype(np.float32))


Fit: TypeAlias = Callable[[Crops, Crops], Regression | InPlace]


@dataclass(frozen=True, slots=True)
class Restorer:
    """A regression, and the U-Net that goes over it."""

    regression: Regression | InPlace
    network: Module
    side: int

    def __call__(self, crops: Crops) -> Crops:
        """Restored crops (n, 3 · side²) in 0…255, one by one, so that none depends on the others."""
        import torch

        out = np.empty_like(crops)
        with torch.inference_mode():
            for index in range(len(crops)):
                one = crops[index : index + 1]
                guess = _picture(self.regression(one), self.side)
                out[index] = _row(self.network(_picture(one, self.side), guess))
        return out


def train_restorer(released: Crops, originals: Crops, subject: NDArray[np.intp], steps: int, seed: int) -> Restorer:
    """Learns from pairs of crops (n, 3 · side²) of `subject` (n,). Deterministic by `seed`.

    The U-Net sees regressions of people whom the regression did not learn from, as it will at use.
    """
    import torch

    side = round((released.shape[1] / 3) ** 0.5)
    fit, unseen = _cross_fitted(released, originals, subject)
    regression = fit(released, originals)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _unet()
    seen, guess, wanted = (_picture(crops, side) for crops in (released, unseen, originals))
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.5, 0.99))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        chosen = torch.randint(len(seen), (BATCH,), generator=generator)
        optimizer.zero_grad()
        loss = (network(seen[chosen], guess[chosen]) - wanted[chosen]).abs().mean()
        loss.backward()
        optimizer.step()
    return Restorer(regression, network.eval(), side)


def _cross_fitted(released: Crops, originals: Crops, subject: NDArray[np.intp]) -> tuple[Fit, Crops]:
    """The regression that does best on people left out, and everybody's crops (n, d) by one that did not see him."""
    fold = subject % FOLDS
    fits: list[Fit] = [partial(regress, penalty=penalty) for penalty in PENALTIES]
    fits += [partial(regress_in_place, penalty=penalty) for penalty in PENALTIES_IN_PLACE]
    best, lowest, chosen = fits[0], np.inf, originals
    for fit in fits:
        restored = np.empty_like(originals)
        for number in range(FOLDS):
            out = fold == number
            restored[out] = fit(released[~out], originals[~out])(released[out])
        error = float(np.mean((restored - originals) ** 2))
        if error < lowest:
            best, lowest, chosen = fit, error, restored
    return best, chosen


def _picture(crops: Crops, side: int) -> Tensor:
    """(n, 3, side, side) in about −1…1."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(crops.reshape(-1, side, side, 3).transpose(0, 3, 1, 2))) / 127.5 - 1.0


def _row(picture: Tensor) -> Crops:
    grey = (picture[0].permute(1, 2, 0) + 1.0) * 127.5
    return np.asarray(grey.numpy().ravel().clip(0.0, 255.0), dtype=np.float32)


def _unet() -> Module:
    """U-Net on released crop, regression and place: (n, 3, s, s) twice → (n, 3, s, s); starts as the regression.

    s is a multiple of 8.
    """
    import torch
    from torch import nn

    def block(inside: int, outside: int, stride: int = 1) -> Module:
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1), nn.GroupNorm(8, outside), nn.LeakyReLU(0.2, inplace=True)
        )

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = block(4 * 8, WIDTHS[0])
            steps = list(pairwise(WIDTHS))
            self.down = nn.ModuleList(block(few, many, 2) for few, many in steps)
            self.up = nn.ModuleList(block(few + many, few) for few, many in reversed(steps))
            self.last = nn.Conv2d(WIDTHS[0], 4 * 3, 3, 1, 1)
            for weights in self.last.parameters():
                nn.init.zeros_(weights)

        def forward(self, released: Tensor, guess: Tensor) -> Tensor:
            ramp = torch.linspace(-1, 1, released.shape[-1])
            place = torch.stack(torch.meshgrid(ramp, ramp, indexing="ij")).expand(len(released), -1, -1, -1)
            # At half the side and four times the channels: a quarter of the work.
            levels = [self.first(nn.functional.pixel_unshuffle(torch.cat([released, guess, place], dim=1), 2))]
            for down in self.down:
                levels.append(down(levels[-1]))
            out = levels.pop()
            for up in self.up:
                out = up(torch.cat([nn.functional.interpolate(out, scale_factor=2.0), levels.pop()], dim=1))
            restored: Tensor = guess + nn.functional.pixel_shuffle(self.last(out), 2)
            return restored

    return UNet()
