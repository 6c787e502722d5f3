"""A stranger's averaged skin on the subject's own landmarks: landmark-conditioned ancestors of ours, without a GAN."""

from __future__ import annotations

import torch

from ganonym.faces.appearance import AppearanceModel, attributes, texture_of
from ganonym.faces.condition import condition
from ganonym.faces.shape import normalize, split, to_canvas
from ganonym.synthesis.generator import compose
from ganonym.synthesis.surrogate import COMPONENTS, without_green
from ganonym.types import RGB, Points


def composite(points: Points, tone: int, model: AppearanceModel) -> RGB:
    """The population's mean texture for a `tone` (0 … 5), on the very landmarks (68, 2) of a face; (256, 256, 3).

    Position, size and roll are normalised, everything else of the shape is the subject's, to the pixel: no shape is
    protected. The texture is the mean of the appearance model (Cootes, Edwards & Taylor 1998) given tone and
    expression; sex and age are left at the mean. Raises ValueError when the landmarks coincide.
    """
    shape = normalize(points, model.shape)
    scores, _ = attributes(split(shape, model.shape)[1], tone, None, None, model)
    texture = texture_of((model.attribute_effect @ scores)[:COMPONENTS], model)
    maps = condition(to_canvas(shape), without_green(texture), model)[None]
    picture = compose(maps, torch.zeros_like(maps[:, :3]))[0]
    pixels: RGB = ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    return pixels
