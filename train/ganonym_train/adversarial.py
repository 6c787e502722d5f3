"""One step of adversarial training: the generator against the critic, and what decides the weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from ganonym.synthesis.generator import WIDTHS, compose, on_backdrop
from ganonym.synthesis.perceptual import Perceptual
from ganonym_train.critic import adapted, augment
from ganonym_train.distributed import Ranks, accumulating, mean_over_ranks, unwrap
from ganonym_train.loop import follow, set_rate
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
from ganonym_train.pairs import BATCH_PATTERN, Faces

# Gradients longer than this are shortened to it: far above what ordinary steps have.
LONGEST = 10.0
# Steps over which the rate of a generator that can draw already rises, since a new critic would lead it astray.
CRITIC_LEARNS = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, beside the data. `images` is the number of training items seen in all.

    `batch` items make a step of one process; of each item the networks see two crops. The learning rates fall to a
    tenth over the last third of `images`, so a run resumed with more `images` follows another schedule. With `start`,
    weights of a generator, learning begins there, slowly while the critic knows nothing. The weights ship in the
    default widths only.
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
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything a run needs to continue: networks, Adam states, and the probability of augmentation, float64 (1,).

    `images` is the number of items in one step of all processes together: it says what a step number means.
    """

    generator: nn.Module
    average: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    probability: Tensor
    images: int


@dataclass(frozen=True, slots=True)
class Judges:
    """Fixed networks that some terms ask, None where the recipe leaves these out.

    `gallery`: unit vectors (n, d) of the training people, whom no sample may resemble.
    """

    perceptual: Perceptual | None
    landmarker: Landmarker | None
    face_network: FaceNetwork | None
    gallery: Tensor | None


@dataclass(frozen=True, slots=True)
class Trainer:
    """What every step needs. `generator` and `discriminator` are those of `state`, gradients averaged over ranks."""

    recipe: Recipe
    ranks: Ranks
    state: Checkpoint
    judges: Judges
    generator: nn.Module
    discriminator: nn.Module
    autocast: torch.autocast


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the networks look at: crops drawn by the generator (`output`), their targets, and both as the critic sees
    them, augmented alike; `real` (n,) where the target is a photograph or a morph of two."""

    output: Tensor
    target: Tensor
    augmented: Tensor
    augmented_target: Tensor
    augmented_parts: Tensor
    real: Tensor


def take_step(
    trainer: Trainer, step: int, share: float, crops: Faces, whole: Faces | None, terms: dict[str, Tensor]
) -> None:
    """One step at `share` of the learning rates; the value of each term goes into `terms`."""
    recipe, state = trainer.recipe, trainer.state
    begun = 1.0 if recipe.start is None else min(1.0, step / CRITIC_LEARNS)
    set_rate(state.generator_optimizer, recipe.generator_rate * share * begun)
    set_rate(state.discriminator_optimizer, recipe.discriminator_rate * share)
    state.generator_optimizer.zero_grad(set_to_none=True)
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    # Whole canvases first, for the networks that need a whole face; their gradients wait for those of the crops.
    if whole is not None:
        _draw_whole(trainer, whole, terms)
    chance = float(state.probability) if recipe.weights.augmentation else 0.0
    shown = _draw(trainer, step, crops, chance)
    real_sign = _teach_critic(trainer, step, shown, terms)
    _teach_generator(trainer, shown, terms)
    follow(state.average, state.generator, min(recipe.ema, step / (step + 10)))
    terms["real_sign"] = torch.tensor(mean_over_ranks([real_sign], trainer.ranks)[0])
    terms["augmentation"], terms["rate"] = torch.tensor(chance), torch.tensor(recipe.generator_rate * share)
    state.probability.fill_(adapted(float(state.probability), float(terms["real_sign"]), state.images))


def _draw_whole(trainer: Trainer, whole: Faces, terms: dict[str, Tensor]) -> None:
    """Gradients of the terms that look at whole faces."""
    weights = trainer.recipe.weights
    with accumulating(trainer.generator):
        whole = whole.to(trainer.ranks.device)
        whole.condition[:, :3] *= weights.surrogate
        with trainer.autocast:
            faces = compose(whole.condition, trainer.generator(whole.condition)).float()
        terms |= _of_whole_faces(faces, whole, trainer.judges)
        loss = sum(getattr(weights, name) * terms[name] for name in ("landmarks", "repulsion", "likeness"))
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]


def _draw(trainer: Trainer, step: int, crops: Faces, chance: float) -> _Shown:
    crops = crops.to(trainer.ranks.device)
    crops.condition[:, :3] *= trainer.recipe.weights.surrogate
    mask, parts = crops.condition[:, 3:4], crops.condition[:, 3:]
    target = on_backdrop(crops.target, mask)
    with trainer.autocast:
        output = compose(crops.condition, trainer.generator(crops.condition)).float()
    seed = trainer.recipe.seed, step, trainer.ranks.rank
    return _Shown(output, target, *augment(output, target, parts, chance, seed), crops.real)


def _teach_critic(trainer: Trainer, step: int, shown: _Shown, terms: dict[str, Tensor]) -> Tensor:
    """A step of the critic; returns the mean sign of its scores of real pictures."""
    penalty, state = trainer.recipe.weights.penalty, trainer.state
    real_target, real_parts = shown.augmented_target[shown.real], shown.augmented_parts[shown.real]
    if penalty and step % PENALTY_EVERY == 0:
        with accumulating(trainer.discriminator):
            terms["penalty"] = gradient_penalty(state.discriminator, real_target, real_parts)
            (penalty / 2 * PENALTY_EVERY * terms["penalty"]).backward()  # type: ignore[no-untyped-call]
    with trainer.autocast:  # real and fake in one forward: one backward for one forward is what data parallelism knows
        scores = trainer.discriminator(
            torch.cat([real_target, shown.augmented.detach()]), torch.cat([real_parts, shown.augmented_parts])
        )
        count = int(shown.real.sum())
        real_scores = [[feature[:count] for feature in scale] for scale in scores]
        fake_scores = [[feature[count:] for feature in scale] for scale in scores]
        terms["discriminator"] = discriminator_hinge(real_scores, fake_scores)
    terms["discriminator"].backward()  # type: ignore[no-untyped-call]
    clip_grad_norm_(state.discriminator.parameters(), LONGEST)
    state.discriminator_optimizer.step()
    return torch.cat([scale[-1].detach().sign().float().flatten() for scale in real_scores]).mean()


def _teach_generator(trainer: Trainer, shown: _Shown, terms: dict[str, Tensor]) -> None:
    """A step of the generator, down all gradients since they were last set to zero."""
    state, real, weights = trainer.state, shown.real, trainer.recipe.weights
    critic = unwrap(trainer.discriminator)
    state.discriminator.requires_grad_(False)
    with trainer.autocast:
        fake_scores = critic(shown.augmented, shown.augmented_parts)
        with torch.no_grad():
            real_scores = critic(shown.augmented_target[real], shown.augmented_parts[real])
        paired = [[feature[real] for feature in scale] for scale in fake_scores]
        terms["features"] = feature_matching(real_scores, paired)
        terms["adversarial"] = generator_hinge(fake_scores)
    state.discriminator.requires_grad_(True)
    terms["energy"] = band_energy(shown.output[real], shown.target[real])
    terms["coarse"] = (_blur(shown.output[~real]) - _blur(shown.target[~real])).abs().mean()
    if trainer.judges.perceptual:
        terms["perceptual"] = trainer.judges.perceptual(shown.output[real], shown.target[real])
    loss = (
        weights.energy * terms["energy"]
        + weights.features * terms["features"]
        + weights.adversarial * terms["adversarial"]
        + weights.coarse * terms["coarse"]
        + weights.perceptual * terms["perceptual"].to(trainer.ranks.device)
    )
    loss.backward()  # type: ignore[no-untyped-call]
    clip_grad_norm_(state.generator.parameters(), LONGEST)
    state.generator_optimizer.step()


def _of_whole_faces(faces: Tensor, whole: Faces, judges: Judges) -> dict[str, Tensor]:
    """Terms of whole synthesized faces (n, 3, 256, 256): where their landmarks lie, whom they resemble."""
    terms = {}
    if judges.landmarker is not None:
        terms["landmarks"] = landmark_consistency(faces, whole.points, judges.landmarker)
    network = judges.face_network
    if network is not None and judges.gallery is not None:
        real = whole.real
        terms["repulsion"] = identity_repulsion(network.embed(faces[~real]), judges.gallery)
        wanted = on_backdrop(whole.target, whole.condition[:, 3:4])
        terms["likeness"] = feature_distance(faces[real], wanted[real], network.features)
    return terms


def _blur(image: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(image, 8)
