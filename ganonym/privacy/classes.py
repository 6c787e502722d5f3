"""Groups within classes: a released label narrows the crowd to its class before anybody looks at a picture.

So groups never mix labels. A class of fewer than k people cannot have a group of k: it is one group by itself, with
which the picture adds nothing to the label; or is withheld; or is released under one name with the nearest class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.privacy.crowds import crowds
from ganonym.privacy.ksame import merged_labels
from ganonym.settings import SMALLEST_CLASS, SmallClasses
from ganonym.types import Floats, Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Classed:
    """`group` (n,) of each photo, -1 where `refusals` (n) says why it has none; `labels` (n) as they are released.

    `promise` (n,) is the rate that is promised of a photo, from k and its class alone, whatever groups were formed;
    `alone` are labels and numbers of people of classes that are one group for lack of k people.
    """

    group: NDArray[np.intp]
    labels: tuple[str | None, ...]
    refusals: tuple[Refusal | None, ...]
    promise: Floats
    alone: tuple[tuple[str | None, int], ...]


def classed(
    places: Floats,
    owners: NDArray[np.intp],
    labels: Sequence[str | None] | None,
    k: int,
    small_classes: SmallClasses = "class",
) -> Classed:
    """Groups of photos at `places` (n, d) of `owners` (n,), within `labels` (n), in the order of labels.

    Withheld are classes that are too small (reason "small-class") and photos beyond the number of groups of people who
    have that many ("many-photos"). A class that is one group has all photos of its people in it. Raises UsageError as
    `crowds`, where there are no labels.
    """
    given = [None] * len(places) if labels is None else list(labels)
    labelled = any(label is not None for label in given)
    if labelled and small_classes == "merge":
        given = _merged(places, owners, given, k)
    group = np.full(len(places), -1, dtype=np.intp)
    refusals: list[Refusal | None] = [None] * len(places)
    promise, alone = np.full(len(places), 1.0 / k), []
    count = 0
    for label in sorted(set(given), key=lambda value: (value is not None, value)):
        members = np.flatnonzero([other == label for other in given])
        photos = np.unique(owners[members], return_counts=True)[1]
        people = len(photos)
        if labelled and people < k:
            if small_classes == "class" and people >= SMALLEST_CLASS:
                group[members] = count
                promise[members] = photos.max() / photos.sum()
                alone.append((label, people))
                count += 1
                continue
            refusal = _too_small(label, people, k, small_classes)
            for photo in members:
                refusals[photo] = refusal
            continue
        own = crowds(places[members], owners[members], k)
        group[members] = np.where(own >= 0, own + count, -1)
        groups = int(own.max()) + 1
        count += groups
        for photo in members[own < 0]:
            detail = f"its person has more photos than there are groups ({groups}), and no group may have two of them"
            refusals[photo] = Refusal("many-photos", detail)
    return Classed(group, tuple(given), tuple(refusals), promise, tuple(alone))


def _too_small(label: str | None, people: int, k: int, small_classes: SmallClasses) -> Refusal:
    need = f"k = {k}" if small_classes != "class" else f"{SMALLEST_CLASS}, the smallest class that may be a group"
    return Refusal("small-class", f"only {people} people carry the label {label or '(none)'!r}, fewer than {need}")


def _merged(places: Floats, owners: NDArray[np.intp], labels: Sequence[str | None], k: int) -> list[str | None]:
    """Labels as they are released, so that each has k people if it can; every person counts once in a class."""
    units: dict[tuple[str | None, int], list[int]] = {}
    for photo, label in enumerate(labels):
        units.setdefault((label, int(owners[photo])), []).append(photo)
    people = np.array([places[photos].mean(axis=0) for photos in units.values()])
    released = merged_labels(people, [label for label, _ in units], k, np.ones(places.shape[1]))
    merged: list[str | None] = [None] * len(labels)
    for photos, label in zip(units.values(), released, strict=True):
        for photo in photos:
            merged[photo] = label
    return merged
