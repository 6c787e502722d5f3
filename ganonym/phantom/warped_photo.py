"""A photograph of a warped face: warp, place in the picture and enlargement in one resampling."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ganonym.faces.align import apply, invert
from ganonym.phantom.photos import PHOTO, Moment, placement
from ganonym.phantom.thin_plate import ThinPlate
from ganonym.types import CANVAS, RGB

_NODES = 61  # 8 px apart in the photo: between them the spline is smooth


def expose_warped(layers: NDArray[np.float32], back: ThinPlate, moment: Moment, rng: np.random.Generator) -> RGB:
    """`photos.expose` through a warp: (480, 480, 3).

    `layers` (4, 256, 256) the lit face times its mask, and the mask, in 0…1; `back` from warped to rendered canvas
    positions. `rng` gives the sensor noise.
    """
    places = (source_positions(back, moment) + 0.5) * (2.0 / CANVAS) - 1.0
    found = functional.grid_sample(
        torch.from_numpy(layers)[None], places.permute(1, 2, 0)[None], mode="bicubic", align_corners=False
    )[0]
    backdrop = torch.from_numpy(np.clip(moment.backdrop * moment.gain, 0.0, 1.0).astype(np.float32))
    uncovered = found[3].clamp_(0.0, 1.0).neg_().add_(1.0)
    photo = found[:3].addcmul_(uncovered[None], backdrop[:, None, None])
    grain = torch.from_numpy(rng.standard_normal(tuple(photo.shape), dtype=np.float32))
    grainy = photo.mul_(255.0).add_(grain, alpha=moment.noise).round_().clamp_(0.0, 255.0)
    return np.ascontiguousarray(grainy.to(torch.uint8).permute(1, 2, 0).numpy())


def source_positions(back: ThinPlate, moment: Moment) -> torch.Tensor:
    """Rendered canvas position of each photo pixel: float32 (2, 480, 480), x then y."""
    matrix = invert(placement(moment))
    ticks = np.linspace(0.0, PHOTO - 1.0, _NODES)
    nodes = apply(matrix, np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2))
    coarse = torch.from_numpy(back.displacement(nodes).astype(np.float32)).T.reshape(1, 2, _NODES, _NODES)
    fine = functional.interpolate(coarse.contiguous(), size=(PHOTO, PHOTO), mode="bicubic", align_corners=True)[0]
    linear = torch.from_numpy(matrix.astype(np.float32))[:, :, None, None]
    pixels = torch.arange(PHOTO, dtype=torch.float32)
    return fine.add_(linear[:, 0] * pixels + linear[:, 2]).add_(linear[:, 1] * pixels[:, None])
