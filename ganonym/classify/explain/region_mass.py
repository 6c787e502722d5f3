"""How much of a map falls on which part of the face: "perinasal and periorbital" as numbers (cf. Baek et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.statistics.intervals import ROUNDS, Estimate, subject_bootstrap
from ganonym.types import RGB, Floats, Points

REGIONS = ("brows", "eyes", "nose", "mouth", "jaw", "rest")
_REST = REGIONS.index("rest")

# Outlines among the 68 points and a margin around them as a share of the distance between the outer eye corners. Where
# two overlap the later one has it: the jaw, a coarse area, gives way to the mouth, the skin round an eye to its brow.
_PARTS: tuple[tuple[str, tuple[int, ...], float], ...] = (
    ("jaw", tuple(range(3, 14)), 0.02),
    ("nose", tuple(range(27, 36)), 0.08),
    ("mouth", tuple(range(48, 60)), 0.06),
    ("eyes", tuple(range(36, 42)), 0.11),
    ("eyes", tuple(range(42, 48)), 0.11),
    ("brows", tuple(range(17, 22)), 0.05),
    ("brows", tuple(range(22, 27)), 0.05),
)
_CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)


def regions_of(points: Points, size: tuple[int, int]) -> NDArray[np.intp]:
    """Which of `REGIONS` each pixel of a crop of `size` (h, w) belongs to, (h, w), as an index; each to one.

    `points` (68, 2) are on the crop. A region is the convex hull of its landmarks with a margin: "eyes" is periorbital,
    "nose" perinasal, "jaw" all below and beside the mouth down to the jaw line, "rest" forehead, cheeks and all around.
    The margins are ours. Raises UsageError when a point is not finite or the outer eye corners coincide.
    """
    from scipy.spatial import ConvexHull
    from skimage.draw import polygon

    between = float(np.linalg.norm(points[45] - points[36]))
    if not np.isfinite(points).all() or between == 0.0:
        raise UsageError("these landmarks are no face.", "Leave the photo out.")
    labels = np.full(size, _REST, np.intp)
    for name, landmarks, margin in _PARTS:
        cloud = (points[list(landmarks), None] + margin * between * _CIRCLE).reshape(-1, 2)
        x, y = cloud[ConvexHull(cloud).vertices].T
        labels[polygon(y, x, size)] = REGIONS.index(name)  # type: ignore[no-untyped-call]
    return labels


def region_mass(maps: Floats, points: Floats) -> Floats:
    """Share of each map in each of `REGIONS`, (n, 6), rows sum to 1; NaN for a map that is 0 everywhere.

    `maps` (n, h, w) of at least 0, `points` (n, 68, 2) on the crops. A large region gets much of any map: compare with
    the regions' areas, `region_mass(np.ones_like(maps), points)`. Raises UsageError for a map below 0 or not finite, or
    when there are not as many faces as maps.
    """
    if len(maps) != len(points):
        raise UsageError(f"{len(maps)} maps of {len(points)} faces.", "Give the landmarks of each crop.")
    if not np.isfinite(maps).all() or (maps < 0).any():
        raise UsageError("a map has values that are no mass.", "Give maps of at least 0.")
    mass = np.full((len(maps), len(REGIONS)), np.nan)
    for row, (each, face) in enumerate(zip(maps, points, strict=True)):
        total = each.sum()
        if total > 0:
            labels = regions_of(face, each.shape)
            mass[row] = np.bincount(labels.ravel(), weights=each.ravel(), minlength=len(REGIONS)) / total
    return mass


def mean_mass(
    mass: Floats, subjects: Sequence[str], rng: np.random.Generator, rounds: int = ROUNDS
) -> dict[str, Estimate]:
    """Mean share (n, 6) over photos by region, with a 95 % interval by bootstrap over people; photos without are left.

    Raises UsageError when no photo has a share.
    """
    there = np.isfinite(mass).all(axis=1)
    if not there.any():
        raise UsageError("no map has any mass.", "Look at another class or layer.")
    shares, people = mass[there], np.array(subjects)[there].tolist()

    def mean_of(column: Floats) -> Estimate:
        return subject_bootstrap(lambda photos: float(column[photos].mean()), people, rng, rounds)

    return {name: mean_of(shares[:, index]) for index, name in enumerate(REGIONS)}


def overlay(crop: RGB, heat: Floats, strength: float = 0.5, colours: str = "inferno") -> RGB:
    """A crop (h, w, 3) with a map (h, w) in 0…1 laid over it in matplotlib's `colours`: (h, w, 3) uint8.

    Where the map is 0 the crop shows unchanged, where it is 1 the colour covers `strength` of it. The picture shows the
    face: it is as private as the crop. Raises UsageError when sizes differ.
    """
    from matplotlib import colormaps

    if crop.shape[:2] != heat.shape:
        raise UsageError(f"a map {heat.shape} does not lie on a crop {crop.shape}.", "Compute it at the crop's size.")
    cover = strength * np.clip(heat, 0.0, 1.0)[..., None]
    mixed = (1 - cover) * crop + cover * 255 * colormaps[colours](heat)[..., :3]
    return np.asarray(np.round(mixed)).astype(np.uint8)
