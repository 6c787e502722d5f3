"""Train the encoder: tell virtual people and training photographs apart, whatever the expression, light and camera."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ganonym.errors import UsageError
from ganonym.faces.align import crop, similarity
from ganonym.faces.appearance import AppearanceModel, expression_effect, load_appearance, rgb_of, warp_points
from ganonym.faces.condition import face_mask, part_maps
from ganonym.faces.encoder import CORNER, NEUTRAL, SIDE, WIDTHS, Encoder
from ganonym.faces.shape import join, normalize, to_canvas
from ganonym.faces.warp import backward_map, rasterize, sample
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_expression, turned
from ganonym.types import CANVAS, Floats
from ganonym_train.loop import Steps, descend, export_half, resume, run_steps, set_rate
from ganonym_train.photographs import training_photographs


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """Everything that decides the weights, beside the data. A step sees two pictures each of `virtual` + `real` people.

    Virtual people are new at every step. The weights ship in the default widths only.
    """

    steps: int = 360
    seed: int = 1
    virtual: int = 32
    real: int = 8
    rate: float = 2e-3
    temperature: float = 0.1
    save_every: int = 50
    held_out: int = 64
    widths: tuple[int, int, int, int] = WIDTHS


@dataclass(frozen=True, slots=True)
class _State:
    network: Encoder
    optimizer: torch.optim.Optimizer


def train_encoder(data: Path, run: Path, output: Path, recipe: EncoderRecipe, log: Callable[[str], None]) -> None:
    """Train on virtual people and the sets in `data`, checkpoint into folder `run`, write the weights to `output`.

    Resumed when `run` holds a checkpoint; each step depends on (seed, step) alone. Raises UsageError when `data` shows
    fewer people than a step takes.
    """
    model = load_appearance()
    people = photograph_pairs(data, model)
    if len(people) < recipe.real:
        raise UsageError(f"{data} shows {len(people)} people with a face.", f"A step takes {recipe.real} of them.")
    torch.manual_seed(recipe.seed)
    network = Encoder(recipe.widths).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=1e-3)
    state = _State(network, optimizer)
    done = resume(state, run)
    held_out = exposed(
        virtual_pairs(recipe.held_out, model, np.random.default_rng([recipe.seed, 0, 1])), _held_out_rng(recipe)
    )
    log(f"{len(people)} people in photographs, step {done} of {recipe.steps}")
    last = torch.zeros(())

    def take(step: int) -> None:
        nonlocal last
        network.train()
        set_rate(optimizer, learning_rate(step, recipe))
        pictures = _batch(people, model, recipe, step).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            features = network(pictures)
        last = contrastive(features, recipe.temperature)
        descend(last, optimizer)

    def keep(_step: int) -> str:
        export_half(network.state_dict(), output, "encoder")
        unseen = f"rank-1 of {recipe.held_out} unseen virtual people {rank1(network, held_out):.3f}"
        return f"loss {float(last.detach()):.3f}, {unseen}"

    run_steps(state, run, done, Steps(recipe.steps, recipe.save_every), take, keep, log)


def contrastive(features: Tensor, temperature: float) -> Tensor:
    """NT-Xent (Chen et al. 2020): unit rows 2i and 2i + 1 of `features` (2p, d) are one person, all others are not."""
    similarity = features @ features.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(features), dtype=torch.bool), float("-inf"))
    partner = torch.arange(len(features)) ^ 1
    return functional.cross_entropy(similarity, partner)


def learning_rate(step: int, recipe: EncoderRecipe) -> float:
    """Linear warm-up over the first twentieth, then half a cosine down to 0."""
    warm = max(recipe.steps // 20, 1)
    progress = max(step - warm, 0) / max(recipe.steps - warm, 1)
    return recipe.rate * min(step / warm, 0.5 * (1 + float(np.cos(np.pi * progress))))


@torch.no_grad()
def rank1(network: Encoder, pictures: Tensor) -> float:
    """Share of the people in `pictures` (2p, 3, 112, 112) whose first picture is nearest to their second."""
    network.eval()
    features = network(pictures)
    similarity = features[0::2] @ features[1::2].T
    return float((similarity.argmax(dim=1) == torch.arange(len(similarity))).float().mean())


def _batch(people: list[NDArray[np.uint8]], model: AppearanceModel, recipe: EncoderRecipe, step: int) -> Tensor:
    rng = np.random.default_rng([recipe.seed, step])
    pairs = [virtual_pairs(recipe.virtual, model, rng)] if recipe.virtual else []
    if recipe.real:
        pairs.append(real_pairs(people, recipe.real, rng))
    return exposed(torch.cat(pairs), rng)


def _held_out_rng(recipe: EncoderRecipe) -> np.random.Generator:
    return np.random.default_rng([recipe.seed, 0, 2])


def virtual_pairs(people: int, model: AppearanceModel, rng: np.random.Generator) -> Tensor:
    """Two pictures each of `people` new virtual people: (people, 2, 4, 112, 112), RGB in 0…1 and the face's mask.

    Identity is shape and the whole texture residual; expression, a small pose and the camera's place differ.
    """
    points, coefficients = [], []
    for _ in range(people):
        person = sample_person(model, rng)
        for _ in range(2):
            expression = sample_expression(model, rng)[1]
            shape = to_canvas(join(person.identity, expression * model.shape.expression_sd, model.shape))
            points.append(turned(shape, *np.clip(rng.normal(0.0, (4.0, 2.5)), -10, 10)))
            coefficients.append(person.texture + expression_effect(expression, model))
    basis = model.texture_basis.reshape(len(model.texture_basis), -1)
    textures = rgb_of(np.stack(coefficients).astype(np.float32) @ basis + model.texture_mean.reshape(-1))
    # A box of 2 × 2 pixels before every second pixel is taken, as the encoder's input is made; it moves the grid by ½.
    sources = torch.zeros(len(textures), CANVAS * CANVAS, 4)
    sources[:, model.raster.pixels, :3] = torch.from_numpy(textures.reshape(len(textures), -1, 3)).clamp(0, 1)
    sources[:, :, 3] = torch.from_numpy(part_maps(model)[0].reshape(-1))
    sources = functional.avg_pool2d(sources.permute(0, 2, 1).reshape(-1, 4, CANVAS, CANVAS), 2, stride=1)
    pictures = []
    for source, shape in zip(sources, points, strict=True):
        target = warp_points(shape, model.shape.mean, model.forehead) @ (camera := _camera(rng))[:, :2].T + camera[:, 2]
        pictures.append(sample(source, backward_map(rasterize(target, model.triangles, SIDE), model.reference - 0.5)))
    return torch.stack(pictures).reshape(people, 2, 4, SIDE, SIDE)


def photograph_pairs(data: Path, model: AppearanceModel) -> list[NDArray[np.uint8]]:
    """Each training person's photographs on the canvas, uint8 (photos, 4, 256, 256): RGB and the face's mask."""
    people: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    for photo in training_photographs(data):
        points = to_canvas(normalize(photo.points, model.shape))
        picture = crop(photo.rgb, similarity(photo.points, points), CANVAS).transpose(2, 0, 1)
        mask = (face_mask(points, model) * 255).round().astype(np.uint8)
        people[photo.subject].append(np.concatenate([picture, mask[None]]))
    return [np.stack(photos) for photos in people.values()]


def real_pairs(people: list[NDArray[np.uint8]], count: int, rng: np.random.Generator) -> Tensor:
    """Two pictures each of `count` people: two photographs of those who have them, else one seen by two cameras."""
    pictures = []
    for person in rng.choice(len(people), count, replace=False):
        photos = people[person]
        for number in rng.choice(len(photos), 2, replace=len(photos) == 1):
            source = functional.avg_pool2d(torch.from_numpy(photos[number]).float() / 255, 2, stride=1)
            camera = _camera(rng)
            x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
            back = (np.stack([x, y], axis=-1) - camera[:, 2]) @ np.linalg.inv(camera[:, :2]).T - 0.5
            pictures.append(sample(source, back.astype(np.float32)))
    return torch.stack(pictures).reshape(count, 2, 4, SIDE, SIDE)


def exposed(pairs: Tensor, rng: np.random.Generator) -> Tensor:
    """What a camera makes of pictures (p, 2, 4, 112, 112): light, blur, grain, JPEG; (2p, 3, 112, 112) in −1…1."""
    flat = pairs.reshape(-1, 4, SIDE, SIDE)
    mask, count = flat[:, 3:], len(flat)
    face = torch.where(mask > 0.02, flat[:, :3], 0.5)
    blur = torch.from_numpy(rng.uniform(0.0, 0.5, (count, 1, 1, 1)).astype(np.float32))
    face = torch.lerp(face, functional.avg_pool2d(face, 3, stride=1, padding=1, count_include_pad=False), blur)
    ramp = np.linspace(-1.0, 1.0, SIDE)
    slope = np.clip(rng.normal(0.0, 0.12, (2, count, 1, 1, 1)), -0.3, 0.3)
    gain = np.exp(rng.normal(0.0, 0.12, (count, 1, 1, 1)) + rng.normal(0.0, 0.04, (count, 3, 1, 1)))
    light = gain * (1 + slope[0] * ramp[None, :] + slope[1] * ramp[:, None])
    noise = rng.uniform(0.0, 5.0, (count, 1, 1, 1)) / 255 * rng.standard_normal((count, 3, SIDE, SIDE))
    face = face * torch.from_numpy(light.astype(np.float32)) + torch.from_numpy(noise.astype(np.float32))
    picture = mask * face.clamp(0, 1) + (1 - mask) * (NEUTRAL + 1) / 2
    coded = [_jpeg(face, int(rng.integers(40, 96))) if rng.random() < 0.4 else face for face in picture]
    return torch.stack(coded) * 2 - 1


def _camera(rng: np.random.Generator) -> Floats:
    """Canvas → encoder input with a small roll, zoom and shift, (2, 3)."""
    angle, scale = np.radians(rng.normal(0.0, 2.0)), 0.5 * np.exp(rng.normal(0.0, 0.02))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array(CORNER) + SIDE - 0.5
    return np.column_stack([linear, (SIDE - 1) / 2 + rng.normal(0.0, 1.0, 2) - linear @ middle])


def _jpeg(picture: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    pixels = (picture * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels).save(file, "jpeg", quality=quality)
    with Image.open(file) as coded:
        return torch.from_numpy(np.array(coded)).permute(2, 0, 1).float() / 255
