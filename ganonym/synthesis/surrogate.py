"""The surrogate: a texture of nobody, drawn from the appearance model given coarse attributes only."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ganonym.faces.appearance import AppearanceModel, attributes, sample_texture, texture_of
from ganonym.faces.condition import condition
from ganonym.faces.shape import from_canvas, split
from ganonym.types import Floats, PrivateFace

# The generator was trained to add what these leading components leave out.
COMPONENTS = 40
# In a face by daylight nothing is much greener than it is red; blue irises are bluer.
LEAST_RED = 0.95


def surrogate_coefficients(face: PrivateFace, model: AppearanceModel, attempt: int = 0) -> Floats:
    """Texture coefficients (40,) for a privatized face, drawn from its seed; `attempt` gives another draw.

    The expression comes from the privatized points, which are already public; unknown attributes are drawn.
    """
    rng = np.random.default_rng([face.seed, attempt])
    expression = split(from_canvas(face.points), model.shape)[1]
    scores, known = attributes(expression, face.tone, face.sex, face.age, model)
    scores = np.where(known, scores, np.clip(rng.standard_normal(len(scores)), -1.5, 1.5))
    return sample_texture(scores, model, rng)[:COMPONENTS]


def surrogate_condition(face: PrivateFace, model: AppearanceModel, attempt: int = 0) -> torch.Tensor:
    """The generator's input (10, 256, 256) for a privatized face: a function of `face` and nothing else."""
    texture = texture_of(surrogate_coefficients(face, model, attempt), model)
    return condition(face.points, without_green(texture), model)


def without_green(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """RGB (p, 3) with red at least 0.95 of green.

    Complexions add up in the model, so what makes skin dark takes the red from teeth as well.

    >>> without_green(np.array([[0.25, 0.5, 0.5], [0.5, 0.25, 0.0]], np.float32))[:, 0].round(3).tolist()
    [0.4749999940395355, 0.5]
    """
    changed = texture.copy()
    changed[:, 0] = np.maximum(texture[:, 0], LEAST_RED * texture[:, 1])
    return changed
