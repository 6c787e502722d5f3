"""Privatized faces → pictures: a surrogate texture of nobody, the generator's detail and a flat backdrop."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault
from ganonym.faces.appearance import (
    AppearanceModel,
    Known,
    drawn_attributes,
    load_appearance,
    sample_texture,
    texture_of,
)
from ganonym.faces.condition import condition
from ganonym.faces.coordinates import COMPONENTS, shading
from ganonym.faces.shape import from_canvas, split
from ganonym.synthesis.generator import Generator, compose
from ganonym.types import RGB, Floats, PrivateFace
from ganonym.weights import read_tensors, verified_path

REDRAWN = 0.2
"""A further attempt moves each texture coordinate by about so many SD."""
# In a face by daylight nothing is much greener than it is red; blue irises are bluer.
LEAST_RED = 0.95


def surrogate_coefficients(face: PrivateFace, model: AppearanceModel, attempt: int = 0) -> Floats:
    """Texture coefficients (64,) for a privatized face; `attempt` gives another draw from its seed.

    Those of `face` where it has any, at a further attempt moved a little; else drawn, unknown attributes as well. What
    expression does to a texture follows from the privatized points, which are public already.
    """
    rng = np.random.default_rng([face.seed, attempt])
    expression = split(from_canvas(face.points), model.shape)[1]
    if face.texture is not None:
        moved = REDRAWN * np.clip(rng.standard_normal(COMPONENTS), -2.0, 2.0) if attempt else 0.0
        shaded = face.texture + moved + shading(expression / model.shape.expression_sd, model)
        return np.asarray(shaded * model.texture_sd[:COMPONENTS])
    scores = drawn_attributes(expression, Known(face.tone, face.sex, face.age), model, rng)
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


@dataclass(frozen=True, slots=True)
class Layers:
    """A rendered face to be pasted: `picture` as `render` gives it, `image` the same without the backdrop.

    Both (256, 256, 3); `mask` (256, 256) uint8 is the feathered face mask, 255 inside; `image` counts where it is > 0.
    """

    picture: RGB
    image: RGB
    mask: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Synthesizer:
    """Appearance model and generator, ready to render.

    `arithmetic` is that of the generator's convolutions: bfloat16 where the processor has it, which takes 0.6 of the
    time. The two agree to one grey level (24 faces); one machine agrees with itself to the bit.
    """

    model: AppearanceModel
    generator: Generator
    arithmetic: torch.dtype = torch.float32

    def render(self, face: PrivateFace, attempt: int = 0) -> RGB:
        """Picture (256, 256, 3) of `face`: a function of `face`, `attempt` and the weights alone.

        One face at a time, because the arithmetic of a batch differs in the last bit with its size, and a resumed run
        must give the same bytes. `attempt` 1, 2, … draws other surrogates for the same shape.
        """
        return _pixels(compose(*self._synthesize(face, attempt))[0])

    def render_batch(self, faces: Sequence[PrivateFace]) -> list[RGB]:
        """Pictures (256, 256, 3) of several faces at once, faster; where bytes must agree, use `render`.

        The two agree to one grey level. Conditions are drawn by as many threads as torch has.
        """
        if not faces:
            return []
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            conditions = list(threads.map(lambda face: surrogate_condition(face, self.model), faces))
        batch = torch.stack(conditions).contiguous(memory_format=torch.channels_last)
        return [_pixels(picture) for picture in compose(batch, self._residual(batch))]

    def layers(self, face: PrivateFace, attempt: int = 0) -> Layers:
        """What `render` gives, with the face apart from its backdrop."""
        condition, residual = self._synthesize(face, attempt)
        mask = (condition[0, 3] * 255).round().clamp(0, 255).byte().numpy()
        return Layers(_pixels(compose(condition, residual)[0]), _pixels(condition[0, :3] + residual[0]), mask)

    def _synthesize(self, face: PrivateFace, attempt: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Condition (1, 10, 256, 256) and residual (1, 3, 256, 256)."""
        condition = surrogate_condition(face, self.model, attempt)[None]
        condition = condition.contiguous(memory_format=torch.channels_last)
        return condition, self._residual(condition)

    def _residual(self, condition: torch.Tensor) -> torch.Tensor:
        half = self.arithmetic == torch.bfloat16
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            residual: torch.Tensor = self.generator(condition).float()
        return residual


def _pixels(picture: torch.Tensor) -> RGB:
    """(3, h, w) in −1…1 → RGB."""
    pixels: RGB = ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    return pixels


def load_synthesizer(generator: Path | None = None) -> Synthesizer:
    """The bundled synthesizer, or one with the generator weights at `generator`. Raises EnvironmentFault."""
    return Synthesizer(load_appearance(), _generator(generator or verified_path("generator")), _arithmetic())


def _arithmetic() -> torch.dtype:
    # get_capabilities came after torch 2.10; without it float32 is right everywhere.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if native else torch.float32


@cache
def _generator(path: Path) -> Generator:
    network = Generator()
    arrays, _ = read_tensors(path)
    try:
        network.load_state_dict({key: torch.tensor(array).float() for key, array in arrays.items()})
    except RuntimeError as error:
        raise EnvironmentFault(
            f"{path} holds weights that are not of this generator.", "Train it: ganonym train generator"
        ) from error
    return network.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def plain_surrogate(face: PrivateFace, model: AppearanceModel, attempt: int = 0) -> RGB:
    """The warped surrogate without the generator, for comparison: (256, 256, 3)."""
    condition = surrogate_condition(face, model, attempt)[None]
    picture = compose(condition, torch.zeros_like(condition[:, :3]))[0]
    return np.ascontiguousarray(((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
