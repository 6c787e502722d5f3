"""Signs on the skin, drawn into the shape-free texture: brows that meet, are thick or sparse, and a smooth philtrum.

A brow is what is darker than the skin around it, so its hair can be moved, added and taken away in any tone and light.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from ganonym.faces.appearance import AppearanceModel, texture_image
from ganonym.phantom.syndromes import TextureSign
from ganonym.types import CANVAS, Points

Texture = NDArray[np.float32]
_BROWS = ((17, 18, 19, 20, 21), (22, 23, 24, 25, 26))
_PHILTRUM = (32, 33, 34, 52, 51, 50)
_BROW_WIDTH = 13
_ROWS = slice(40, 140)
_FAIREST = 0.2


def with_signs(texture: Texture, signs: Mapping[TextureSign, float], model: AppearanceModel) -> Texture:
    """Texture (p, 3) with `signs` of given severity in SD (2: clearly there); RGB in 0…1 before and after."""
    if not signs:
        return texture
    image = texture_image(texture, model)
    if "smooth philtrum" in signs:
        image = _smoothed(image, signs["smooth philtrum"], model)
    if set(signs) - {"smooth philtrum"}:
        image[:, _ROWS] = _browed(image[:, _ROWS], signs, model)
    return np.ascontiguousarray(image.reshape(3, -1).T[model.raster.pixels])


def _smoothed(image: Texture, severity: float, model: AppearanceModel) -> Texture:
    """Two ridges and the groove between them even out; colour from top to bottom stays."""
    share = _shares(model.reference.tobytes())["philtrum"] * min(severity / 2.0, 1.0)
    flat = ndimage.gaussian_filter(image, (0, 1.0, 7.0))
    return np.asarray(image + share * (flat - image), dtype=np.float32)


def _browed(band: Texture, signs: Mapping[TextureSign, float], model: AppearanceModel) -> Texture:
    shares = _shares(model.reference.tobytes())
    brow, between = shares["brow"][_ROWS], shares["between"][_ROWS]
    covered = (band.sum(axis=0) > 0).astype(np.float32)
    bare = covered * (1.0 - brow)
    weight = ndimage.gaussian_filter(bare, 9.0)
    skin = ndimage.gaussian_filter(band * bare, (0, 9.0, 9.0)) / np.maximum(weight, 1e-3)
    hair = np.maximum(skin - band, 0.0) * brow
    # Dark hair as it is in the darkest twentieth of the brows, but a fifth of the skin's light in the fairest.
    inside = brow > 0.5
    dark, light = np.quantile(hair[:, inside], 0.95, axis=1), skin[:, inside].mean(axis=1)
    wanted = np.maximum(dark, _FAIREST * light)
    change = np.zeros_like(band)
    if "sparse eyebrow" in signs:
        change += hair * min(0.3 * signs["sparse eyebrow"], 0.9)
    if "thick eyebrow" in signs:
        rows = 2 * round(2.0 + signs["thick eyebrow"]) + 1
        strong = hair * (wanted / np.maximum(dark, 1e-3))[:, None, None]
        wider = ndimage.gaussian_filter(ndimage.grey_dilation(strong, (1, rows, 3)), (0, 1.2, 1.2))
        change -= np.maximum(wider - hair, 0.0)
    if "synophrys" in signs:
        change -= wanted[:, None, None] * between * min(0.55 * signs["synophrys"], 1.3)
    return np.asarray(np.clip(band + change * covered, 0.0, 1.0), dtype=np.float32)


@cache
def _shares(reference: bytes) -> dict[str, Texture]:
    """Where each part is, 0…1 over the reference frame (256, 256): "brow", "between" the brows, "philtrum"."""
    points = np.frombuffer(reference).reshape(-1, 2)
    brow = Image.new("L", (CANVAS, CANVAS))
    for side in _BROWS:
        ImageDraw.Draw(brow).line(_corners(points, side), fill=255, width=_BROW_WIDTH, joint="curve")
    philtrum = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(philtrum).polygon(_corners(points, _PHILTRUM), fill=255)
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    left, right = points[21], points[22]
    middle = (left + right) / 2
    reach = (right[0] - left[0]) / 2
    across = 1 / (1 + np.exp((np.abs(x - middle[0]) - reach) / 1.5))
    strokes = ndimage.gaussian_filter(np.random.default_rng(7).standard_normal((CANVAS, CANVAS)), (2.0, 0.6))
    between = across * np.exp(-((y - middle[1] - 1.0) ** 2) / 2 / 4.0**2) * (1.0 + 0.2 * strokes / strokes.std())
    return {
        "brow": _soft(brow, 2.0),
        "between": np.asarray(np.maximum(between, 0.0), dtype=np.float32),
        "philtrum": _soft(philtrum, 2.0),
    }


def _soft(mask: Image.Image, blur: float) -> Texture:
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float32) / np.float32(255)


def _corners(points: Points, indices: tuple[int, ...]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points[list(indices)]]
