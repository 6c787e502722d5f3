"""Train the generator: one plain loop, resumable, deterministic given the seed, in one process or many."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.condition import condition as condition_of
from ganonym.synthesis.generator import WIDTHS, Generator, compose, on_backdrop
from ganonym.synthesis.perceptual import Perceptual
from ganonym_train.checkpoint import Checkpoint, export_generator, load_checkpoint, save_checkpoint
from ganonym_train.critic import Discriminator, adapted, augment
from ganonym_train.distributed import Ranks, accumulating, mean_over_ranks, process_group, require_equal, unwrap, wrap
from ganonym_train.losses import (
    PENALTY_EVERY,
    WEIGHTS,
    FaceNetwork,
    Landmarker,
    Weights,
    band_energy,
    discriminator_hinge,
    feature_distance,
    feature_matching,
    generator_hinge,
    gradient_penalty,
    identity_repulsion,
    landmark_consistency,
)
from ganonym_train.pairs import BATCH_PATTERN, Faces, Target, batches, load_targets
from ganonym_train.runlog import append_log, begin_log, sample_grid

LOG_COLUMNS = ("step", "discriminator", "adversarial", "features", "energy", "coarse",
               "perceptual", "landmarks", "repulsion", "likeness", "penalty", "real_sign", "augmentation",
               "rate")  # fmt: skip
# Gradients longer than this are shortened to it: far above what ordinary steps have.
LONGEST = 10.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, beside the data. `images` is the number of training items seen in all.

    `batch` items make a step of one process; of each item the networks see two crops. The learning rates fall to a
    tenth over the last third of `images`, so a run resumed with more `images` follows another schedule. The weights
    ship in the default widths only.
    """

    images: int = 7_200
    seed: int = 1
    batch: int = BATCH_PATTERN
    generator_rate: float = 2e-4
    discriminator_rate: float = 4e-4
    ema: float = 0.999
    save_every: int = 100
    weights: Weights = WEIGHTS
    perceptual: Path | None = None
    landmarker: Landmarker | None = None
    face_network: FaceNetwork | None = None
    generator_widths: tuple[int, int, int, int] = WIDTHS
    discriminator_width: int = 48
    bfloat16: bool = True
    workers: int = 1


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
    device, weights = ranks.device, recipe.weights
    model = load_appearance()
    targets = load_targets(data, model)
    if len(targets) < 2:
        raise UsageError(f"{data} holds {len(targets)} training photographs with a face.", "At least 2 are needed.")
    average = Generator(recipe.generator_widths).to(device).to(memory_format=torch.channels_last).requires_grad_(False)
    torch.manual_seed(recipe.seed)
    generator = Generator(recipe.generator_widths).to(device).to(memory_format=torch.channels_last)
    discriminator = Discriminator(recipe.discriminator_width).to(device).to(memory_format=torch.channels_last)
    generator.apply(_initialise)
    average.load_state_dict(generator.state_dict())
    generator_optimizer = torch.optim.Adam(generator.parameters(), recipe.generator_rate, betas=(0.5, 0.99))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), recipe.discriminator_rate, betas=(0.5, 0.99))
    perceptual = Perceptual(recipe.perceptual).to(device) if recipe.perceptual and weights.perceptual else None
    landmarker = recipe.landmarker if weights.landmarks else None
    face_network = recipe.face_network if weights.repulsion or weights.likeness else None
    gallery = _gallery(targets, model, face_network, device) if face_network else None

    probability = torch.zeros(1, dtype=torch.float64)
    state = Checkpoint(
        generator, average, discriminator, generator_optimizer, discriminator_optimizer, probability, images
    )
    run.mkdir(parents=True, exist_ok=True)
    done = load_checkpoint(state, run / "checkpoint.safetensors")
    last = recipe.images // images
    if ranks.first:
        begin_log(run / "log.csv", LOG_COLUMNS, done)
    log(f"{len(targets)} photographs, {ranks.world} × {device}, step {done} of {last}")

    parallel_generator, parallel_discriminator = wrap(generator, ranks), wrap(discriminator, ranks)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=recipe.bfloat16)
    canvases = landmarker is not None or face_network is not None
    upcoming = batches(targets, model, recipe.seed, range(done, last), ranks, recipe.batch, canvases, recipe.workers)
    found = dict.fromkeys(LOG_COLUMNS[1:], torch.zeros(()))
    started = time.monotonic()
    for step, (crops, whole) in enumerate(upcoming, start=done + 1):
        share = rate_share(step, last)
        _set_rate(generator_optimizer, recipe.generator_rate * share)
        _set_rate(discriminator_optimizer, recipe.discriminator_rate * share)
        generator_optimizer.zero_grad(set_to_none=True)
        discriminator_optimizer.zero_grad(set_to_none=True)

        # Whole canvases first, for the networks that need a whole face; their gradients wait for those of the crops.
        if whole is not None:
            with accumulating(parallel_generator):
                whole = whole.to(device)
                whole.condition[:, :3] *= weights.surrogate
                with autocast:
                    faces = compose(whole.condition, parallel_generator(whole.condition)).float()
                found |= _of_whole_faces(faces, whole, landmarker, face_network, gallery)
                loss = sum(getattr(weights, name) * found[name] for name in ("landmarks", "repulsion", "likeness"))
                if isinstance(loss, Tensor) and loss.requires_grad:
                    loss.backward()  # type: ignore[no-untyped-call]

        crops = crops.to(device)
        crops.condition[:, :3] *= weights.surrogate
        real, mask, parts = crops.real, crops.condition[:, 3:4], crops.condition[:, 3:]
        target = on_backdrop(crops.target, mask)
        with autocast:
            output_image = compose(crops.condition, parallel_generator(crops.condition)).float()

        chance = float(probability) if weights.augmentation else 0.0
        shown, shown_target, shown_parts = augment(output_image, target, parts, chance, (recipe.seed, step, ranks.rank))
        if weights.penalty and step % PENALTY_EVERY == 0:
            with accumulating(parallel_discriminator):
                found["penalty"] = gradient_penalty(discriminator, shown_target[real], shown_parts[real])
                (weights.penalty / 2 * PENALTY_EVERY * found["penalty"]).backward()  # type: ignore[no-untyped-call]
        with autocast:  # real and fake in one forward: one backward for one forward is what data parallelism knows
            scores = parallel_discriminator(
                torch.cat([shown_target[real], shown.detach()]), torch.cat([shown_parts[real], shown_parts])
            )
            count = int(real.sum())
            real_scores = [[feature[:count] for feature in scale] for scale in scores]
            fake_scores = [[feature[count:] for feature in scale] for scale in scores]
            found["discriminator"] = discriminator_hinge(real_scores, fake_scores)
        found["discriminator"].backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(discriminator.parameters(), LONGEST)
        discriminator_optimizer.step()
        real_sign = torch.cat([scale[-1].detach().sign().float().flatten() for scale in real_scores]).mean()

        discriminator.requires_grad_(False)
        with autocast:
            fake_scores = unwrap(parallel_discriminator)(shown, shown_parts)
            with torch.no_grad():
                real_scores = unwrap(parallel_discriminator)(shown_target[real], shown_parts[real])
            paired = [[feature[real] for feature in scale] for scale in fake_scores]
            found["features"] = feature_matching(real_scores, paired)
            found["adversarial"] = generator_hinge(fake_scores)
        discriminator.requires_grad_(True)
        found["energy"] = band_energy(output_image[real], target[real])
        found["coarse"] = (_blur(output_image[~real]) - _blur(target[~real])).abs().mean()
        if perceptual:
            found["perceptual"] = perceptual(output_image[real], target[real])
        generator_loss = (
            weights.energy * found["energy"]
            + weights.features * found["features"]
            + weights.adversarial * found["adversarial"]
            + weights.coarse * found["coarse"]
            + weights.perceptual * found["perceptual"].to(device)
        )
        generator_loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(generator.parameters(), LONGEST)
        generator_optimizer.step()
        _average(average, generator, min(recipe.ema, step / (step + 10)))

        found["real_sign"] = torch.tensor(mean_over_ranks([real_sign], ranks)[0])
        found["augmentation"], found["rate"] = torch.tensor(chance), torch.tensor(recipe.generator_rate * share)
        probability.fill_(adapted(float(probability), float(found["real_sign"]), images))
        if step % 10 == 0 or step == last:
            values = mean_over_ranks((found[name] for name in LOG_COLUMNS[1:]), ranks)
            if ranks.first:
                append_log(run / "log.csv", step, values)
        if step % recipe.save_every == 0 or step == last:
            require_equal(generator, ranks)
            require_equal(discriminator, ranks)
            if ranks.first:
                save_checkpoint(state, step, run / "checkpoint.safetensors")
                export_generator(average, output)
                sample_grid(average, model, device).save(run / f"faces-{step:06d}.png")
            rate = (step - done) * images / (time.monotonic() - started)
            left = float(found["energy"].detach())
            log(f"step {step} of {last}, {rate:.1f} images/s, detail off by {left:.4f}")


def rate_share(step: int, last: int) -> float:
    """Share of the learning rate at `step` of 1…`last`: 1 for two thirds, then a cosine down to a tenth."""
    through = max(0.0, (3 * step / last - 2))
    return 0.1 + 0.45 * (1 + float(np.cos(np.pi * through)))


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _of_whole_faces(
    faces: Tensor, whole: Faces, landmarker: Landmarker | None, network: FaceNetwork | None, gallery: Tensor | None
) -> dict[str, Tensor]:
    """Terms of whole synthesized faces (n, 3, 256, 256): where their landmarks lie, whom they resemble."""
    found = {}
    if landmarker is not None:
        found["landmarks"] = landmark_consistency(faces, whole.points, landmarker)
    if network is not None and gallery is not None:
        real = whole.real
        found["repulsion"] = identity_repulsion(network.embed(faces[~real]), gallery)
        wanted = on_backdrop(whole.target, whole.condition[:, 3:4])
        found["likeness"] = feature_distance(faces[real], wanted[real], network.features)
    return found


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


@torch.no_grad()
def _average(average: nn.Module, current: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), current.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


def _blur(image: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(image, 8)


def _silent(_: str) -> None:
    pass
