"""What a detector, a recognizer and the encoder see in a set of canvas pictures, beside what was asked for.

`stress_shapes` are at the edge of what is asked for: there a generator trained on ordinary faces shows its seams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.condition import face_mask
from ganonym.faces.descriptor import DESCRIPTOR, describe
from ganonym.faces.detect import Detector
from ganonym.faces.encoder import NEUTRAL, Encoder, encode
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.shape import ShapeModel, from_canvas, join, normalize, split, to_canvas
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.synthesis.quality import bands, landmark_error
from ganonym.types import RGB, Floats, Points

LOWER_LIP = np.r_[55:60, 65:68]
JAW = np.r_[4:13]
UPPER_LIDS, LOWER_LIDS = np.array([37, 38, 43, 44]), np.array([41, 40, 47, 46])
# The image-right half of brow, eye and mouth: what sags together when one side is weak.
ONE_SIDE = np.r_[22:27, 42:48, 52:56, 63:66]


@dataclass(frozen=True, slots=True)
class Measured:
    """Of n pictures: `found` (n,) whether a face was; the others (n, …) are NaN where none was, `features` excepted.

    `score` of the detector; `error` of the landmarks in eye distances; `expression` and `asked` (n, e) in SD; `tone`
    the ITA class; `bands` (n, 4) in grey levels; `descriptors` (n, 128) of the recognizer; `features` (n, 128) of the
    encoder.
    """

    found: NDArray[np.bool_]
    score: Floats
    error: Floats
    expression: Floats
    asked: Floats
    tone: Floats
    bands: Floats
    descriptors: Floats
    features: Floats


def measure_pictures(
    pictures: Sequence[RGB],
    requested: Sequence[Points],
    model: AppearanceModel,
    detector: Detector,
    landmarks: LandmarkModel,
    encoder: Encoder,
) -> Measured:
    """Looks at every picture (256, 256, 3) anew; `requested` are the landmarks (68, 2) that it was to show."""
    count, shape = len(pictures), model.shape
    score, error, tone = (np.full(count, np.nan) for _ in range(3))
    expression, asked = (np.full((count, len(shape.expression_sd)), np.nan) for _ in range(2))
    energy, descriptors = np.full((count, 4), np.nan), np.full((count, DESCRIPTOR), np.nan)
    for row, (rgb, points) in enumerate(zip(pictures, requested, strict=True)):
        asked[row] = split(normalize(points, shape), shape)[1] / shape.expression_sd
        faces = find_faces(rgb, detector, landmarks)
        if not faces:
            continue
        seen = faces[0].points
        score[row], error[row] = faces[0].box.score, landmark_error(seen, points)
        expression[row] = split(normalize(seen, shape), shape)[1] / shape.expression_sd
        energy[row], descriptors[row] = bands(rgb, points), describe(rgb, seen)
        try:
            tone[row] = tone_class(ita_degrees(rgb, seen))
        except PhotoError:
            continue
    features = encode(pictures, encoder)
    return Measured(~np.isnan(error), score, error, expression, asked, tone, energy, descriptors, features)


def subset(measured: Measured, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Measured:
    """The pictures that `rows` chooses."""
    return Measured(*(getattr(measured, name)[rows] for name in Measured.__slots__))


def on_neutral_backdrop(canvas: RGB, points: Points, model: AppearanceModel) -> RGB:
    """A photograph on the canvas (256, 256, 3) cut out as the generator's pictures are, for comparison with them."""
    mask = face_mask(points, model)[..., None]
    picture = mask * canvas + (1.0 - mask) * ((NEUTRAL + 1.0) * 127.5)
    return np.asarray(picture.round().clip(0, 255).astype(np.uint8))


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
