"""Train the bundled gestalt encoder: a small iResNet that tells people apart, before it learns any syndrome.

CosFace (Wang et al., CVPR 2018) on people with several photographs each; the head is thrown away. GestaltMatcher-Arc
and others start from it. What published systems do on CASIA-WebFace or Glint360K, whose licences forbid bundling, is
done here on virtual people, who need none: `ganonym phantom` photographs them; any manifest of people with several
photographs each does as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.cohort import Crop, Portrait, portraits
from ganonym.classify.learning.fit import seeded
from ganonym.classify.learning.heads import cosface_logits, cosines
from ganonym.classify.networks.iresnet import IResNet, IResNetForm, embeddings, normalised
from ganonym.errors import UsageError
from ganonym.manifest import read_manifest
from ganonym.types import LUMA
from ganonym_train.loop import Steps, descend, export_half, resume, run_steps, set_rate

HELD_OUT = 60


@dataclass(frozen=True, slots=True)
class Crops:
    """Crops (n, ...) uint8 and who is on them, (n,) numbers from 0."""

    pixels: NDArray[np.uint8]
    person: NDArray[np.intp]

    @property
    def people(self) -> int:
        return int(self.person.max()) + 1

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """(n,) The last people, HELD_OUT of them and at most a fifth: they say how well strangers are told apart."""
        return self.person >= self.people - min(HELD_OUT, self.people // 5)


def read_crops(
    manifest: Path,
    folder: Path,
    crop: Crop,
    jobs: int,
    log: Callable[[str], None],
) -> Crops:
    """The `crop` of the faces of a manifest's photographs below `folder`.

    Raises UsageError when nobody has two.
    """
    rows = list(read_manifest(manifest).rows.values())
    answers = portraits([folder / row.image for row in rows], (crop,), jobs)
    kept = [index for index, answer in enumerate(answers) if isinstance(answer, Portrait)]
    log(f"{len(kept)} of {len(rows)} photographs show a face")
    people = [rows[index].subject for index in kept]
    if len(kept) < 2 or len(set(people)) == len(people):
        raise UsageError(f"{manifest} shows nobody on two photographs.", "Identities need several photographs each.")
    person = np.unique(np.array(people), return_inverse=True)[1].astype(np.intp)
    return Crops(np.stack([answer.crop(crop) for answer in answers if isinstance(answer, Portrait)]), person)


def rank1(vectors: NDArray[np.floating], person: NDArray[np.intp]) -> float:
    """Share of photographs whose nearest other one, by cosine of vectors (n, d), shows the same person; NaN of none.

    >>> rank1(np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [1.0, 0.3]]), np.array([0, 0, 1, 1]))
    0.75
    """
    if not len(vectors):
        return float("nan")
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -2.0)
    return float(np.mean(person[likeness.argmax(axis=1)] == person))


FORM = IResNetForm(blocks=(1, 1, 2, 1), widths=(16, 32, 64, 128), embedding=128, side=96)
MARGIN, SCALE = 0.35, 30.0
_SHIFT = 3


@dataclass(frozen=True, slots=True)
class GestaltRecipe:
    """Everything that decides the weights, beside the photographs."""

    steps: int = 700
    batch: int = 64
    rate: float = 2e-3
    decay: float = 5e-4
    seed: int = 1
    save_every: int = 50
    form: IResNetForm = FORM


@dataclass(frozen=True, slots=True)
class _State:
    network: IResNet
    head: nn.Module
    optimizer: torch.optim.Optimizer


def train_gestalt(crops: Crops, run: Path, output: Path, recipe: GestaltRecipe, log: Callable[[str], None]) -> None:
    """Train, checkpoint into the folder `run`, write the network in half precision to `output`.

    Some people are kept out (`Crops.unseen`) and say how well strangers are told apart.
    Resumed when `run` holds a checkpoint; each step depends on (seed, step) alone.
    """
    people, unseen = crops.people, crops.unseen
    pixels, person = crops.pixels[~unseen], torch.from_numpy(crops.person[~unseen])
    network = seeded(lambda: IResNet(recipe.form), recipe.seed)
    assert isinstance(network, IResNet)
    head = seeded(lambda: nn.Linear(recipe.form.embedding, int(person.max()) + 1, bias=False), recipe.seed + 1)
    weights = [weight for weight in (*network.parameters(), *head.parameters()) if weight.requires_grad]
    state = _State(network, head, torch.optim.AdamW(weights, recipe.rate, weight_decay=recipe.decay))
    done = resume(state, run)
    log(f"{people} people in {len(crops.pixels)} photographs, step {done} of {recipe.steps}")
    last = torch.zeros(())

    def take(step: int) -> None:
        nonlocal last
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        rows = torch.randint(len(pixels), (recipe.batch,), generator=generator)
        batch = varied(normalised(pixels[rows.numpy()]), generator)
        share = min(step / 50, 0.5 * (1 + float(np.cos(np.pi * step / recipe.steps))))
        set_rate(state.optimizer, recipe.rate * share)
        network.train()
        with torch.autocast("cpu", torch.bfloat16):
            features = network(batch)
        last = cosface(features.float(), head.weight, person[rows])  # type: ignore[arg-type]
        descend(last, state.optimizer)

    def keep(_step: int) -> str:
        export_half(network.state_dict(), output, "gestalt")
        score = rank1(embeddings(network.eval(), crops.pixels[unseen]), crops.person[unseen])
        return f"loss {float(last.detach()):.3f}, rank-1 of unseen people {score:.3f}"

    run_steps(state, run, done, Steps(recipe.steps, recipe.save_every), take, keep, log)


def cosface(features: Tensor, centres: Tensor, person: Tensor) -> Tensor:
    """Cross-entropy of scaled cosines (n, d) · (c, d)ᵀ less a margin at the true one (CosFace, equation 4)."""
    return functional.cross_entropy(cosface_logits(cosines(features, centres.T), person, MARGIN, SCALE), person)


def varied(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (n, 3, s, s) in −1 … 1, mirrored, shifted by up to 3 px, in other light, and some in grey."""
    count = len(pictures)

    def uniform(low: float, high: float, width: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(count, width, 1, 1, generator=generator)

    flipped = torch.where(uniform(0, 1) < 0.5, pictures.flip(3), pictures)
    padded = functional.pad(flipped, (_SHIFT,) * 4, mode="replicate")
    side = pictures.shape[-1]
    places = torch.randint(2 * _SHIFT + 1, (count, 2), generator=generator).tolist()
    moved = torch.stack([face[:, y : y + side, x : x + side] for face, (y, x) in zip(padded, places, strict=True)])
    lit = moved * uniform(0.7, 1.3) + uniform(-0.25, 0.25) + uniform(-0.1, 0.1, 3)
    grey = (lit * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True).expand_as(lit)
    return torch.where(uniform(0, 1) < 0.2, grey, lit).clamp(-1, 1)
