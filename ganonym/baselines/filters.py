"""One pixel filter over all faces of a photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ganonym.baselines.area import face_area
from ganonym.baselines.blur import SIGMA, blur
from ganonym.baselines.cover import blackout, eyebar
from ganonym.baselines.pixelate import BLOCKS, pixelate
from ganonym.errors import PhotoError
from ganonym.faces.appearance import AppearanceModel
from ganonym.synthesis.region import face_width
from ganonym.types import RGB, Face

Filter = Literal["blur", "pixelate", "blackout", "eyebar"]


def filter_photo(rgb: RGB, faces: Sequence[Face], method: Filter, model: AppearanceModel, strength: float = 1.0) -> RGB:
    """`rgb` (H, W, 3) with every one of `faces` filtered; each filter reads the photo as it was, so order is nothing.

    Raises PhotoError rather than return a face as it was: "no-face" without faces, "landmarks" where they have no
    extent, "unaltered" when the filter changed no pixel of a face (black on black, or outside the photo).
    """
    if not faces:
        raise PhotoError("no-face", "the photo shows no face that can be found.", "Crop it closer, or leave it out.")
    filtered = rgb.copy()
    for face in faces:
        try:
            treated = filter_face(rgb, face, method, model, strength)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise PhotoError("landmarks", f"the landmarks of a face are unusable: {error}.") from error
        changed = np.any(treated != rgb, axis=-1)
        if not changed.any():
            raise PhotoError("unaltered", f"{method} changed no pixel of a face.", "Leave the photo out.")
        filtered[changed] = treated[changed]
    return filtered


def filter_face(rgb: RGB, face: Face, method: Filter, model: AppearanceModel, strength: float = 1.0) -> RGB:
    """`rgb` (H, W, 3) with one face filtered. `strength` scales the SD of `blur` and the blocks of `pixelate`.

    Raises ValueError when the landmarks coincide or are not finite.
    """
    if not np.isfinite(face.points).all():
        raise ValueError("they are not finite")
    if method == "eyebar":
        return eyebar(rgb, face.points)
    if method == "blackout":
        return blackout(rgb, face.points, model)
    area = face_area(face, model, (rgb.shape[0], rgb.shape[1]))
    width = face_width(face.points, model)
    if method == "blur":
        return blur(rgb, area, SIGMA * width * strength)
    return pixelate(rgb, area, max(2, round(width / BLOCKS * strength)))
