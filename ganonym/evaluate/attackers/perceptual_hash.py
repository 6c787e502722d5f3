"""Copy detection by perceptual hash: the signs of low frequencies, which survive JPEG, resizing and light.

Zauner (2010), "Implementation and Benchmarking of Perceptual Image Hash Functions"; bit for bit `imagehash.phash`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.evaluate.attackers.attacker import Approach, Fixed, Templates
from ganonym.evaluate.sample import Sample
from ganonym.faces.thumbnail import ANCHORS, face_thumbnail
from ganonym.faces.thumbnail import SIDE as THUMBNAIL
from ganonym.types import Floats

SIDE, BITS = 32, 64
_LOW = 8  # frequencies a side
# Aligned faces at twice the hash's resolution, so that it does the low-passing itself as it does for photos.
_FACE = 2 * SIDE
_FACE_ANCHORS = (ANCHORS + 0.5) * (_FACE / THUMBNAIL) - 0.5


def perceptual_hash(grey: Image.Image) -> NDArray[np.bool_]:
    """64 bits of a picture of mode L: which of the 8 x 8 lowest DCT-II coefficients of 32 x 32 exceed their median."""
    from scipy.fft import dctn

    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    low = dctn(small, type=2)[:_LOW, :_LOW]
    return np.asarray(low > np.median(low)).ravel()


@dataclass(frozen=True, slots=True)
class HashView:
    """Perceptual hash of the whole photo or, with `face`, of the aligned face."""

    face: bool = False
    width: int = BITS

    @property
    def name(self) -> str:
        return "face hash" if self.face else "photo hash"

    def template(self, sample: Sample) -> NDArray[np.floating[Any]] | None:
        """Bits as ±1, float32 (64,); with `face` None without landmarks."""
        if self.face:
            if sample.place is None:
                return None
            picture = Image.fromarray(face_thumbnail(sample.rgb, sample.place, _FACE, _FACE_ANCHORS))
        else:
            picture = Image.fromarray(sample.rgb).convert("L")
        return np.where(perceptual_hash(picture), 1, -1).astype(np.float32)


def hamming(probes: Templates, gallery: Templates) -> Floats:
    """Bits that differ, (p, g) in 0 … d, between rows of ±1; NaN in, NaN out."""
    agreement = probes.rows @ gallery.rows.T
    return np.asarray((probes.rows.shape[1] - agreement) / 2, dtype=np.float64)


PHOTO_HASH = Fixed("photo hash", HashView(), hamming, Approach("T0", "perceptual hash of the photograph"))
FACE_HASH = Fixed("face hash", HashView(face=True), hamming, Approach("T0", "perceptual hash of the face"))
