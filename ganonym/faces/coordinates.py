"""Coordinates of a face: shape, skin and expression as one row of numbers, each in standard deviations of people.

What a release keeps of a face is decided on these rows, and the row that is shown is turned back into landmarks and
texture. Light does not enter (the skin's colour is that of its tone in daylight, the two sides of the face are
averaged), nor does hair over the face (what it hides is guessed from what is seen).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ganonym.faces.align import apply, crop, similarity
from ganonym.faces.appearance import AppearanceModel, expression_effect, log_colours, texture_image, warp_points
from ganonym.faces.hair import hidden_by_hair
from ganonym.faces.light import KEPT, recoloured, usual_skin
from ganonym.faces.shape import normalize, split, to_canvas
from ganonym.faces.tone import ita_degrees, lab_of_linear, linear_of, skin_colour
from ganonym.faces.warp import backward_map, sample
from ganonym.types import CANVAS, RGB, Floats, Points

COMPONENTS = 64
"""Texture components that are coordinates; what the others add is detail, which the generator draws."""

NOISE = 0.06
"""Standard deviation, in log colours, of what the components leave out of a pixel."""
ALIKE = 50.0
"""So many neighbouring pixels say the same thing, so each counts for that much less."""
FURTHEST = 4.0
"""No coordinate is read as more standard deviations than this: beyond, a reading is a mistake."""
SHADED = 2.0
"""Expressions stronger than this many standard deviations do not shade a face any further."""


def read_texture(rgb: RGB, points: Points, model: AppearanceModel) -> Floats:
    """Texture coefficients (64,) in SD of the face with landmarks `points` (68, 2) in `rgb`, its expression included.

    Posterior mean given the pixels that no hair hides. Coefficients of components that differ between the two sides
    of a face are light and come out near 0. Raises PhotoError("no-skin") where no skin shows.
    """
    to_frame = similarity(points, to_canvas(normalize(points, model.shape)))
    texture = _unwarped(crop(rgb, to_frame, CANVAS), apply(to_frame, points), model)
    now = lab_of_linear(linear_of(skin_colour(rgb, points)[None]))[0]
    usual = usual_skin(ita_degrees(rgb, points))
    pixels = (255 * texture[None]).round().clip(0, 255).astype(np.uint8)
    lit = recoloured(pixels, now, usual + KEPT * (now - usual))[0].astype(np.float32) / 255
    seen = 1 - hidden_by_hair(lit[None], model.reference, model.raster)[0]
    weight = _half(texture_image(np.repeat(seen[:, None], 3, axis=1), model))[:1]
    colours = _half(texture_image((log_colours(lit) - model.texture_mean) * seen[:, None], model))
    mirrored = torch.flip(weight, (-1,))
    both = (colours + torch.flip(colours, (-1,))) / (weight + mirrored).clamp_min(1e-6)
    return _posterior(both, torch.maximum(weight, mirrored), model)


def row_of(shape: Points, texture: Floats, model: AppearanceModel) -> Floats:
    """Row (m + 64 + e,) in SD: identity shape, texture without what expression does to it, expression.

    `shape` (68, 2) in the Procrustes frame, `texture` (64,) as `read_texture` gives it. `ganonym.faces.shape.face_of`
    takes a row apart again.
    """
    identity, expression = split(shape, model.shape)
    strength = expression / model.shape.expression_sd
    row = np.concatenate([identity / model.shape.identity_sd, texture - shading(strength, model), strength])
    return np.asarray(np.clip(row, -FURTHEST, FURTHEST))


def shading(strength: Floats, model: AppearanceModel) -> Floats:
    """What an expression (e,) in SD adds to texture coefficients (64,) in SD: furrows, teeth, an open mouth."""
    effect = expression_effect(np.clip(strength, -SHADED, SHADED), model)
    return np.asarray(effect[:COMPONENTS] / model.texture_sd[:COMPONENTS])


def _unwarped(canvas: RGB, points: Points, model: AppearanceModel) -> NDArray[np.float32]:
    """Shape-free texture (p, 3) in 0…1 of the canvas picture (256, 256, 3) with landmarks `points`."""
    source = warp_points(points, model.shape.mean, model.forehead)
    image = torch.tensor(canvas).permute(2, 0, 1).float() / 255
    warped = sample(image, backward_map(model.raster, source))
    return np.asarray(warped.reshape(3, -1).T[torch.from_numpy(model.raster.pixels)].numpy())


def _half(image: NDArray[np.float32]) -> torch.Tensor:
    """(c, 256, 256) → (c, 128, 128): coordinates are coarse, and cost a quarter at half the size."""
    return functional.avg_pool2d(torch.from_numpy(image)[None], 2)[0]


def _posterior(deviation: torch.Tensor, weight: torch.Tensor, model: AppearanceModel) -> Floats:
    basis = _half_basis(model)
    weighted = basis * weight.expand(3, -1, -1).reshape(-1)
    sd = torch.from_numpy(model.texture_sd[:COMPONENTS])
    gram = (weighted @ basis.T).double() * 4 + torch.diag(ALIKE * NOISE**2 / sd**2)
    coefficients = torch.linalg.solve(gram, (weighted @ deviation.reshape(-1)).double() * 4)
    return np.asarray(np.clip((coefficients / sd).numpy(), -FURTHEST, FURTHEST))


@lru_cache(maxsize=4)
def _half_basis(model: AppearanceModel) -> torch.Tensor:
    rows = [_half(texture_image(component, model)).reshape(-1) for component in model.texture_basis[:COMPONENTS]]
    return torch.stack(rows)
