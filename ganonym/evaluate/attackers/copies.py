"""Copy detection: perceptual hashes of photo and face, and keypoints of the photo matched one to one.

A perceptual hash is the signs of low frequencies, which survive JPEG, resizing and light (Zauner 2010, "Implementation
and Benchmarking of Perceptual Image Hash Functions"; bit for bit `imagehash.phash`). Where hashes and thumbnails
compare the photo as a whole, keypoints, corners with ORB descriptors (Rublee et al. 2011), find the parts that were
left
as they were: a necklace, a collar, a corner of the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.evaluate.attackers.attacker import Approach, Fixed, Rows, Sample, Templates
from ganonym.faces.aligned import ANCHORS, face_thumbnail
from ganonym.faces.aligned import SIDE as THUMBNAIL
from ganonym.types import RGB, Floats

HASH_SIDE, HASH_BITS = 32, 64
_LOW = 8  # frequencies a side
# Aligned faces at twice the hash's resolution, so that it does the low-passing itself as it does for photos.
_FACE = 2 * HASH_SIDE
_FACE_ANCHORS = (ANCHORS + 0.5) * (_FACE / THUMBNAIL) - 0.5
LONGEST = 256
KEYPOINTS, BITS = 64, 256
RATIO = 0.8
"""A match counts when the next best is farther by this factor (Lowe 2004)."""
_PACKED = BITS // 16  # a descriptor as 16-bit numbers, which float32 holds exactly
_WORDS = BITS // 64
_PART = 16  # candidates compared at once, so that the work stays in the processor's cache
_FAR = np.uint8(255)


def perceptual_hash(grey: Image.Image) -> NDArray[np.bool_]:
    """64 bits of a picture of mode L: which of the 8 x 8 lowest DCT-II coefficients of 32 x 32 exceed their median."""
    from scipy.fft import dctn

    small = np.asarray(grey.resize((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    low = dctn(small, type=2)[:_LOW, :_LOW]
    return np.asarray(low > np.median(low)).ravel()


@dataclass(frozen=True, slots=True)
class HashView:
    """Perceptual hash of the whole photo or, with `face`, of the aligned face."""

    face: bool = False
    width: int = HASH_BITS

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


def descriptors(rgb: RGB) -> NDArray[np.bool_]:
    """ORB descriptors (n, 256), n <= 64, of the strongest corners of the photo scaled to 256 pixels; (0, 256) of none.

    skimage's oFAST corners by Harris response on a pyramid of eight steps of 1.2, rotated BRIEF.
    """
    from skimage.feature import ORB

    height, width = rgb.shape[:2]
    scale = LONGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Smoothed as well where it is magnified: blocks would have corners of their own.
    grey = np.asarray(Image.fromarray(rgb).convert("L").resize(size, Image.Resampling.BILINEAR))
    orb: Any = ORB(n_keypoints=KEYPOINTS)  # type: ignore[no-untyped-call]
    try:
        orb.detect_and_extract(grey)
    except (RuntimeError, ValueError):  # how skimage says that there are none, or that the photo is a mere line
        return np.zeros((0, BITS), dtype=bool)
    return np.asarray(orb.descriptors, dtype=bool)[:KEYPOINTS]


@dataclass(frozen=True, slots=True)
class KeypointView:
    """The number of keypoints, then their descriptors, sixteen bits to a number."""

    name: str = "keypoints"
    width: int = 1 + KEYPOINTS * _PACKED

    def template(self, sample: Sample) -> NDArray[np.floating[Any]]:
        """float32 (1025,); all zeros where the photo has no corners, which matches nothing."""
        bits = descriptors(sample.rgb)
        row = np.zeros(self.width, dtype=np.float32)
        row[0] = len(bits)
        row[1 : 1 + len(bits) * _PACKED] = np.packbits(bits, axis=1).view(np.uint16).ravel()
        return row


def unmatched(probes: Templates, gallery: Templates) -> Floats:
    """1 − share of keypoints matched, (p, g) in [0, 1]; the share is of the photo that has more. NaN in, NaN out.

    Matched are keypoints that are each other's nearest by Hamming distance, and RATIO nearer than the next best.
    """
    (first, many), (second, others) = _unpack(probes.rows), _unpack(gallery.rows)
    matched = np.zeros((len(first), len(second)))
    for start in range(0, len(second), _PART):
        part = slice(start, start + _PART)
        # One list of all keypoints of these candidates; those that are only padding are far from everything.
        words = np.ascontiguousarray(second[part].reshape(-1, _WORDS).T)
        padding = np.where(np.arange(KEYPOINTS) < others[part, None], np.uint8(0), _FAR).astype(np.uint8)
        for row in range(len(first)):
            if many[row]:
                bits = _hamming(first[row, : many[row]], words).reshape(many[row], -1, KEYPOINTS)
                matched[row, part] = _matches(np.maximum(bits, padding))
    more = np.maximum(np.maximum(many[:, None], others[None, :]), 1)
    distances = np.asarray(1.0 - matched / more)
    distances[np.isnan(probes.rows).any(axis=1)] = np.nan
    distances[:, np.isnan(gallery.rows).any(axis=1)] = np.nan
    return distances


def _unpack(rows: Rows) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Descriptors (n, 64, 4) as 64-bit words, and how many of them each photo has."""
    filled = np.nan_to_num(rows)
    words = filled[:, 1:].astype(np.uint16).view(np.uint64).reshape(len(filled), KEYPOINTS, _WORDS)
    return words, filled[:, 0].astype(np.int64)


def _hamming(one: NDArray[np.uint64], words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Bits that differ, (n, m), at most 255, between descriptors (n, 4) and (4, m)."""
    total = np.bitwise_count(one[:, 0, None] ^ words[0])
    for word in range(1, _WORDS):
        bits = np.bitwise_count(one[:, word, None] ^ words[word])
        # 255 at most in all: 256 would come out as 0.
        total += np.minimum(bits, _FAR - total)
    return np.asarray(total, dtype=np.uint8)


def _matches(distances: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many of n keypoints match one of each of c candidates, (c,), from `distances` (n, c, 64)."""
    two = np.partition(distances, 1, axis=2)[:, :, :2]
    nearest = two[:, :, :1]
    mutual = ((distances == nearest) & (distances == distances.min(axis=0))).any(axis=2)
    clear = nearest[:, :, 0] < RATIO * two[:, :, 1]
    # With one keypoint there is no next best to be nearer than.
    alone = two[:, :, 1] == _FAR
    return np.asarray((mutual & clear & ~alone).sum(axis=0))


KEYPOINT_MATCHES = Fixed("keypoints", KeypointView(), unmatched, Approach("T0", "key points of the photograph"))
