"""Measurements on the marks of a face: 23 axes along which faces, and the signs of syndromes, differ.

They follow the Elements of Morphology (Allanson et al. 2009), to which the Human Phenotype Ontology refers, as far as
68 landmarks carry them. Sides of the nasal bridge and the hairline have no landmark: the appearance model gives their
places, so they can be moved and measured here, although no detector finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ganonym.faces.appearance import AppearanceModel, warp_points
from ganonym.types import LANDMARKS, Floats, Points

Measure = Callable[[Points], Floats]

RIGHT_LIDS, LEFT_LIDS = (37, 38, 40, 41), (43, 44, 46, 47)
HAIRLINE = slice(LANDMARKS, -4)
_BRIDGE_SIDES = ((27, 39, 0.45), (27, 42, 0.45), (28, 39, 0.4), (28, 42, 0.4))


def face_marks(points: Points, model: AppearanceModel) -> Points:
    """Canvas landmarks (68, 2) → marks (68 + f + 4, 2) in canvas pixels.

    The landmarks as the renderer places them (crossed lips closed), the f points of the hairline, and two points on
    either side of the nasal bridge.
    """
    known = warp_points(points, model.shape.mean, model.forehead)[: LANDMARKS + len(model.forehead)]
    sides = [known[level] + share * (known[canthus] - known[27]) for level, canthus, share in _BRIDGE_SIDES]
    return np.concatenate([known, sides])


def measure(marks: Points, axes: Sequence[str] | None = None) -> dict[str, Floats]:
    """Measurements of marks (..., m, 2), each of shape (...): by axis, lengths over centroid size, angles in °.

    Those of `axes`, by default all. `LANDMARK_AXES` are those that need no more than the 68 landmarks. Invariant under
    translation and scaling, and under roll but for BROWARCH, CORNERY and TIPUP, which are heights.
    """
    landmarks = marks[..., :LANDMARKS, :]
    size = np.linalg.norm(landmarks - landmarks.mean(axis=-2, keepdims=True), axis=(-1, -2))
    wanted = AXES if axes is None else axes
    lengths = {name: np.asarray(length(marks) / size) for name, length in LENGTHS.items() if name in wanted}
    return lengths | {name: shape(marks) for name, shape in SHAPES.items() if name in wanted}


def _distance(one: Sequence[int], other: Sequence[int]) -> Measure:
    """Distance between the centres of two groups of marks."""

    def length(marks: Points) -> Floats:
        gap = marks[..., list(one), :].mean(axis=-2) - marks[..., list(other), :].mean(axis=-2)
        return np.asarray(np.linalg.norm(gap, axis=-1))

    return length


def _mean(*measures: Measure) -> Measure:
    return lambda marks: np.asarray(np.mean([each(marks) for each in measures], axis=0))


def _ratio(above: Measure, below: Measure) -> Measure:
    return lambda marks: np.asarray(above(marks) / below(marks))


def _height(over: Sequence[int], under: Sequence[int]) -> Measure:
    """By how much the first marks lie above the others; the face is upright."""
    return lambda marks: np.asarray(marks[..., list(under), 1].mean(axis=-1) - marks[..., list(over), 1].mean(axis=-1))


def _slant(marks: Points) -> Floats:
    """Degrees by which outer canthi stand higher than inner ones; roll raises one eye as it lowers the other."""
    right, left = marks[..., 36, :] - marks[..., 39, :], marks[..., 45, :] - marks[..., 42, :]
    angles = np.arctan2(-right[..., 1], -right[..., 0]), np.arctan2(-left[..., 1], left[..., 0])
    return np.asarray(np.degrees((angles[0] + angles[1]) / 2))


def _sharpness(marks: Points) -> Floats:
    """180° minus the angle at the chin."""
    one, other = marks[..., 6, :] - marks[..., 8, :], marks[..., 10, :] - marks[..., 8, :]
    cosine = (one * other).sum(axis=-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    return np.asarray(180.0 - np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _forehead_height(marks: Points) -> Floats:
    hairline = marks[..., HAIRLINE, :]
    return np.asarray(np.linalg.norm(hairline[..., hairline.shape[-2] // 2, :] - marks[..., 27, :], axis=-1))


def _forehead_width(marks: Points) -> Floats:
    """Between the second points from either end of the hairline, near the frontotemporal points of anthropometry."""
    hairline = marks[..., HAIRLINE, :]
    return np.asarray(np.linalg.norm(hairline[..., -2, :] - hairline[..., 1, :], axis=-1))


_EN_EN, _AL_AL, _CH_CH = _distance([39], [42]), _distance([31], [35]), _distance([48], [54])
_N_SN, _N_GN, _FACE_WIDTH = _distance([27], [33]), _distance([27], [8]), _distance([1], [15])
_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))

LENGTHS: dict[str, Measure] = {
    "ALARW": _AL_AL,
    "ENEN": _EN_EN,
    "FACEH": _N_GN,
    "FACEW": _FACE_WIDTH,
    "FOREHH": _forehead_height,
    "FOREHW": _forehead_width,
    "IPD": _distance(RIGHT_LIDS, LEFT_LIDS),
    "JAWW": _distance([4], [12]),
    "LVERM": _distance([66], [57]),
    "MOUTHW": _CH_CH,
    "NBRIDGEW": _mean(_EN_EN, _AL_AL),  # nothing on the bridge is a landmark: both widths grow with it
    "NOSEL": _N_SN,
    "PFHGT": _mean(*(_distance([upper], [lower]) for upper, lower in _LIDS)),
    "PFLEN": _mean(_distance([36], [39]), _distance([42], [45])),
    "PHIL": _distance([33], [51]),
    "UVERM": _distance([51], [62]),
}
SHAPES: dict[str, Measure] = {
    "BROWARCH": _mean(
        _ratio(_height([19], [17, 21]), _distance([17], [21])), _ratio(_height([24], [22, 26]), _distance([22], [26]))
    ),
    "CHEEK": _ratio(_mean(*(_distance([side], [16 - side]) for side in (2, 3, 4))), _FACE_WIDTH),
    "CHINH": _ratio(_distance([57], [8]), _N_GN),
    "CHINPT": _sharpness,
    "CORNERY": _ratio(_height([48, 54], [62, 66]), _CH_CH),
    "PFINC": _slant,
    "TIPUP": _ratio(_height([30], [33]), _N_SN),  # a raised tip shows more of the columella
}
AXES = tuple(sorted(LENGTHS | SHAPES))
LANDMARK_AXES = tuple(name for name in AXES if name not in ("FOREHH", "FOREHW"))
