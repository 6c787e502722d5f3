"""What a detector, a recognizer and the encoder see in a set of canvas pictures, beside what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.condition import face_mask
from ganonym.faces.descriptor import DESCRIPTOR, describe
from ganonym.faces.detect import Detector
from ganonym.faces.encoder import Encoder, encode
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.shape import normalize, split
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.synthesis.generator import BACKDROP
from ganonym.synthesis.quality import bands, landmark_error
from ganonym.types import RGB, Floats, Points


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
    picture = mask * canvas + (1.0 - mask) * ((BACKDROP + 1.0) * 127.5)
    return np.asarray(picture.round().clip(0, 255).astype(np.uint8))
