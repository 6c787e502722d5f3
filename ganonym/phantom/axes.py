"""How to move a face along each axis: a symmetric field of displacements, one standard deviation long.

A standard deviation is that of the measurement in our own virtual population: photographs have no millimetres, and
published norms differ between ancestries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.appearance import AppearanceModel, sample_identity_of
from ganonym.faces.landmark_network import MIRROR
from ganonym.faces.measures import AXES, HAIRLINE, LENGTHS, face_marks, measure
from ganonym.faces.shape import join, to_canvas
from ganonym.types import LANDMARKS, Floats, Points

# Our hairline is the mean one, so its spread says nothing. Frontotemporal width is 102.6 ± 7.4 mm (3D Facial Norms,
# age 10); anthropometry gives no spread for the height of the forehead, so that of the width serves for both.
FOREHEAD_SD = 0.072
POPULATION, PUBLIC_SEED = 1000, 11
_TEMPLES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), (0.0, 0.55, 0.55, 0.35, 0.15, 0.0)


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of `faces.measures.AXES`, in that order.

    `fields` (a, m, 2) displacement of each mark of the mean face in canvas pixels per +1 SD; `mean` (a,) measurements
    of the mean face and `sd` (a,) their standard deviations in the virtual population, in each measurement's unit.
    """

    fields: Floats
    mean: Floats
    sd: Floats

    def displacement(self, amounts: Floats, marks: Points | None = None) -> Points:
        """Displacement (m, 2) in canvas pixels for `amounts` (a,) in SD: of the mean face, or of the face of `marks`.

        Lengths change by the same share in every face, so thin lips become thinner but never cross.
        """
        if marks is not None:
            measured = measure(marks)
            amounts = amounts * [
                float(measured[name]) / mean if name in LENGTHS else 1.0
                for name, mean in zip(AXES, self.mean.tolist(), strict=True)
            ]
        return np.asarray(np.tensordot(amounts, self.fields, axes=1))


def face_axes(model: AppearanceModel) -> Axes:
    """The axes of `model`: directions by anatomy, lengths such that +1 SD adds one SD to the mean face.

    Takes a fifth of a second, and is the same each time.
    """
    mean = face_marks(to_canvas(model.shape.mean), model)
    rng = np.random.default_rng(PUBLIC_SEED)
    neutral = np.zeros(len(model.shape.expression_sd))
    # A measurement is told in SD of people of one age and sex, as norms are.
    same_age = np.zeros(len(model.attribute_mean))
    population = np.stack(
        [
            face_marks(to_canvas(join(sample_identity_of(same_age, model, rng), neutral, model.shape)), model)
            for _ in range(POPULATION)
        ]
    )
    spread = {name: float(values.std()) for name, values in measure(population).items()}
    base = measure(mean)
    for name in ("FOREHH", "FOREHW"):
        spread[name] = FOREHEAD_SD * float(base[name])
    fields = {name: _scaled(name, field, mean, spread[name]) for name, field in directions(mean).items()}
    # Hypertelorism moves whole eyes, and names both axes: together they must not move the inner canthi twice.
    fields["IPD"] = fields["IPD"] - fields["ENEN"]
    fields = {name: _shape_only(field, mean) for name, field in fields.items()}
    return Axes(*(np.stack([values[name] for name in AXES]) for values in (fields, base, spread)))


def _shape_only(field: Points, mean: Points) -> Points:
    """`field` without what moves and enlarges the face as a whole: place and size are the camera's.

    Left in, they would tell patients from controls by how fine the skin looks, since syndromes make chins small.
    """
    centre = mean[:LANDMARKS].mean(axis=0)
    around = mean - centre
    growth = float((field * around)[:LANDMARKS].sum() / (around[:LANDMARKS] ** 2).sum())
    return np.asarray(field - field[:LANDMARKS].mean(axis=0) - growth * around)


def _scaled(name: str, field: Points, mean: Points, spread: float) -> Points:
    step = 1e-3
    slope = (measure(mean + step * field)[name] - measure(mean - step * field)[name]) / (2 * step)
    return np.asarray(field * (spread / float(slope)))


def directions(mean: Points) -> dict[str, Points]:
    """Unscaled fields (m, 2) by axis, from the marks (m, 2) of the mean face; symmetric about the midline.

    What lies below the nose follows its length, and the hairline follows the width of the face.
    """
    x, y = (mean - mean[27]).T
    moved_down = np.where(np.isin(np.arange(len(mean)), [*range(17), *range(27, 36), *range(48, 68)]), 1.0, 0.0)
    mouth = np.where(np.isin(np.arange(len(mean)), range(48, 68)), 1.0, 0.0)
    hair, temples = np.zeros(len(mean)), np.zeros(len(mean))
    along = np.linspace(0.0, 1.0, len(hair[HAIRLINE]))
    hair[HAIRLINE] = np.sin(np.pi * along)
    # Widest just above the temples, so that the forehead does not overhang the face.
    temples[HAIRLINE] = np.sign(along - 0.5) * np.interp(np.minimum(along, 1 - along), *_TEMPLES)
    still = np.zeros(len(mean))
    upper_bridge, lower_bridge = len(mean) - 4, len(mean) - 2
    eye, middle = range(36, 42), (mean[36] + mean[39]) / 2
    turned = (mean - mean[39])[:, ::-1] * [-1.0, 1.0]
    fields: dict[str, Points | dict[int, tuple[float, float]]] = {
        "ALARW": _outward({31: 1.0, 32: 0.5}),
        "BROWARCH": _upward({18: 0.7, 19: 1.0, 20: 0.7}),
        "CHEEK": _outward({1: 0.15, 2: 0.7, 3: 1.0, 4: 0.8, 5: 0.4}),
        "CHINH": _upward({3: 0.1, 4: 0.25, 5: 0.5, 6: 0.75, 7: 0.95, 8: 1.0}),
        "CHINPT": _outward({4: 0.3, 5: 0.8, 6: 1.0, 7: 0.6}) | {8: (0.0, -0.25)},
        "CORNERY": _upward({48: 1.0, 60: 0.9, 49: 0.35, 59: 0.35, 61: 0.15, 67: 0.15}),
        "ENEN": _outward({39: 1.0}),
        "FACEH": np.column_stack([still, moved_down * np.clip(y, 0.0, None)]),
        "FACEW": _outward({0: 0.9, 1: 1.0, 2: 0.95, 3: 0.75, 4: 0.45, 5: 0.2, 17: 0.75, 18: 0.45, 19: 0.2}),
        "FOREHH": np.column_stack([still, hair]),
        "FOREHW": np.column_stack([temples, still])
        + _both_sides(_outward({0: 0.5, 1: 0.25, 17: 0.5, 18: 0.3, 19: 0.1}), len(mean)),
        "IPD": _outward(dict.fromkeys((*eye, *range(17, 22)), 1.0) | {17: 0.8, 0: 0.6, 1: 0.5, 2: 0.3}),
        "JAWW": _outward({2: 0.3, 3: 0.8, 4: 1.0, 5: 0.9, 6: 0.6, 7: 0.25}),
        "LVERM": _upward({59: 0.6, 58: 1.0, 57: 1.0}),
        "MOUTHW": np.column_stack([mouth * x, still]),
        "NBRIDGEW": _outward({39: 0.5, 31: 0.5, upper_bridge: 0.5, lower_bridge: 0.5}),
        "NOSEL": np.column_stack([still, moved_down * np.clip(y / y[33], 0.0, 1.0)]),
        "PFHGT": _upward({37: 0.75, 38: 0.75, 41: -0.25, 40: -0.25}),
        "PFINC": {point: (turned[point, 0], turned[point, 1]) for point in eye},
        "PFLEN": {point: (mean[point, 0] - middle[0], 0.0) for point in eye},
        "PHIL": _upward(dict.fromkeys((*range(48, 52), *range(57, 63), 66, 67), 1.0)),
        "TIPUP": _upward({30: 1.0, 29: 0.4}),
        "UVERM": _upward(
            {49: 0.3, 50: 0.5, 51: 0.5} | dict.fromkeys((58, 57, 61, 62, 66, 67), -0.5) | {59: -0.4, 48: -0.3, 60: -0.4}
        ),
    }
    return {
        name: _carried(field if isinstance(field, np.ndarray) else _both_sides(field, len(mean)))
        for name, field in fields.items()
    }


def _outward(weights: dict[int, float]) -> dict[int, tuple[float, float]]:
    return {mark: (-weight, 0.0) for mark, weight in weights.items()}


def _upward(weights: dict[int, float]) -> dict[int, tuple[float, float]]:
    return {mark: (0.0, -weight) for mark, weight in weights.items()}


def _both_sides(right: dict[int, tuple[float, float]], marks: int) -> Points:
    """A field from the displacements of marks of the midline and the right side of the face, the image's left."""
    field, mirror = np.zeros((marks, 2)), mirrored(marks)
    for mark, (across, down) in right.items():
        field[mirror[mark]] = (-across, down)
        field[mark] = (across, down)
    return field


def _carried(field: Points) -> Points:
    """Let the hairline follow both ends of the jaw, as the renderer's outline does."""
    across = np.linspace(0.0, 1.0, len(field[HAIRLINE]))[:, None]
    field = field.copy()
    field[HAIRLINE] += (1 - across) * field[0] + across * field[16]
    return field


def mirrored(marks: int) -> NDArray[np.int64]:
    """The mark on the other side of the face, for each of `marks` marks."""
    bridge = np.array([1, 0, 3, 2]) + marks - 4
    return np.concatenate([MIRROR, np.arange(marks - 5, LANDMARKS - 1, -1), bridge])
