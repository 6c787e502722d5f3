"""Training pairs for the generator: what it will see at use, beside the photograph it should have made of it.

The condition is the target's own shape-free texture, reduced to the leading components and jittered, warped back to
its landmarks: at use these components are sampled, and the generator adds what they leave out. Three kinds: real
photographs, morphs of two people (no such person exists), and samples of the appearance model, which have no target.
Batches are made ahead in threads; each is a function of the seed and its number alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray
from torch import Tensor

from ganonym.faces.align import apply, crop
from ganonym.faces.appearance import (
    AppearanceModel,
    project_texture,
    texture_image,
    texture_of,
    warp_points,
)
from ganonym.faces.condition import condition
from ganonym.faces.coordinates import COMPONENTS
from ganonym.faces.hair import fill_hidden, hidden_by_hair
from ganonym.faces.shape import join, to_canvas
from ganonym.faces.warp import backward_map, rasterize, sample
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_expression
from ganonym.synthesis.synthesizer import surrogate_condition
from ganonym.types import CANVAS, Floats, Points, PrivateFace
from ganonym_train.distributed import Ranks
from ganonym_train.photographs import daylight, training_photographs
from ganonym_train.shape_fit import MIRROR
from ganonym_train.texture_fit import extract_texture, photo_warp_points

JITTER = 0.25
REAL, MORPH = 5, 1  # of each 8 items; the rest are samples
BATCH_PATTERN = 8
CROP, CROPS = 128, 2
# This share of the crops lies around an eye or the mouth, give or take `LOOSE` px (sd): there detail matters most.
ON_PARTS, LOOSE = 0.5, 12.0
PLACES = (slice(36, 42), slice(42, 48), slice(48, 68))
# A target takes over the light of its condition: whatever is wider than this sd in px.
LIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """One training photograph on the canvas: uint8 (3, 256, 256), landmarks, shape-free texture, coefficients."""

    image: Tensor
    points: Points
    texture: NDArray[np.float16]
    coefficients: Floats


def load_targets(data: Path, model: AppearanceModel) -> list[Target]:
    """All training photographs in `data`, in daylight, brought to the canvas, hair over the face filled.

    About 1 MB each.
    """
    fine = rasterize(model.reference * 2 + 0.5, model.triangles, CANVAS * 2)
    photos = list(map(daylight, training_photographs(data)))
    if not photos:
        return []
    seen = np.stack([extract_texture(p.rgb, p.points, model.shape, fine, model.raster) for p in photos])
    hidden = hidden_by_hair(seen, model.reference, model.raster)
    targets = []
    for photo, texture, hair in zip(photos, fill_hidden(seen, hidden), hidden, strict=True):
        to_frame = photo_warp_points(photo.points, model.shape)[1]
        points = apply(to_frame, photo.points)
        image = torch.from_numpy(crop(photo.rgb, to_frame, CANVAS).copy()).permute(2, 0, 1)
        maps = np.concatenate([texture_image(texture * 255, model), texture_image(hair[:, None].repeat(3, 1), model)])
        warped = sample(torch.from_numpy(maps), _onto(points, model))
        image = (image + warped[3:] * (warped[:3] - image)).round().byte()
        coefficients = project_texture(texture, model)[:COMPONENTS]
        targets.append(Target(image, points, texture.astype(np.float16), coefficients))
    return targets


def _onto(points: Points, model: AppearanceModel) -> NDArray[np.float32]:
    """The backward map that warps reference-frame images to canvas landmarks (68, 2)."""
    target = warp_points(points, model.shape.mean, model.forehead)
    return backward_map(rasterize(target, model.triangles, CANVAS), model.reference)


@dataclass(frozen=True, slots=True)
class Item:
    """Condition (10, h, w), target (3, h, w) in −1…1, landmarks (68, 2) in its pixels, whether the target is real."""

    condition: Tensor
    target: Tensor
    points: Points
    real: bool


def make_item(targets: list[Target], model: AppearanceModel, kind: int, rng: np.random.Generator) -> Item:
    """One training item on the whole canvas.

    `kind` counts 0…7 through a batch pattern. For samples the target is the surrogate itself (of which only the coarse
    structure is asked for).
    """
    if kind < REAL:
        chosen = targets[rng.integers(len(targets))]
        points = chosen.points
        conditioned, target = _from_photo(chosen, model, rng)
        target = in_light_of(conditioned, target)
    elif kind < REAL + MORPH:
        first, second = rng.choice(len(targets), 2, replace=False)
        conditioned, target, points = _from_morph(targets[first], targets[second], model, rng)
        target = in_light_of(conditioned, target)
    else:
        face = sampled_face(model, rng)
        points = face.points
        conditioned = surrogate_condition(face, model)
        target = conditioned[:3]
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.04, (3, 1, 1)) + rng.normal(0, 0.08)).astype(np.float32))
    conditioned = conditioned.clone()
    conditioned[:3] = ((conditioned[:3] + 1) * gain - 1).clamp(-1, 1) * (conditioned[:3] != 0)
    target = ((target + 1) * gain - 1).clamp(-1, 1)
    if rng.random() < 0.5:
        conditioned, target = conditioned.flip(-1), target.flip(-1)
        points = points[MIRROR] * [-1.0, 1.0] + [CANVAS - 1.0, 0.0]
    return Item(conditioned, target, points, kind < REAL + MORPH)


def in_light_of(condition: Tensor, target: Tensor) -> Tensor:
    """`target` (3, h, w) with the colour and shading of `condition` (10, h, w): the two differ in detail only.

    The jitter of the condition moves its light as well. That cannot be foreseen, and its gradients drown the rest.
    """
    side = int(4 * LIGHT) | 1
    mask = condition[None, 3:4]
    both = torch.cat([(condition[None, :3] - target) * mask, mask], dim=1)
    blurred = gaussian_blur2d(both, (side, side), (LIGHT, LIGHT))[0]
    return (target + blurred[:3] / blurred[3:].clamp_min(1e-3)).clamp(-1, 1)


def crops_of(item: Item, rng: np.random.Generator) -> list[Item]:
    """Two 128 px crops of an item, each around an eye or the mouth or anywhere over the face; a quarter of the cost of
    the whole canvas each."""
    crops = []
    for _ in range(CROPS):
        left, top = (4 * int(rng.integers(low // 4, high // 4 + 1)) for low, high in ((16, 112), (0, CANVAS - CROP)))
        if rng.random() < ON_PARTS:
            middle = item.points[PLACES[rng.integers(len(PLACES))]].mean(axis=0) + rng.normal(0, LOOSE, 2)
            left, top = (4 * int(edge) for edge in np.clip(np.round((middle - CROP / 2) / 4), 0, (CANVAS - CROP) // 4))
        window = (slice(None), slice(top, top + CROP), slice(left, left + CROP))
        crops.append(Item(item.condition[window], item.target[window], item.points - [left, top], item.real))
    return crops


def sampled_face(model: AppearanceModel, rng: np.random.Generator) -> PrivateFace:
    """A privatized face of nobody, as the mechanisms make them: anybody's shape, an expression, coarse attributes."""
    person = sample_person(model, rng)
    expression = sample_expression(model, rng)[1] * model.shape.expression_sd
    points = to_canvas(join(person.identity, expression, model.shape))
    return PrivateFace(points, person.tone, person.sex, person.age, int(rng.integers(2**62)))


def _jittered(coefficients: Floats, model: AppearanceModel, rng: np.random.Generator) -> Floats:
    return np.asarray(coefficients + JITTER * model.texture_sd[:COMPONENTS] * rng.standard_normal(COMPONENTS))


def _from_photo(target: Target, model: AppearanceModel, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    conditioned = condition(target.points, texture_of(_jittered(target.coefficients, model, rng), model), model)
    return conditioned, target.image.float() / 127.5 - 1


def _from_morph(
    one: Target, other: Target, model: AppearanceModel, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Points]:
    share = rng.uniform(0.3, 0.7)
    points = share * one.points + (1 - share) * other.points
    coefficients = share * one.coefficients + (1 - share) * other.coefficients
    texture = share * one.texture.astype(np.float32) + (1 - share) * other.texture.astype(np.float32)
    image = sample(torch.from_numpy(texture_image(texture, model)), _onto(points, model)) * 2 - 1
    return condition(points, texture_of(_jittered(coefficients, model, rng), model), model), image, points


# Whole canvases cost four crops each: of every eight items a photograph and the two samples, every fourth step.
CANVAS_KINDS, CANVAS_EVERY = (0, 6, 7), 4


@dataclass(frozen=True, slots=True)
class Faces:
    """Items stacked: condition (n, 10, h, w), target (n, 3, h, w) in −1…1, points (n, 68, 2) px, real (n,) bool."""

    condition: Tensor
    target: Tensor
    points: Tensor
    real: Tensor

    def to(self, device: torch.device) -> Faces:
        condition, target = (
            images.to(device, memory_format=torch.channels_last) for images in (self.condition, self.target)
        )
        return Faces(condition, target, self.points.to(device), self.real.to(device))


def stacked(items: list[Item]) -> Faces:
    """Items of one size as one batch."""
    return Faces(
        torch.stack([item.condition for item in items]),
        torch.stack([item.target for item in items]),
        torch.from_numpy(np.stack([item.points for item in items]).astype(np.float32)),
        torch.tensor([item.real for item in items]),
    )


def batches(
    targets: list[Target],
    model: AppearanceModel,
    seed: int,
    numbers: range,
    ranks: Ranks,
    size: int,
    canvases: bool,
    workers: int,
) -> Iterator[tuple[Faces, Faces | None]]:
    """This rank's slice of each batch of `numbers`: crops of its `size` items, and on some steps whole canvases.

    Eight items each depend on (seed, batch number, place among the eights of all ranks) alone: a resumed run sees the
    same, and ranks together see what one process with their joined batch would.
    """

    def make(number: int) -> tuple[Faces, Faces | None]:
        crops, whole = [], []
        groups = size // BATCH_PATTERN
        for group in range(ranks.rank * groups, (ranks.rank + 1) * groups):
            rng = np.random.default_rng([seed, number, group])
            items = [make_item(targets, model, kind, rng) for kind in range(BATCH_PATTERN)]
            crops += [crop for item in items for crop in crops_of(item, rng)]
            whole += [items[kind] for kind in CANVAS_KINDS]
        return stacked(crops), stacked(whole) if canvases and number % CANVAS_EVERY == 0 else None

    with ThreadPoolExecutor(workers) as ahead:
        upcoming = iter(numbers)
        waiting = deque(ahead.submit(make, number) for number in islice(upcoming, workers))
        while waiting:
            batch = waiting.popleft().result()
            if (following := next(upcoming, None)) is not None:
                waiting.append(ahead.submit(make, following))
            yield batch
