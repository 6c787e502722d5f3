"""What the landmark network is trained on: small upright pictures of faces, with points where these are known.

Samples of the appearance model have exact points. Photographs have the manual ones (`manual_points`) or none: those
serve consistency only. dlib's detector says where a face is; dlib's landmarks are not used.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganonym.errors import UsageError
from ganonym.faces.align import apply, crop
from ganonym.faces.appearance import AppearanceModel, attributes, sample_texture, texture_of, warp_points
from ganonym.faces.condition import condition
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.landmark_network import BOX_DROP, BOX_TO_POINTS, points_frame
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.photos import turned
from ganonym.photos.decode import read_photo
from ganonym.types import LANDMARKS, RGB, TONES, Box, Floats, Points, Sex
from ganonym_train.manual_points import DEFINED, held_out, manual_points
from ganonym_train.photographs import TRAINING_SETS

SIDE, FILL = 160, 0.5


@dataclass(frozen=True, slots=True)
class Sources:
    """Pictures uint8 (n, 3, 160, 160), points (n, 68, 2) in their pixels (0 where unknown), known (n, 68) bool."""

    pictures: Tensor
    points: Tensor
    known: Tensor

    def __len__(self) -> int:
        return len(self.pictures)


def photograph_sources(data: Path) -> tuple[Sources, Sources]:
    """Training photographs in `data`: those with manual points, and the others. Held-out subjects are in neither.

    Raises UsageError without a manifest.
    """
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        raise UsageError(f"{manifest} does not exist.", "Point --data at a folder with manifest.csv; see checkpoints/.")
    manual = manual_points(data)
    left_out, detector = held_out(set(manual)), DlibDetector()
    labelled: list[tuple[RGB, Points]] = []
    others: list[tuple[RGB, Points]] = []
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] in TRAINING_SETS and row["subject"] not in left_out]
    for row in rows:
        rgb, _ = read_photo(data, row["path"])
        if row["subject"] in manual and row["expression"] == "neutral":
            points = manual[row["subject"]]
            matrix = points_frame(points[DEFINED], SIDE, FILL)
            labelled.append((crop(rgb, matrix, SIDE), apply(matrix, points)))
        elif (seen := _around_face(rgb, detector)) is not None:
            others.append((seen, np.full((LANDMARKS, 2), np.nan)))
    return _stack(labelled), _stack(others)


def _around_face(rgb: RGB, detector: Detector) -> RGB | None:
    boxes = detector.detect(rgb)
    if not boxes:
        return None
    box: Box = boxes[0]
    half = BOX_TO_POINTS * max(box.width, box.height) / 2
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2 + BOX_DROP * box.height
    return crop(rgb, points_frame(np.array([[x - half, y - half], [x + half, y + half]]), SIDE, FILL), SIDE)


def _stack(items: list[tuple[RGB, Points]]) -> Sources:
    if not items:
        return Sources(
            torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8),
            torch.zeros(0, LANDMARKS, 2),
            torch.zeros(0, LANDMARKS, dtype=torch.bool),
        )
    points = torch.from_numpy(np.stack([points for _, points in items]).astype(np.float32))
    pictures = torch.from_numpy(np.stack([rgb for rgb, _ in items])).permute(0, 3, 1, 2).contiguous()
    return Sources(pictures, points.nan_to_num(0.0), ~points.isnan().any(-1))


def sampled_sources(count: int, model: AppearanceModel, backgrounds: Tensor, rng: np.random.Generator) -> Sources:
    """`count` samples of the appearance model with their exact points, on flat, cloudy or photographic backdrops."""
    return _stack([sampled_source(model, backgrounds, rng) for _ in range(count)])


def sampled_source(model: AppearanceModel, backgrounds: Tensor, rng: np.random.Generator) -> tuple[RGB, Points]:
    """One sample (160, 160, 3) and its points. Identity up to 3 SD a direction, any complexion, head turned up to 25°.

    `backgrounds` (n, 3, 160, 160) uint8 are upright faces whose hair and neck show beside the sampled face.
    """
    points, expression = sampled_points(model, rng)
    texture = texture_of(_texture(expression, model, rng), model)
    maps = condition(points, texture, model)[:4]
    matrix = points_frame(points, SIDE, FILL * float(np.exp(rng.normal(0.0, 0.06))))
    # Halved by averaging first: the source has about half the canvas's resolution.
    placed = _place(functional.avg_pool2d(torch.cat([(maps[:3] + 1) / 2 * maps[3:], maps[3:]])[None], 2), matrix)
    face, mask = placed[:3], placed[3:]
    picture = face + (1 - mask) * _backdrop(backgrounds, rng)
    rgb: RGB = (picture * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return rgb, apply(matrix, points)


def sampled_points(model: AppearanceModel, rng: np.random.Generator) -> tuple[Points, Floats]:
    """Canvas points (68, 2) exactly as the warp will draw them, and the expression in SD."""
    shape = model.shape
    identity = rng.standard_normal(len(shape.identity_sd)).clip(-3, 3)
    if rng.random() < 0.5:  # exaggerated: a few directions anywhere up to 3 SD
        few = rng.integers(len(identity), size=6)
        identity[few] = rng.uniform(-3, 3, 6)
    expression = np.clip(rng.normal(0.0, 1.2, len(shape.expression_sd)), -3, 3)
    points = to_canvas(join(identity * shape.identity_sd, expression * shape.expression_sd, shape))
    yaw, pitch = np.clip(rng.normal(0.0, (9.0, 5.0)), (-25, -12), (25, 12)).tolist()
    points = turned(points, yaw, pitch)
    return warp_points(points, shape.mean, model.forehead)[:LANDMARKS], expression


def _texture(expression: Floats, model: AppearanceModel, rng: np.random.Generator) -> Floats:
    sex: Sex = "female" if rng.random() < 0.5 else "male"
    scores, _ = attributes(
        expression * model.shape.expression_sd, int(rng.integers(TONES)), sex, float(rng.integers(18, 81)), model
    )
    return sample_texture(scores, model, rng, spread=1.0)[: int(rng.integers(16, len(model.texture_basis) + 1))]


def _place(half: Tensor, matrix: Floats) -> Tensor:
    """Canvas layers at half size (1, 4, 128, 128) where `matrix` (canvas → 160 px) puts them: (4, 160, 160)."""
    scale, shift = float(matrix[0, 0]), matrix[:, 2]
    canvas = (torch.arange(SIDE)[None] - torch.from_numpy(shift)[:, None]) / scale
    x, y = (canvas + 0.5) / half.shape[-1] - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None].to(half.dtype)
    return functional.grid_sample(half, grid, align_corners=False)[0]


def _backdrop(backgrounds: Tensor, rng: np.random.Generator) -> Tensor:
    kind = rng.random()
    if kind < 0.3 or (kind >= 0.5 and not len(backgrounds)):
        colour = rng.uniform(0, 1) + rng.normal(0, 0.05, 3)
        return torch.from_numpy(colour.clip(0, 1).astype(np.float32))[:, None, None].expand(3, SIDE, SIDE)
    if kind < 0.5:
        coarse = torch.from_numpy(rng.uniform(0, 1, (1, 3, *rng.integers(2, 12, 2))).astype(np.float32))
        return functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear", align_corners=False)[0]
    picture = backgrounds[int(rng.integers(len(backgrounds)))].float() / 255
    return picture.flip(-1) if rng.random() < 0.5 else picture
