"""What the landmark network is trained on: small upright pictures of faces, with points where these are known.

Samples of the appearance model have exact points. Photographs have manual ones or none: those serve consistency only.
The manual ones are London's 189-point templates, brought to the iBUG-68 scheme where the two mean the same places.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
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
        expression * model.shape.expression_sd, int(rng.integers(TONES)), sex, float(rng.integers(1, 86)), model
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


FILE = "london_points189.json"
HELD_OUT, HELD_OUT_SEED = 0.25, 189

Line: TypeAlias = tuple[int, ...]
# Template lines (image-left first), and the iBUG points that lie on them at equal steps of arc length, ends included
# unless they are None. Template numbers count from 0.
LINES: tuple[tuple[Line, tuple[int | None, ...]], ...] = (
    ((109, 185, 110, 186, 111, 125, 126, 127, 128, 129), (0, 1, 2, 3, 4, 5, 6, 7, 8)),
    ((129, 130, 131, 132, 133, 114, 188, 113, 187, 112), (8, 9, 10, 11, 12, 13, 14, 15, 16)),
    ((71, 72, 73, 74, 75), (17, 18, 19, 20, 21)),
    ((78, 79, 80, 81, 82), (22, 23, 24, 25, 26)),
    ((18, 19, 20, 21, 22), (36, 37, 38, 39)),
    ((18, 28, 29, 30, 22), (None, 41, 40, None)),
    ((23, 24, 25, 26, 27), (42, 43, 44, 45)),
    ((23, 31, 32, 33, 27), (None, 47, 46, None)),
)
# Points that both schemes have: subnasal point, mouth corners, outer lips, inner lips.
SAME = {33: 55, 48: 87, 49: 88, 50: 89, 51: 90, 52: 91, 53: 92, 54: 93, 55: 108, 56: 107, 57: 106, 58: 105, 59: 104,
        61: 95, 62: 96, 63: 97, 65: 102, 66: 101, 67: 100}  # fmt: skip
# The ridge and base of the nose and the inner mouth corners have no counterpart that both schemes define.
DEFINED: NDArray[np.bool_] = ~np.isin(np.arange(LANDMARKS), [27, 28, 29, 30, 31, 32, 34, 35, 60, 64])


def ibug_points(template: Floats) -> Points:
    """Template (189, 2) → points (68, 2) in the same pixels; NaN where `DEFINED` is false."""
    points = np.full((LANDMARKS, 2), np.nan)
    for line, names in LINES:
        places = along(template[list(line)], len(names))
        for name, place in zip(names, places, strict=True):
            if name is not None:
                points[name] = place
    points[list(SAME)] = template[list(SAME.values())]
    return points


def along(line: Points, count: int) -> Points:
    """`count` points at equal steps of arc length along the polyline (n, 2), both ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    wanted = np.linspace(0.0, length[-1], count)
    return np.column_stack([np.interp(wanted, length, line[:, axis]) for axis in (0, 1)])


def manual_points(data: Path) -> dict[str, Points]:
    """Subject → points (68, 2) of the neutral photograph, of the file in folder `data`; empty when there is none.

    Raises UsageError when the file is not such a table.
    """
    path = data / FILE
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text("utf-8"))
        return {subject: ibug_points(np.array(template, dtype=np.float64)) for subject, template in table.items()}
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(f"{path} is no table of 189-point templates ({error}).", "Restore or remove it.") from error


def held_out(subjects: set[str]) -> set[str]:
    """The quarter of `subjects` that is never trained on: the same for the same set of names."""
    order = np.random.default_rng(HELD_OUT_SEED).permutation(len(subjects))
    names = sorted(subjects)
    return {names[index] for index in order[: round(HELD_OUT * len(names))].tolist()}
