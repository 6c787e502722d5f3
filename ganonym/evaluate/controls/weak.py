"""Weak anonymizers, which every harness must see through: a light blur and an eye bar (control C2)."""

from __future__ import annotations

from functools import cache

from ganonym.baselines.filters import Filter, filter_face
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.types import RGB, Box, Face, Points

WEAK: dict[str, tuple[Filter, float]] = {"blur of 2 %": ("blur", 0.2), "eye bar": ("eyebar", 1.0)}
"""Method and strength by name; the blur's SD is 2 % of the face's width."""


def weakened(name: str, rgb: RGB, points: Points) -> RGB:
    """`rgb` (H, W, 3) with the face at `points` (68, 2) treated by the weak method `name`."""
    method, strength = WEAK[name]
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    face = Face(Box(left, top, right, bottom, 1.0), points, 0)
    return filter_face(rgb, face, method, _model(), strength)


@cache
def _model() -> AppearanceModel:
    """Read and verified once a process, not once a photo."""
    return load_appearance()
