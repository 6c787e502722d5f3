"""Lengths, angles and ratios of a face from its 68 landmarks.

A photograph has no millimetres. Lengths are therefore given over a length of the same face, or in millimetres where
somebody measured how long one is in the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.measurement.table import MEASUREMENTS, Unit
from ganonym.faces.measures import LANDMARK_AXES, LENGTHS, measure
from ganonym.types import Floats, Points

IRIS_MM = 11.7
"""Horizontal visible diameter of the iris, about; it is not the same in everybody, so a ruler is better."""
_EYES = list(range(36, 42)), list(range(42, 48))
_UPPER_LIP = [48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60]
# Landmarks with a counterpart in anthropometry: of the midline, and of either side.
_MIDLINE = (27, 30, 33, 51, 62, 57, 8)
_PAIRED = ((36, 45), (39, 42), (31, 35), (48, 54), (50, 52), (4, 12), (1, 15), (17, 26), (21, 22), (19, 24))


def levelled(points: Points) -> Points:
    """Landmarks (..., 68, 2) turned about their centre so that the line through both eyes is level.

    Raises ValueError when they are not finite or the eyes coincide: there is no face then.
    """
    if not np.isfinite(points).all():
        raise ValueError("landmarks are not finite")
    right, left = (points[..., eye, :].mean(axis=-2) for eye in _EYES)
    across = left - right
    length = np.linalg.norm(across, axis=-1)
    if (length <= 1e-9 * np.abs(points).max(axis=(-1, -2))).any():
        raise ValueError("both eyes are in one place")
    cosine, sine = across[..., 0] / length, across[..., 1] / length
    turn = np.stack([np.stack([cosine, sine], axis=-1), np.stack([-sine, cosine], axis=-1)], axis=-2)
    centre = points.mean(axis=-2, keepdims=True)
    return np.asarray((points - centre) @ np.swapaxes(turn, -1, -2) + centre)


def measurements(
    points: Points, unit: Unit = "face size", mm_per_px: float | Floats | None = None
) -> dict[str, Floats]:
    """All `MEASUREMENTS` of landmarks (..., 68, 2) in pixels, each of shape (...).

    Lengths in `unit`, angles in degrees, ratios as their names say. Similarities of the image plane change none of
    them, but for lengths in millimetres, for which `mm_per_px` must be given: a number, or one a photo (...). Raises
    ValueError when the landmarks are not of a face, or millimetres lack their scale.

    >>> square = np.zeros((68, 2)); square[[36, 39, 42, 45], 0] = -4, -1, 1, 4
    >>> with np.errstate(all="ignore"): found = measurements(square, "interocular")
    >>> [round(float(found[key]), 9) for key in ("ENEN", "PFLEN left", "PFLEN/ENEN")]
    [0.25, 0.375, 1.5]
    """
    face = levelled(points)
    size = np.linalg.norm(face - face.mean(axis=-2, keepdims=True), axis=(-1, -2))
    axes = measure(face, LANDMARK_AXES)
    pixels = {key: axes.pop(key) * size for key in LENGTHS if key in axes} | _more_lengths(face)
    step: Floats | float
    if unit == "mm":
        if mm_per_px is None:
            raise ValueError("millimetres need mm_per_px")
        step = 1.0 / np.asarray(mm_per_px, dtype=np.float64)
    else:
        step = size if unit == "face size" else pixels["EXEX" if unit == "interocular" else "FACEW"]
    values = {key: np.asarray(value / step) for key, value in pixels.items()} | axes | _more_shapes(face)
    for key, each in MEASUREMENTS.items():
        if each.of is not None:
            values[key] = np.asarray(each.factor * pixels[each.of[0]] / pixels[each.of[1]])
    return {key: values[key] for key in MEASUREMENTS}


def iris_scale(iris_px: float) -> float:
    """Millimetres a pixel where the iris is `iris_px` wide. Holds in the plane of the eyes, of a frontal photograph.

    >>> round(iris_scale(23.4), 3)
    0.5
    """
    if not iris_px > 0:
        raise ValueError(f"an iris of {iris_px} px gives no scale")
    return IRIS_MM / iris_px


def pairwise_ratios(points: Points) -> Floats:
    """Distances between all 27 anthropometric landmarks of (n, 68, 2) over the face size, both sides' mean, (n, 191).

    Valentine et al. (Pediatrics 2017;140:e20162028) used ratios between landmarks that FDNA's software took. Which is
    not known here: these are all, for a regularised classifier to choose from.
    """
    keys = sorted(_PAIRS.items())
    first = np.array([pairs[0] for _, pairs in keys])
    second = np.array([pairs[-1] for _, pairs in keys])
    size = np.linalg.norm(points - points.mean(axis=-2, keepdims=True), axis=(-1, -2))
    both = [np.linalg.norm(points[:, each[:, 0]] - points[:, each[:, 1]], axis=-1) for each in (first, second)]
    return np.asarray((both[0] + both[1]) / 2 / size[:, None])


def _pairs() -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Pairs of landmarks by the first of each pair and its mirror image."""
    mirror = {each: each for each in _MIDLINE} | dict(_PAIRED) | {left: right for right, left in _PAIRED}
    landmarks = sorted(mirror)
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for place, one in enumerate(landmarks):
        for other in landmarks[place + 1 :]:
            a, b = sorted((mirror[one], mirror[other]))
            pairs.setdefault(min((one, other), (a, b)), []).append((one, other))
    return pairs


_PAIRS = _pairs()
RATIOS = len(_PAIRS)


def _distance(face: Points, one: int, other: int) -> Floats:
    return np.asarray(np.linalg.norm(face[..., one, :] - face[..., other, :], axis=-1))


def _more_lengths(face: Points) -> dict[str, Floats]:
    """In pixels, what `faces.measures` does not have."""
    ends = {"EXEX": (36, 45), "LOWERH": (33, 8), "CHINL": (57, 8), "CPHW": (50, 52), "LIPL": (33, 62)}
    ends |= {"PFLEN right": (36, 39), "PFLEN left": (42, 45)}
    heights = {"PFHGT right": ((37, 41), (38, 40)), "PFHGT left": ((43, 47), (44, 46))}
    return {key: _distance(face, *pair) for key, pair in ends.items()} | {
        key: np.asarray((_distance(face, *one) + _distance(face, *other)) / 2) for key, (one, other) in heights.items()
    }


def _more_shapes(face: Points) -> dict[str, Floats]:
    x, y = face[..., 0], face[..., 1]
    right = np.arctan2(y[..., 39] - y[..., 36], x[..., 39] - x[..., 36])
    left = np.arctan2(y[..., 42] - y[..., 45], x[..., 45] - x[..., 42])
    arches = {
        f"BROWARCH {side}": (y[..., [outer, inner]].mean(axis=-1) - y[..., top]) / _distance(face, outer, inner)
        for side, outer, top, inner in (("right", 17, 19, 21), ("left", 26, 24, 22))
    }
    return {
        "PFINC right": np.asarray(np.degrees(right)),
        "PFINC left": np.asarray(np.degrees(left)),
        "TENT": _bend(face, 49, 51, 53),
        "LIPROUND": _roundness(face[..., _UPPER_LIP, :]),
    } | {key: np.asarray(value) for key, value in arches.items()}


def _bend(face: Points, one: int, corner: int, other: int) -> Floats:
    """180° minus the angle at `corner`."""
    a, b = face[..., one, :] - face[..., corner, :], face[..., other, :] - face[..., corner, :]
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return np.asarray(180.0 - np.degrees(np.arctan2(np.abs(cross), (a * b).sum(axis=-1))))


def _roundness(outline: NDArray[np.float64]) -> Floats:
    """Perimeter² over area of a polygon (..., p, 2): 4π of a circle, the more the thinner."""
    following = np.roll(outline, -1, axis=-2)
    perimeter = np.linalg.norm(following - outline, axis=-1).sum(axis=-1)
    doubled = (outline[..., 0] * following[..., 1] - outline[..., 1] * following[..., 0]).sum(axis=-1)
    # Crossed lips enclose nothing: the roundness of a very thin lip, not a division by zero.
    return np.asarray(perimeter**2 / np.maximum(np.abs(doubled) / 2, 1e-3 * perimeter**2))
