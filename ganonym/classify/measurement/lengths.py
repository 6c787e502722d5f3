"""Lengths, angles and ratios of a face from its 68 landmarks: the table of all, what spoils each, and their values.

A photograph has no millimetres. Lengths are therefore given over a length of the same face, or in millimetres where
somebody measured how long one is in the picture.

Landmarks are iBUG's 68. They stand for those of anthropometry (Farkas 1994) as nearly as they can: exocanthion 36, 45;
endocanthion 39, 42; nasion 27; subnasale 33; alare 31, 35 (the edge of the nostril, so widths of the nose come out too
small); cheilion 48, 54; labiale superius 51; stomion 62, 66; labiale inferius 57; gnathion 8; zygion 1, 15 and gonion
4, 12 of the outline. Right is the subject's right, the image's left.

Angles of the chin and of the upper lip count from straight: 180° less the angle at the landmark. Arches of brows are
heights over their lengths, the upturn of the tip is over the length of the nose, the mouth's corners over its width,
cheeks over the width of the face; the roundness of a lip is its perimeter² over its area, and grows as it gets thinner.
The width of the nasal bridge, whose sides are no landmarks, is the mean of en-en and al-al.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.measures import LANDMARK_AXES, LENGTHS, measure
from ganonym.types import Floats, Points

Kind: TypeAlias = Literal["length", "angle", "ratio"]
Spoiler: TypeAlias = Literal["yaw", "pitch", "open mouth", "smile", "blink"]
Unit: TypeAlias = Literal["face size", "interocular", "face width", "mm"]
"""Of lengths. Face size: root of the summed squared distances of the 68 landmarks from their centre; interocular:
between the outer canthi; face width: between landmarks 1 and 15."""
UNITS: tuple[Unit, ...] = get_args(Unit)
End: TypeAlias = tuple[int, ...]
"""Landmarks whose centre is one end of a line."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the table.

    `lines` from end to end show what is measured. `of` is set where it is `factor` times one length over another, so
    that norms of both give its norm. `spoiled` by what it must not be read under.
    """

    name: str
    kind: Kind
    lines: tuple[tuple[End, End], ...]
    spoiled: frozenset[Spoiler]
    of: tuple[str, str] | None = None
    factor: float = 1.0


def unit_of(key: str, unit: Unit) -> str:
    """The unit of the measurement `key` when lengths are in `unit`: that, "deg" or "ratio".

    >>> unit_of("PFINC", "mm"), unit_of("FACEINDEX", "mm"), unit_of("ENEN", "mm")
    ('deg', 'ratio', 'mm')
    """
    kind = MEASUREMENTS[key].kind
    return unit if kind == "length" else "deg" if kind == "angle" else "ratio"


_LIDS = (((37,), (41,)), ((38,), (40,))), (((43,), (47,)), ((44,), (46,)))
_LID_CORNERS = ((37, 38, 40, 41), (43, 44, 46, 47))


def _row(name: str, kind: Kind, lines: str | tuple[tuple[End, End], ...], *spoiled: Spoiler) -> Measurement:
    if isinstance(lines, str):
        pairs = [line.split("-") for line in lines.split()]
        lines = tuple(((int(one),), (int(other),)) for one, other in pairs)
    return Measurement(name, kind, lines, frozenset(spoiled))


def _ratio(name: str, above: str, below: str, factor: float = 1.0) -> Measurement:
    one, other = _ROWS[above], _ROWS[below]
    return Measurement(name, "ratio", one.lines + other.lines, one.spoiled | other.spoiled, (above, below), factor)


_ROWS: dict[str, Measurement] = {
    "FACEW": _row("width of the face (zy-zy)", "length", "1-15", "yaw"),
    "JAWW": _row("width of the jaw (go-go)", "length", "4-12", "yaw", "open mouth"),
    "FACEH": _row("height of the face (n-gn)", "length", "27-8", "pitch", "open mouth"),
    "LOWERH": _row("height of the lower face (sn-gn)", "length", "33-8", "pitch", "open mouth"),
    "CHINL": _row("height of the chin (li-gn)", "length", "57-8", "pitch", "open mouth"),
    "EXEX": _row("outer canthal distance (ex-ex)", "length", "36-45", "yaw"),
    "ENEN": _row("inner canthal distance (en-en)", "length", "39-42", "yaw"),
    "IPD": _row("interpupillary distance", "length", (_LID_CORNERS,), "yaw"),
    "PFLEN": _row("palpebral fissure length (ex-en)", "length", "36-39 42-45", "yaw"),
    "PFLEN right": _row("palpebral fissure length, right", "length", "36-39", "yaw"),
    "PFLEN left": _row("palpebral fissure length, left", "length", "42-45", "yaw"),
    "PFHGT": _row("palpebral fissure height", "length", sum(_LIDS, ()), "pitch", "blink", "smile"),
    "PFHGT right": _row("palpebral fissure height, right", "length", _LIDS[0], "pitch", "blink", "smile"),
    "PFHGT left": _row("palpebral fissure height, left", "length", _LIDS[1], "pitch", "blink", "smile"),
    "NBRIDGEW": _row("width of the nasal bridge", "length", "39-42 31-35", "yaw", "smile"),
    "NOSEL": _row("length of the nose (n-sn)", "length", "27-33", "pitch"),
    "ALARW": _row("width of the nose (al-al)", "length", "31-35", "yaw", "smile"),
    "PHIL": _row("length of the philtrum (sn-ls)", "length", "33-51", "pitch", "open mouth", "smile"),
    "CPHW": _row("width of the philtrum (cph-cph)", "length", "50-52", "yaw", "smile"),
    "LIPL": _row("length of the upper lip (sn-sto)", "length", "33-62", "pitch", "open mouth", "smile"),
    "UVERM": _row("upper vermilion (ls-sto)", "length", "51-62", "pitch", "open mouth", "smile"),
    "LVERM": _row("lower vermilion (sto-li)", "length", "66-57", "pitch", "open mouth", "smile"),
    "MOUTHW": _row("width of the mouth (ch-ch)", "length", "48-54", "yaw", "open mouth", "smile"),
    "PFINC": _row("palpebral fissure slant, up +", "angle", "36-39 42-45", "pitch"),
    "PFINC right": _row("palpebral fissure slant, right", "angle", "36-39", "pitch"),
    "PFINC left": _row("palpebral fissure slant, left", "angle", "42-45", "pitch"),
    "CHINPT": _row("pointedness of the chin", "angle", "6-8 10-8", "pitch", "yaw"),
    "TENT": _row("tenting of the upper lip", "angle", "49-51 53-51", "open mouth", "smile"),
    "BROWARCH": _row("arch of the brows", "ratio", "17-19 19-21 22-24 24-26", "pitch"),
    "BROWARCH right": _row("arch of the right brow", "ratio", "17-19 19-21", "pitch"),
    "BROWARCH left": _row("arch of the left brow", "ratio", "22-24 24-26", "pitch"),
    "TIPUP": _row("upturn of the nasal tip", "ratio", "30-33", "pitch"),
    "CORNERY": _row("height of the mouth's corners", "ratio", "48-62 54-62", "open mouth", "smile"),
    "CHEEK": _row("fullness of the cheeks", "ratio", "2-14 3-13 4-12", "yaw", "smile"),
    "CHINH": _row("chin / height of the face", "ratio", "57-8", "pitch", "open mouth"),
    "LIPROUND": _row("roundness of the upper lip", "ratio", "48-51 51-54", "open mouth", "smile"),
}
MEASUREMENTS: Mapping[str, Measurement] = _ROWS | {
    "PFLEN/ENEN": _ratio("palpebral fissure / inner canthi", "PFLEN", "ENEN"),
    "ENEN/EXEX": _ratio("intercanthal index, 100 en-en / ex-ex", "ENEN", "EXEX", 100.0),
    "FACEINDEX": _ratio("facial index, 100 n-gn / zy-zy", "FACEH", "FACEW", 100.0),
    "JAWINDEX": _ratio("jaw index, 100 go-go / zy-zy", "JAWW", "FACEW", 100.0),
    "NOSEINDEX": _ratio("nasal index, 100 al-al / n-sn", "ALARW", "NOSEL", 100.0),
    "MOUTHINDEX": _ratio("mouth index, 100 ch-ch / ex-ex", "MOUTHW", "EXEX", 100.0),
    "PHIL/UVERM": _ratio("philtrum / upper vermilion", "PHIL", "UVERM"),
}
"""All measurements by key. Keys of `faces.measures` mean the same here; " right" and " left" are one side alone."""

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
    >>> with np.errstate(all="ignore"): values = measurements(square, "interocular")
    >>> [round(float(values[key]), 9) for key in ("ENEN", "PFLEN left", "PFLEN/ENEN")]
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
    for key, row in MEASUREMENTS.items():
        if row.of is not None:
            values[key] = np.asarray(row.factor * pixels[row.of[0]] / pixels[row.of[1]])
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
    both = [np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=-1) for pairs in (first, second)]
    return np.asarray((both[0] + both[1]) / 2 / size[:, None])


def _pairs() -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Pairs of landmarks by the first of each pair and its mirror image."""
    mirror = {mark: mark for mark in _MIDLINE} | dict(_PAIRED) | {left: right for right, left in _PAIRED}
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
