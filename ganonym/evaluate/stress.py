"""Shapes at the edge of what is asked for: where a generator trained on ordinary faces shows its seams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ganonym.faces.shape import ShapeModel, from_canvas, join, split, to_canvas
from ganonym.types import Points

LOWER_LIP = np.r_[55:60, 65:68]
JAW = np.r_[4:13]
UPPER_LIDS, LOWER_LIDS = np.array([37, 38, 43, 44]), np.array([41, 40, 47, 46])
# The image-right half of brow, eye and mouth: what sags together when one side is weak.
ONE_SIDE = np.r_[22:27, 42:48, 52:56, 63:66]


def open_mouth(points: Points, amount: float = 0.35) -> Points:
    """Canvas landmarks (68, 2) with lower lip and jaw lowered by `amount` of the distance between the eyes."""
    moved, drop = points.copy(), amount * _interocular(points)
    moved[LOWER_LIP, 1] += drop
    # The jaw turns about its joints: the chin goes all the way, the angles of the jaw hardly.
    moved[JAW, 1] += drop * np.cos(np.linspace(-np.pi / 2, np.pi / 2, len(JAW)))
    return moved


def narrow_eyes(points: Points, left: float = 0.35) -> Points:
    """Canvas landmarks (68, 2) whose lids stand apart `left` of what they did."""
    moved = points.copy()
    middle = (points[UPPER_LIDS] + points[LOWER_LIDS]) / 2
    for lids in (UPPER_LIDS, LOWER_LIDS):
        moved[lids] = middle + left * (points[lids] - middle)
    return moved


def asymmetric(points: Points, amount: float = 0.12) -> Points:
    """Canvas landmarks (68, 2) with brow, eye and corner of the mouth of one side lower by `amount` eye distances."""
    moved = points.copy()
    moved[ONE_SIDE, 1] += amount * _interocular(points)
    return moved


def exaggerated(points: Points, model: ShapeModel, direction: int, deviations: float) -> Points:
    """Canvas landmarks (68, 2) with one identity coefficient at `deviations` SD, the others as they were."""
    identity, expression = split(from_canvas(points), model)
    identity[direction] = deviations * model.identity_sd[direction]
    return to_canvas(join(identity, expression, model))


def stress_shapes(points: Points, model: ShapeModel, rng: np.random.Generator) -> dict[str, Points]:
    """`points` (68, 2) under each stress, by name; the exaggerated direction, of the first twelve, is drawn."""
    direction, sign = int(rng.integers(12)), float(rng.choice([-3.0, 3.0]))
    plain: dict[str, Callable[[Points], Points]] = {
        "open mouth": open_mouth,
        "narrow eyes": narrow_eyes,
        "asymmetric": asymmetric,
    }
    shapes = {name: change(points) for name, change in plain.items()}
    return shapes | {"identity at 3 SD": exaggerated(points, model, direction, sign)}


def _interocular(points: Points) -> float:
    return float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))
