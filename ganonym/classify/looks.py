"""How published systems look at a cohort: crops or embeddings of each photograph, or sets of them of each person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.classify.cohort import Cohort, Crop, Portrait, Seen
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.encoders import IResNetEncoder
from ganonym.classify.learning.fit import CPU
from ganonym.classify.networks.iresnet import form_of, iresnet_of
from ganonym.classify.system import Arrays, Inputs, Published


@dataclass(frozen=True, slots=True)
class PhotoLook:
    """Portraits of n photos → what a system of single photos learns from, (n, ...): `of` them, who have `crops`."""

    crops: tuple[Crop, ...]
    of: Callable[[Sequence[Portrait]], Inputs]

    def __call__(self, faces: Sequence[Portrait]) -> Inputs:
        return self.of(faces)


@dataclass(frozen=True, slots=True)
class Look:
    """What a system makes `of` a cohort whose portraits have `crops`: name these to `gather`."""

    crops: tuple[Crop, ...]
    of: Callable[[Cohort], Seen]

    def __call__(self, cohort: Cohort) -> Seen:
        return self.of(cohort)


@dataclass(frozen=True, slots=True)
class System:
    """`look` turns a cohort into inputs, `method` learns from them."""

    look: Look
    method: Published


def by_photo(look: PhotoLook) -> Look:
    """One input a photo."""

    def seen(cohort: Cohort) -> Seen:
        images = tuple(case.image for case in cohort.cases)
        return Seen(look(cohort.portraits), cohort.classes, cohort.subjects, images)

    return Look(look.crops, seen)


def by_subject(look: PhotoLook) -> Look:
    """One input a subject (`photo_set.pack`): embeddings of up to six photos, and what their cases tell of a person.

    Age, sex and ancestry are those of the first photograph whose case tells them.
    """
    from ganonym.classify.learning.metadata import Vocabulary, known_of
    from ganonym.classify.systems.photo_set import PHOTOS, pack

    def seen(cohort: Cohort) -> Seen:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(cohort.subjects):
            rows.setdefault(name, []).append(row)
        found = look(cohort.portraits)
        people = [known_of([cohort.cases[row] for row in own]) for own in rows.values()]
        packed = pack(
            [found[own[:PHOTOS]].astype(np.float32) for own in rows.values()],
            Vocabulary(()).encode(people),
            [person.ancestry for person in people],
        )
        first = [own[0] for own in rows.values()]
        return Seen(packed, cohort.classes[first], tuple(rows), tuple(cohort.cases[row].image for row in first))

    return Look(look.crops, seen)


def embedded(foundation: Arrays, device: str = CPU) -> PhotoLook:
    """Portraits → embeddings (n, d) of unit length by the foundation."""
    encoder = IResNetEncoder("foundation", iresnet_of(foundation).to(device))
    pictures = pictured(ArcFaceCrop(form_of(foundation).side))

    def look(faces: Sequence[Portrait]) -> Inputs:
        found = encoder(pictures(faces))
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))

    return PhotoLook(pictures.crops, look)


def pictured(crop: Crop) -> PhotoLook:
    """Portraits → one crop of each."""
    return PhotoLook((crop,), lambda faces: np.stack([face.crop(crop) for face in faces]))
