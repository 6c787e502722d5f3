"""Train the generator: one plain loop, resumable at any step, deterministic given the seed."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.synthesis.discriminator import Discriminator
from ganonym.synthesis.generator import WIDTHS, Generator, compose, on_backdrop
from ganonym.synthesis.losses import (
    Perceptual,
    discriminator_hinge,
    feature_matching,
    generator_hinge,
    laplacian_l1,
)
from ganonym.synthesis.surrogate import surrogate_condition
from ganonym.types import CANVAS
from ganonym_train.checkpoint import Checkpoint, export_generator, load_checkpoint, save_checkpoint
from ganonym_train.pairs import BATCH_PATTERN, Target, crops_of, load_targets, make_item, sampled_face

LOG_COLUMNS = ("step", "discriminator", "adversarial", "features", "reconstruction", "coarse", "perceptual")
RECONSTRUCTION, FEATURES, ADVERSARIAL, PERCEPTUAL = 10.0, 2.0, 0.2, 2.0
# Samples have no target: they are held to their surrogate, firmly in the coarse and lightly in detail.
COARSE, FIDELITY = 10.0, 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, beside the data. `images` is the number of training items seen in all.

    Of each item the networks see two crops. The weights ship in the default widths only.
    """

    images: int = 7_200
    seed: int = 1
    generator_rate: float = 2e-4
    discriminator_rate: float = 4e-4
    ema: float = 0.999
    save_every: int = 100
    perceptual: Path | None = None
    generator_widths: tuple[int, int, int, int] = WIDTHS
    discriminator_width: int = 48


def train_generator(data: Path, run: Path, output: Path, recipe: Recipe, log: Callable[[str], None]) -> None:
    """Train on the sets in `data`, checkpoint into folder `run` (resumed when present), write EMA weights to `output`.

    `run` receives checkpoint.safetensors, log.csv and grids of synthesized faces. Runs on the GPU when there is one.
    Raises UsageError when `data` holds fewer than two faces or the recipe asks for less than one step.
    """
    if recipe.images < BATCH_PATTERN:
        raise UsageError(f"{recipe.images} images are less than one step.", f"Ask for at least {BATCH_PATTERN}.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_appearance()
    targets = load_targets(data, model)
    if len(targets) < 2:
        raise UsageError(f"{data} holds {len(targets)} training photographs with a face.", "At least 2 are needed.")
    generator = Generator(recipe.generator_widths).to(device).to(memory_format=torch.channels_last)
    average = Generator(recipe.generator_widths).to(device).to(memory_format=torch.channels_last).requires_grad_(False)
    torch.manual_seed(recipe.seed)
    discriminator = Discriminator(recipe.discriminator_width).to(device).to(memory_format=torch.channels_last)
    generator.apply(_initialise)
    average.load_state_dict(generator.state_dict())
    generator_optimizer = torch.optim.Adam(generator.parameters(), recipe.generator_rate, betas=(0.5, 0.99))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), recipe.discriminator_rate, betas=(0.5, 0.99))
    perceptual = Perceptual(recipe.perceptual).to(device) if recipe.perceptual else None

    state = Checkpoint(generator, average, discriminator, generator_optimizer, discriminator_optimizer)
    run.mkdir(parents=True, exist_ok=True)
    done = load_checkpoint(state, run / "checkpoint.safetensors")
    last = recipe.images // BATCH_PATTERN
    _begin_log(run / "log.csv", done)
    log(f"{len(targets)} photographs, {device}, step {done} of {last}")

    started = time.monotonic()
    batches = _batches(targets, model, recipe.seed, done, last)
    for step, (condition, target, real) in enumerate(batches, start=done + 1):
        condition = condition.to(device, memory_format=torch.channels_last)
        target = target.to(device, memory_format=torch.channels_last)
        mask, parts = condition[:, 3:4], condition[:, 3:]
        target = on_backdrop(target, mask)
        with torch.autocast(device.type, torch.bfloat16):
            output_image = compose(condition, generator(condition)).float()

            real_scores = discriminator(target[real], parts[real])
            fake_scores = discriminator(output_image.detach(), parts)
            discriminator_loss = discriminator_hinge(real_scores, fake_scores)
            discriminator_optimizer.zero_grad(set_to_none=True)
            discriminator_loss.backward()  # type: ignore[no-untyped-call]
            discriminator_optimizer.step()

            discriminator.requires_grad_(False)
            fake_scores = discriminator(output_image, parts)
            with torch.no_grad():
                real_scores = discriminator(target[real], parts[real])
            paired = [[feature[real] for feature in scale] for scale in fake_scores]
            matching = feature_matching(real_scores, paired)
            adversarial = generator_hinge(fake_scores)
            discriminator.requires_grad_(True)
        reconstruction = laplacian_l1(output_image[real], target[real])
        coarse = (_blur(output_image[~real]) - _blur(target[~real])).abs().mean()
        fidelity = laplacian_l1(output_image[~real], target[~real])
        likeness = perceptual(output_image[real], target[real]) if perceptual else output_image.new_zeros(())
        generator_loss = (
            RECONSTRUCTION * reconstruction
            + FEATURES * matching
            + ADVERSARIAL * adversarial
            + COARSE * coarse
            + FIDELITY * fidelity
            + PERCEPTUAL * likeness
        )
        generator_optimizer.zero_grad(set_to_none=True)
        generator_loss.backward()  # type: ignore[no-untyped-call]
        generator_optimizer.step()
        _average(average, generator, min(recipe.ema, step / (step + 10)))

        if step % 10 == 0 or step == last:
            losses = (discriminator_loss, adversarial, matching, reconstruction, coarse, likeness)
            _append(run / "log.csv", step, *(float(each.detach()) for each in losses))
        if step % recipe.save_every == 0 or step == last:
            save_checkpoint(state, step, run / "checkpoint.safetensors")
            export_generator(average, output)
            _grid(average, model, device).save(run / f"faces-{step:06d}.png")
            rate = (step - done) * BATCH_PATTERN / (time.monotonic() - started)
            log(f"step {step} of {last}, {rate:.1f} images/s, reconstruction {float(reconstruction.detach()):.4f}")


def _batches(
    targets: list[Target], model: AppearanceModel, seed: int, start: int, stop: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches number `start`…`stop` − 1; each depends on (seed, number) alone, so that a resumed run sees the same."""

    def make(number: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([seed, number])
        items = [make_item(targets, model, kind, rng) for kind in range(BATCH_PATTERN)]
        crops = [crop for item in items for crop in crops_of(item, rng)]
        conditions, images, real = zip(*crops, strict=True)
        return torch.stack(conditions), torch.stack(images), torch.tensor(real)

    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(make, start) if start < stop else None
        for number in range(start, stop):
            assert waiting is not None
            batch = waiting.result()
            waiting = ahead.submit(make, number + 1)
            yield batch


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d) and module.weight.abs().sum() > 0:  # the last layer stays 0
        nn.init.kaiming_normal_(module.weight, a=1.0)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def _average(average: nn.Module, current: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), current.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


def _blur(image: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(image, 8)


def _begin_log(path: Path, done: int) -> None:
    """A header, and of an earlier run the rows up to step `done`: later ones are about to be written again."""
    rows = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row[0].isdecimal() and int(row[0]) <= done]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([LOG_COLUMNS, *rows])


def _append(path: Path, step: int, *losses: float) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([step, *(f"{loss:.5f}" for loss in losses)])


@torch.no_grad()
def _grid(generator: Generator, model: AppearanceModel, device: torch.device) -> Image.Image:
    """Two rows of the same eight virtual faces: the plain surrogate above, the generator's output below."""
    rng = np.random.default_rng(7)
    conditions = torch.stack([surrogate_condition(sampled_face(model, rng), model) for _ in range(8)]).to(device)
    plain = compose(conditions, torch.zeros_like(conditions[:, :3]))
    pictures = torch.stack([plain, compose(conditions, generator(conditions))]).cpu()
    pixels = ((pictures + 1) * 127.5).clamp(0, 255).byte().permute(0, 3, 1, 4, 2)
    return Image.fromarray(pixels.reshape(2 * CANVAS, 8 * CANVAS, 3).numpy())
