"""Train the landmark network on samples of the appearance model and on photographs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganonym.errors import UsageError
from ganonym.faces.appearance import load_appearance
from ganonym.faces.landmark_network import CELLS, WIDTHS, LandmarkNet
from ganonym_train.landmark_sources import Sources, photograph_sources, sampled_sources
from ganonym_train.landmark_views import crops_through, photographed, sample_bending, to_unit
from ganonym_train.loop import Steps, descend, export_half, follow, resume, run_steps, set_rate

# Of each batch: samples, photographs with manual points, and photographs without, of which two views must agree.
SAMPLES, LABELLED, PAIRED = 18, 8, 3
BATCH = SAMPLES + LABELLED + 2 * PAIRED
DISTANCE, HEAT, CONSISTENCY = 10.0, 0.3, 2.0
WARM_UP, ROOM = 100, 0.95


@dataclass(frozen=True, slots=True)
class LandmarkRecipe:
    """Everything that decides the weights, beside the data. `images` is the number of views seen in all.

    `samples` of the appearance model are drawn once and seen in many views. The weights ship in the default widths.
    """

    images: int = 76_800
    samples: int = 3_000
    seed: int = 1
    rate: float = 2e-3
    ema: float = 0.998
    save_every: int = 100
    widths: tuple[int, int, int, int] = WIDTHS


@dataclass(frozen=True, slots=True)
class _State:
    network: LandmarkNet
    average: LandmarkNet
    optimizer: torch.optim.AdamW


def train_landmarks(data: Path, run: Path, output: Path, recipe: LandmarkRecipe, log: Callable[[str], None]) -> None:
    """Train on samples of the bundled appearance model and the photographs in `data`; write EMA weights to `output`.

    Folder `run` receives checkpoint.safetensors and is resumed when present. Raises UsageError when the recipe asks
    for less than one step or for no sample, or when `data` has no manifest.
    """
    if recipe.images < BATCH or recipe.samples < 1:
        raise UsageError(f"{recipe.images} images are less than one step.", f"Ask for at least {BATCH}.")
    labelled, others = photograph_sources(data)
    backgrounds = torch.cat([labelled.pictures, others.pictures])
    samples = sampled_sources(recipe.samples, load_appearance(), backgrounds, np.random.default_rng([recipe.seed, 0]))
    torch.manual_seed(recipe.seed)
    network, average = (_memory(LandmarkNet(recipe.widths)) for _ in range(2))
    average.load_state_dict(network.state_dict())
    average.requires_grad_(False)
    state = _State(network, average, torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=1e-3))
    done, last = resume(state, run), recipe.images // BATCH
    log(f"{len(samples)} samples, {len(labelled)} photographs with points, {len(others)} others; step {done} of {last}")
    recent = 0.0

    def take(step: int) -> None:
        nonlocal recent
        falling = 0.51 + 0.49 * math.cos(math.pi * step / last)
        set_rate(state.optimizer, recipe.rate * min(1.0, step / WARM_UP) * falling)
        loss, error = _losses(network, samples, labelled, others, np.random.default_rng([recipe.seed, 1, step]))
        descend(loss, state.optimizer, longest=5.0)
        follow(average, network, min(recipe.ema, step / (step + 10)))
        recent = 0.98 * recent + 0.02 * error if recent else error

    def keep(_step: int) -> str:
        weights = {key: tensor for key, tensor in average.state_dict().items() if tensor.is_floating_point()}
        export_half(weights, output, "landmarks")  # counts of batches stay behind
        return f"mean error {recent:.4f} of the crop"

    run_steps(state, run, done, Steps(last, recipe.save_every, BATCH, "views"), take, keep, log)


def _losses(
    network: LandmarkNet, samples: Sources, labelled: Sources, others: Sources, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """The loss of one batch, and the mean distance of points with labels as a share of the crop's side."""
    with_labels = LABELLED if len(labelled) else 0
    pairs = PAIRED if len(others) else 0
    drawn = rng.integers(len(samples), size=BATCH - with_labels - 2 * pairs)
    sources = [_some(samples, drawn)]
    if with_labels:
        sources.append(_some(labelled, rng.integers(len(labelled), size=with_labels)))
    if pairs:
        sources.append(_some(others, np.tile(rng.choice(len(others), pairs), 2)))
    pictures = torch.cat([source.pictures for source in sources])
    labelled_points = torch.cat([source.known for source in sources])
    bending = sample_bending(BATCH, rng)
    target = bending.landmarks_to_crop(to_unit(torch.cat([source.points for source in sources])))
    labelled_points = bending.renumbered(labelled_points[..., None])[..., 0] & (target.abs() < ROOM).all(-1)
    crops = photographed(crops_through(pictures, bending), rng).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        points, heat = network(crops)

    distance = ((points - target).square().sum(-1) + 1e-6).sqrt()
    error = distance[labelled_points].mean()
    loss = DISTANCE * error + HEAT * _cross_entropy(heat, target, network.centres)[labelled_points].mean()
    if pairs:
        first, second = bending.landmarks_to_source(points)[-2 * pairs :].chunk(2)
        loss = loss + CONSISTENCY * (first - second).abs().mean()
    return loss, float(error.detach()) / 2


def _some(sources: Sources, numbers: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Sources:
    chosen = torch.from_numpy(numbers)
    return Sources(sources.pictures[chosen], sources.points[chosen], sources.known[chosen])


def _cross_entropy(heat: Tensor, target: Tensor, centres: Tensor) -> Tensor:
    """Between a Gaussian of one cell around `target` (n, p, 2) and the log heatmaps (n, p, c, c): (n, p)."""
    x, y = ((-0.5 * ((target[..., axis, None] - centres) * (CELLS / 2)) ** 2).softmax(-1) for axis in (0, 1))
    return -torch.einsum("npy,npx,npyx->np", y, x, heat)


def _memory(network: LandmarkNet) -> LandmarkNet:
    return network.to(memory_format=torch.channels_last)
