"""How systems look at a cohort: which crops they want, and the inputs that they make of portraits.

Systems of single photos look at a crop or an embedding of each (`PhotoLook`); others make their own `Look`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.classify.cohort import Cohort, Crop, Portrait, Seen
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.encoders import IResNetEncoder
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.networks.iresnet import form_of, iresnet_of


@dataclass(frozen=True, slots=True)
class Look:
    """What a system makes `of` a cohort whose portraits have `crops`: name these to `gather`."""

    crops: tuple[Crop, ...]
    of: Callable[[Cohort], Seen]

    def __call__(self, cohort: Cohort) -> Seen:
        return self.of(cohort)


@dataclass(frozen=True, slots=True)
class PhotoLook:
    """Portraits of n photos → what a system of single photos learns from, (n, ...): `of` them, who have `crops`."""

    crops: tuple[Crop, ...]
    of: Callable[[Sequence[Portrait]], Inputs]

    def __call__(self, faces: Sequence[Portrait]) -> Inputs:
        return self.of(faces)


def by_photo(look: PhotoLook) -> Look:
    """One input a photo."""

    def seen(cohort: Cohort) -> Seen:
        images = tuple(case.image for case in cohort.cases)
        return Seen(look(cohort.portraits), cohort.classes, cohort.subjects, images)

    return Look(look.crops, seen)


def embedded(foundation: Arrays, device: str = CPU) -> PhotoLook:
    """Portraits → embeddings (n, d) of unit length by the foundation."""
    encoder = IResNetEncoder("foundation", iresnet_of(foundation).to(device))
    pictures = pictured(ArcFaceCrop(form_of(foundation).side))

    def look(faces: Sequence[Portrait]) -> Inputs:
        vectors = encoder(pictures(faces))
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))

    return PhotoLook(pictures.crops, look)


def pictured(crop: Crop) -> PhotoLook:
    """Portraits → one crop of each."""
    return PhotoLook((crop,), lambda faces: np.stack([face.crop(crop) for face in faces]))
