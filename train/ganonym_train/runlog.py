"""What a training run leaves to look at: losses as CSV, and a grid of virtual faces."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganonym.faces.appearance import AppearanceModel
from ganonym.synthesis.generator import Generator, compose
from ganonym.synthesis.synthesizer import surrogate_condition
from ganonym.types import CANVAS
from ganonym_train.pairs import sampled_face


def begin_log(path: Path, columns: tuple[str, ...], done: int) -> None:
    """A header, and of an earlier run the rows up to step `done`: later ones are about to be written again."""
    rows = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row[0].isdecimal() and int(row[0]) <= done]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def append_log(path: Path, step: int, values: list[float]) -> None:
    """One row more."""
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([step, *(f"{value:.5f}" for value in values)])


@torch.no_grad()
def sample_grid(generator: Generator, model: AppearanceModel, device: torch.device) -> Image.Image:
    """Two rows of the same eight virtual faces: the plain surrogate above, the generator's output below."""
    rng = np.random.default_rng(7)
    conditions = torch.stack([surrogate_condition(sampled_face(model, rng), model) for _ in range(8)]).to(device)
    plain = compose(conditions, torch.zeros_like(conditions[:, :3]))
    pictures = torch.stack([plain, compose(conditions, generator(conditions))]).cpu()
    pixels = ((pictures + 1) * 127.5).clamp(0, 255).byte().permute(0, 3, 1, 4, 2)
    return Image.fromarray(pixels.reshape(2 * CANVAS, 8 * CANVAS, 3).numpy())
