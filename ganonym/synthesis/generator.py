"""The generator: a pix2pix U-Net (Isola et al. 2017) that adds photographic detail to the warped surrogate."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.faces.condition import CHANNELS

WIDTHS = (64, 128, 192, 256)
LARGEST = 512


class Generator(nn.Module):
    """Condition (n, 10, 256, 256) → residual (n, 3, 256, 256), to be added to the surrogate; 0 before any training.

    The full-resolution input is folded into channels (pixel-unshuffle, factor 4), so most of the work happens at
    64 px; decoding resizes and convolves, because pixel-shuffle leaves a checkerboard (Odena et al. 2016), and it
    resizes smoothly, because detail was made of the blocks of nearest neighbours. What it makes pores of is noise, the
    same for every face: it sees smooth pictures, and needs something fine to start from (Karras et al. 2019). There is
    no normalisation layer (as in EDSR, Lim et al. 2017): a face's output does not depend on the rest of its batch, and
    training on crops means the same as on whole faces. Any size divisible by 32 works.
    """

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.stem = nn.Conv2d(CHANNELS * 16, first, 3, padding=1)
        self.encode64 = Residual(first)
        self.encode32 = nn.Sequential(_down(first, second), Residual(second))
        self.encode16 = nn.Sequential(_down(second, third), Residual(third), Residual(third))
        self.encode8 = nn.Sequential(_down(third, fourth), Residual(fourth), Residual(fourth))
        self.decode16 = Up(fourth, third, third)
        self.decode32 = Up(third, second, second)
        self.decode64 = Up(second, first, first)
        self.decode128 = nn.Conv2d(first, 32, 3, padding=1)
        self.join128 = nn.Conv2d(32 + CHANNELS * 4 + 1, 32, 3, padding=1)
        self.decode256 = nn.Conv2d(32, 16, 3, padding=1)
        self.join256 = nn.Conv2d(16 + CHANNELS + 1, 16, 3, padding=1)
        self.last = nn.Conv2d(16, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, condition: Tensor) -> Tensor:
        at64 = self.encode64(self.stem(functional.pixel_unshuffle(condition, 4)))
        at32 = self.encode32(at64)
        at16 = self.encode16(at32)
        x = self.decode16(self.encode8(at16), at16)
        x = self.decode64(self.decode32(x, at32), at64)
        x = functional.silu(self.decode128(_double(x)))
        # In the arithmetic of the convolutions at once: joined in float32 and converted then, it took half of the time.
        condition = condition.to(x.dtype)
        x = functional.silu(self.join128(torch.cat([x, functional.pixel_unshuffle(condition, 2), _noise(x)], dim=1)))
        x = functional.silu(self.decode256(_double(x)))
        x = functional.silu(self.join256(torch.cat([x, condition, _noise(x)], dim=1)))
        out: Tensor = self.last(x)
        return out


class Residual(nn.Module):
    """Two 3×3 convolutions, scaled down, around an identity path; (n, c, h, w) → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + 0.2 * self.body(x)
        return out


class Up(nn.Module):
    """Double the size, join the skip connection, refine: (n, a, h, w) and (n, s, 2h, 2w) → (n, b, 2h, 2w)."""

    def __init__(self, deep: int, skip: int, width: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(deep + skip, width, 3, padding=1)
        self.refine = Residual(width)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.refine(self.join(torch.cat([_double(deep), skip], dim=1)))
        return out


def _down(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _noise(x: Tensor) -> Tensor:
    """White noise (n, 1, h, w) for features (n, c, h, w): always the same, so that an output has one cause only."""
    height, width = x.shape[-2:]
    # Laid out as the features are: torch.cat gives up their layout when any part has another, and copies it all back.
    plane = torch.empty(len(x), 1, height, width, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    return plane.copy_(_plane(max(height, width, LARGEST))[..., :height, :width])


@cache
def _plane(side: int) -> Tensor:
    return torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(0))


def compose(condition: Tensor, residual: Tensor) -> Tensor:
    """Surrogate plus residual inside the face mask, the neutral backdrop outside: (n, 3, 256, 256) in −1…1."""
    return on_backdrop(condition[:, :3] + residual, condition[:, 3:4])


def on_backdrop(image: Tensor, mask: Tensor) -> Tensor:
    """`image` (n, 3, h, w) in −1…1 where `mask` (n, 1, h, w) is 1, a flat grey where it is 0."""
    return mask * image.clamp(-1, 1) + (1 - mask) * BACKDROP


# Grey 203: linear 0.6, at which Shades of Grey (Finlayson & Trezzi 2004, p = 6) sees light of the usual strength, so
# that a face is read as light or dark as it was drawn. On grey 172 tones were read at .75 of their spread, now at .97.
BACKDROP = 0.594
