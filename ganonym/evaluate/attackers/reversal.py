"""Reversal: released faces are first turned back into what the originals may have looked like, then recognized.

The restorer learns from pairs of other people (pix2pix, Isola et al. 2017, with the L1 loss only; Todt et al. 2024
found most face anonymizations to be reversible in part by such means). Two steps: regression of original on released
pixels, which undoes any fixed linear scrambling of places or colours, and a small U-Net that adds detail to what the
regression gives. dlib describes the restored crops; originals it has described at their full size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.evaluate.attackers.adapted import whole_pairs
from ganonym.evaluate.attackers.attacker import Approach, Lesson, Rows, Sample, Templates, View, stack
from ganonym.evaluate.attackers.recognizers import DLIB_ORACLE
from ganonym.evaluate.attackers.restorer import RESTORE_STEPS, Crops, train_restorer
from ganonym.evaluate.protocol import ALL_PHOTOS, OTHER_PHOTO, REVERSAL, SAME_PHOTO
from ganonym.faces.align import crop, similarity
from ganonym.faces.descriptor import DESCRIPTOR, describe
from ganonym.faces.shape import load_shape
from ganonym.types import RGB, Floats, Points

SIDE = 64
ENLARGED = 150  # the side of the pictures that dlib's network takes
# Of the mean face, in units of its centroid size: the square that dlib cuts out, and a margin of 5 % on each side.
CENTRE, EXTENT = np.array([0.0026, -0.0115]), 0.4407


@cache
def places(side: int) -> Points:
    """Where the landmarks of the mean face lie in a crop of `side` pixels, (68, 2). Raises EnvironmentFault."""
    return np.asarray((load_shape().mean - CENTRE) / EXTENT * side + side / 2 - 0.5)


PIXELS = SIDE * SIDE * 3
MOST = 1000
"""Pairs learned from: what regression on n of them costs, grows with n³."""


@dataclass(frozen=True, slots=True)
class CropView:
    """The aligned face in colour, 64 x 64, as a row of 0…255: all 68 landmarks by a similarity onto the mean face.

    Behind the pixels stands dlib's descriptor of the photo: what restored crops of others are compared with.
    """

    name: str = "crop"
    width: int = PIXELS + DESCRIPTOR

    def template(self, sample: Sample) -> Rows | None:
        """(12288 + 128,) float16, None where it is not known where the face is. Raises EnvironmentFault."""
        if sample.place is None:
            return None
        pixels = crop(sample.rgb, similarity(sample.place, places(SIDE)), SIDE).ravel()
        return np.concatenate([pixels, DLIB_ORACLE.view.template(sample)]).astype(np.float16)


@dataclass(frozen=True, slots=True)
class Restored:
    """Euclidean distance of dlib's descriptors, after `restorer` went over what is released."""

    restorer: Callable[[Crops], Crops]

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """(p, g), NaN where a crop is missing."""
        from scipy.spatial.distance import cdist

        return np.asarray(cdist(self._described(probes), self._described(gallery)))

    def _described(self, side: Templates) -> Floats:
        if not side.released:
            return np.asarray(side.rows[:, PIXELS:], dtype=np.float64)
        return np.asarray(stack(map(self._one, side.rows), DESCRIPTOR))

    def _one(self, row: Rows) -> Floats | None:
        if not np.isfinite(row).all():
            return None
        restored = self.restorer(row[None, :PIXELS].astype(np.float32))[0]
        exact: NDArray[np.uint8] = np.round(restored.clip(0, 255)).astype(np.uint8)
        return _descriptor(exact.tobytes())


RESTORATION = Approach(REVERSAL, "restoration before recognition", 2, (OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS))
"""Reversal costs minutes, so it is run where it tells most: on two folds, against originals."""


@dataclass(frozen=True, slots=True)
class Reversal:
    """Learns to restore the crops of other people; the same lesson and `seed` give the same restorer.

    It learns from at most so many pairs (`most`), evenly spread over the lesson. `steps` of training bound its time:
    half a minute to a minute on one core for RESTORE_STEPS and 80 pairs.
    """

    view: View = CropView()
    steps: int = RESTORE_STEPS
    seed: int = 0
    most: int = MOST
    name: str = "reversal"
    approach: Approach = RESTORATION

    def learn(self, lesson: Lesson) -> Restored:
        """The restorer. Raises UsageError when released photos of too few other people are there to learn from."""
        photos = whole_pairs(lesson, self.name)
        if len(photos) > self.most:
            photos = photos[np.linspace(0, len(photos) - 1, self.most).round().astype(np.intp)]
        _, subject = np.unique(np.array(lesson.subjects, dtype=np.str_)[photos], return_inverse=True)
        released, originals = (rows[photos, :PIXELS].astype(np.float32) for rows in (lesson.released, lesson.originals))
        return Restored(train_restorer(released, originals, subject, self.steps, self.seed))


@lru_cache(maxsize=4096)  # the same photos are restored for several settings
def _descriptor(pixels: bytes) -> Floats:
    """dlib's descriptor (128,) of a crop."""
    face: RGB = np.frombuffer(pixels, dtype=np.uint8).reshape(SIDE, SIDE, 3)
    enlarged = Image.fromarray(face).resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC)
    return describe(np.asarray(enlarged), places(ENLARGED))
