"""Train the generator against the critic: resumable, deterministic given the seed, in one process or many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.condition import condition as condition_of
from ganonym.synthesis.generator import Generator, compose, on_backdrop
from ganonym.synthesis.perceptual import Perceptual
from ganonym.synthesis.synthesizer import surrogate_condition
from ganonym.types import CANVAS
from ganonym_train.adversarial import Checkpoint, Judges, Recipe, Trainer, take_step
from ganonym_train.critic import Discriminator
from ganonym_train.distributed import Ranks, mean_over_ranks, process_group, require_equal, wrap
from ganonym_train.loop import Steps, append_log, begin_log, export_half, resume, run_steps
from ganonym_train.losses import (
    FaceNetwork,
)
from ganonym_train.pairs import BATCH_PATTERN, Target, batches, load_targets, sampled_face

LOG_COLUMNS = ("step", "discriminator", "adversarial", "features", "energy", "coarse",
               "perceptual", "landmarks", "repulsion", "likeness", "penalty", "real_sign", "augmentation",
               "rate")  # fmt: skip


def train_generator(data: Path, run: Path, output: Path, recipe: Recipe, log: Callable[[str], None]) -> None:
    """Train on the sets in `data`, checkpoint into folder `run` (resumed when present), write EMA weights to `output`.

    `run` receives checkpoint.safetensors, log.csv and grids of synthesized faces. Runs on the GPU when there is one;
    under torchrun every process takes its own slice of each batch, and the first alone writes and logs. Raises
    UsageError when `data` holds fewer than two faces, the recipe asks for less than one step, or `run` is of another.
    """
    with process_group() as ranks:
        _train(data, run, output, recipe, log if ranks.first else _silent, ranks)


def _train(data: Path, run: Path, output: Path, recipe: Recipe, log: Callable[[str], None], ranks: Ranks) -> None:
    if recipe.batch < 1 or recipe.batch % BATCH_PATTERN:
        raise UsageError(f"A batch of {recipe.batch} is no multiple of {BATCH_PATTERN}.", "Ask for 8, 16, 24, …")
    images = recipe.batch * ranks.world
    if recipe.images < images:
        raise UsageError(f"{recipe.images} images are less than one step.", f"Ask for at least {images}.")
    model = load_appearance()
    targets = load_targets(data, model)
    if len(targets) < 2:
        raise UsageError(f"{data} holds {len(targets)} training photographs with a face.", "At least 2 are needed.")
    state = _begin(recipe, ranks.device, images)
    judges = _judges(recipe, targets, model, ranks.device)
    done = resume(state, run)
    steps = Steps(recipe.images // images, recipe.save_every, images, "images", ranks.first)
    if ranks.first:
        begin_log(run / "log.csv", LOG_COLUMNS, done)
    log(f"{len(targets)} photographs, {ranks.world} × {ranks.device}, step {done} of {steps.last}")

    autocast = torch.autocast(ranks.device.type, torch.bfloat16, enabled=recipe.bfloat16)
    wrapped = wrap(state.generator, ranks), wrap(state.discriminator, ranks)
    trainer = Trainer(recipe, ranks, state, judges, *wrapped, autocast)
    canvases = judges.landmarker is not None or judges.face_network is not None
    numbers = range(done, steps.last)
    upcoming = batches(targets, model, recipe.seed, numbers, ranks, recipe.batch, canvases, recipe.workers)
    terms = dict.fromkeys(LOG_COLUMNS[1:], torch.zeros(()))

    def take(step: int) -> None:
        crops, whole = next(upcoming)
        take_step(trainer, step, rate_share(step, steps.last), crops, whole, terms)
        if step % 10 == 0 or step == steps.last:
            values = mean_over_ranks((terms[name] for name in LOG_COLUMNS[1:]), ranks)
            if ranks.first:
                append_log(run / "log.csv", step, values)
        if steps.saves(step):
            require_equal(state.generator, ranks)
            require_equal(state.discriminator, ranks)

    def keep(step: int) -> str:
        assert isinstance(state.average, Generator)
        export_half(state.average.state_dict(), output, "generator")
        sample_grid(state.average, model, ranks.device).save(run / f"faces-{step:06d}.png")
        return f"detail off by {float(terms['energy'].detach()):.4f}"

    run_steps(state, run, done, steps, take, keep, log)


def _begin(recipe: Recipe, device: torch.device, images: int) -> Checkpoint:
    """Networks and optimizers before the first step."""
    average = Generator(recipe.generator_widths).to(device).to(memory_format=torch.channels_last).requires_grad_(False)
    torch.manual_seed(recipe.seed)
    generator = Generator(recipe.generator_widths).to(device).to(memory_format=torch.channels_last)
    discriminator = Discriminator(recipe.discriminator_width).to(device).to(memory_format=torch.channels_last)
    generator.apply(_initialise)
    if recipe.start is not None:
        generator.load_state_dict({name: value.float() for name, value in load_file(recipe.start).items()})
    average.load_state_dict(generator.state_dict())
    return Checkpoint(
        generator,
        average,
        discriminator,
        torch.optim.Adam(generator.parameters(), recipe.generator_rate, betas=(0.5, 0.99)),
        torch.optim.Adam(discriminator.parameters(), recipe.discriminator_rate, betas=(0.5, 0.99)),
        torch.zeros(1, dtype=torch.float64),
        images,
    )


def _judges(recipe: Recipe, targets: list[Target], model: AppearanceModel, device: torch.device) -> Judges:
    weights = recipe.weights
    face_network = recipe.face_network if weights.repulsion or weights.likeness else None
    return Judges(
        Perceptual(recipe.perceptual).to(device) if recipe.perceptual and weights.perceptual else None,
        recipe.landmarker if weights.landmarks else None,
        face_network,
        _gallery(targets, model, face_network, device) if face_network else None,
    )


def rate_share(step: int, last: int) -> float:
    """Share of the learning rate at `step` of 1…`last`: 1 for two thirds, then a cosine down to a tenth."""
    through = max(0.0, (3 * step / last - 2))
    return 0.1 + 0.45 * (1 + float(np.cos(np.pi * through)))


@torch.no_grad()
def _gallery(targets: list[Target], model: AppearanceModel, network: FaceNetwork, device: torch.device) -> Tensor:
    """Embeddings (n, d) of the training people, whom no sample may resemble; kept in memory only, never written."""
    rows = []
    for target in targets:
        mask = condition_of(target.points, np.zeros((len(model.raster.pixels), 3), np.float32), model)[None, 3:4]
        picture = on_backdrop(target.image[None].float() / 127.5 - 1, mask).to(device)
        rows.append(network.embed(torch.cat([picture, picture.flip(-1)])))
    return torch.cat(rows)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d) and module.weight.abs().sum() > 0:  # the last layer stays 0
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _silent(_: str) -> None:
    pass


@torch.no_grad()
def sample_grid(generator: Generator, model: AppearanceModel, device: torch.device) -> Image.Image:
    """Two rows of the same eight virtual faces: the plain surrogate above, the generator's output below."""
    rng = np.random.default_rng(7)
    conditions = torch.stack([surrogate_condition(sampled_face(model, rng), model) for _ in range(8)]).to(device)
    plain = compose(conditions, torch.zeros_like(conditions[:, :3]))
    pictures = torch.stack([plain, compose(conditions, generator(conditions))]).cpu()
    pixels = ((pictures + 1) * 127.5).clamp(0, 255).byte().permute(0, 3, 1, 4, 2)
    return Image.fromarray(pixels.reshape(2 * CANVAS, 8 * CANVAS, 3).numpy())
