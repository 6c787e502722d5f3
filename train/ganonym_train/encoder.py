"""Train the encoder: tell virtual people and training photographs apart, whatever the expression, light and camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.encoder import WIDTHS, Encoder
from ganonym_train.checkpoint import export_half, load_checkpoint, save_checkpoint
from ganonym_train.snapshots import exposed, photograph_pairs, real_pairs, virtual_pairs


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
    run.mkdir(parents=True, exist_ok=True)
    done = load_checkpoint(state, run / "checkpoint.safetensors")
    held_out = exposed(
        virtual_pairs(recipe.held_out, model, np.random.default_rng([recipe.seed, 0, 1])), _held_out_rng(recipe)
    )
    log(f"{len(people)} people in photographs, step {done} of {recipe.steps}")

    started = time.monotonic()
    for step in range(done + 1, recipe.steps + 1):
        network.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        pictures = _batch(people, model, recipe, step).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            features = network(pictures)
        loss = contrastive(features, recipe.temperature)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % recipe.save_every == 0 or step == recipe.steps:
            save_checkpoint(state, step, run / "checkpoint.safetensors")
            export_half(network, output, "encoder")
            rate = (step - done) / (time.monotonic() - started)
            log(
                f"step {step} of {recipe.steps}, {rate:.2f} steps/s, loss {float(loss.detach()):.3f}, "
                f"rank-1 of {recipe.held_out} unseen virtual people {rank1(network, held_out):.3f}"
            )


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
