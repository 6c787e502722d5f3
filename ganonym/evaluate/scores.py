"""Trials: which photo is compared with which in each setting of the `protocol`, and the distances an attacker gives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Attacker, Lesson, Matcher, Rows, Templates, approach_of
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSE, SAME_PHOTO, Tier
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class People:
    """Templates (n, d) of original photos of people who are not under attack, for an attacker to learn from."""

    templates: Rows
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Photos:
    """One view of all photos: row i of `originals` and `released` (n, d) is photo i of `subjects[i]`, before and after.

    `withheld` (n,) marks photos of which nothing was released: they are no trials, but their originals stay in the
    attacker's gallery. A NaN row of a released photo is a failure to acquire, which is a trial. `mock` (n, d): what the
    attacker's own run of the same anonymizer makes of the originals. `background`: other people to learn from.
    `distractors` (m, d): originals of further people, candidates in every gallery of originals. `groups` (n,): which
    photos the mechanism grouped, as anybody finds who reruns it over all originals, -1 for none; None where that is not
    told. `linked`: whether the release may say whose outputs belong together. Raises ValueError when they do not fit.
    """

    originals: Rows
    released: Rows
    subjects: tuple[str, ...]
    withheld: NDArray[np.bool_]
    mock: Rows | None = None
    background: People | None = None
    distractors: Rows | None = None
    groups: NDArray[np.intp] | None = None
    linked: bool = True

    def __post_init__(self) -> None:
        if not len(self.originals) == len(self.released) == len(self.subjects) == len(self.withheld):
            raise ValueError("originals, released, subjects and withheld differ in length")
        if self.mock is not None and len(self.mock) != len(self.originals):
            raise ValueError("originals and mock outputs differ in length")
        if self.groups is not None and len(self.groups) != len(self.originals):
            raise ValueError("originals and groups differ in length")
        if self.background is not None and not set(self.background.subjects).isdisjoint(self.subjects):
            raise ValueError("the background people must not be among those attacked")


@dataclass(frozen=True, slots=True)
class Scores:
    """Distances (p, g) of one attacker in one setting, smaller = more alike, NaN = no template.

    `owners` (p,) and `gallery` (g,): whose photo each probe and candidate is; candidates are distinct people, the owner
    of every probe among them. `photos` (p,): the photo behind each probe; of "all photos" the subject's first. `mask`
    (p, g): the candidates who come into question for each probe, its owner among them; everybody when None.
    """

    attacker: str
    tier: Tier
    setting: str
    distances: Floats
    owners: NDArray[np.str_]
    gallery: NDArray[np.str_]
    photos: NDArray[np.intp]
    mask: NDArray[np.bool_] | None = None

    @property
    def truth(self) -> NDArray[np.intp]:
        """Column of each probe's owner, (p,)."""
        column = {name: index for index, name in enumerate(self.gallery.tolist())}
        return np.array([column[name] for name in self.owners.tolist()], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows of photos against columns of photos, of which settings take their part."""

    probes: list[int]
    gallery: list[int]
    probe_rows: Rows
    gallery_rows: Rows
    probes_released: bool
    gallery_released: bool
    distractors: int = 0


@runtime_checkable
class Holder(Protocol):
    """An attacker who holds all photos at once, not a gallery of one a subject, and so makes his scores himself."""

    def scores(self, photos: Photos, settings: Collection[str]) -> Iterator[Scores]:
        """As `score` does, of the same probes; raises as `Attacker.learn` does."""
        ...


def score(attacker: Attacker, photos: Photos, settings: Collection[str] | None = None) -> Iterator[Scores]:
    """Distances in every one of `settings`, the attacker's own by default, that the photos allow, one after the other.

    A subject's first photo enters the gallery and is the probe of "same photo"; the others are the probes of the other
    settings, which are left out when no subject has two photos. What is learned, is learned from subjects outside the
    fold under attack, and from the background. Errors of the attacker are passed on; ArithmeticError when it gives no
    distance for two templates that are there, which would count as if the photo could not be acquired.
    """
    approach = approach_of(attacker)
    wanted = approach.settings if settings is None else settings
    if isinstance(attacker, Holder):
        yield from attacker.scores(photos, wanted)
        return
    fold_of = {name: index % approach.folds for index, name in enumerate(dict.fromkeys(photos.subjects))}
    fold = np.array([fold_of[name] for name in photos.subjects], dtype=int)
    matchers = {number: attacker.learn(_lesson(photos, fold != number)) for number in sorted(set(fold_of.values()))}
    names = np.array(photos.subjects)
    first, rest = first_and_rest(photos.subjects, range(len(names)))
    free = np.flatnonzero(~photos.withheld).tolist()
    first_free, rest_free = first_and_rest(photos.subjects, free)

    def of(block: _Block) -> Floats:
        return _distances(block, matchers, fold, attacker.name)

    def scores(setting: str, block: _Block, distances: Floats) -> Scores:
        gallery = np.concatenate([names[block.gallery], [f"distractor {n}" for n in range(block.distractors)]])
        return Scores(
            attacker.name, approach.tier, setting, distances, names[block.probes], gallery, np.array(block.probes, int)
        )

    before, after = photos.originals, photos.released

    def against_originals() -> Iterator[Scores]:
        gallery = before[first] if photos.distractors is None else np.concatenate([before[first], photos.distractors])
        block = _Block(free, first, after[free], gallery, True, False, len(gallery) - len(first))
        distances = of(block)
        chosen = set(first)
        for setting, enrolled in ((OTHER_PHOTO, False), (SAME_PHOTO, True)):
            rows = [row for row, index in enumerate(free) if (index in chosen) is enrolled]
            if rows and setting in wanted:
                yield scores(setting, replace(block, probes=[free[row] for row in rows]), distances[rows])
        if rest_free and ALL_PHOTOS in wanted:
            yield scores(
                ALL_PHOTOS, replace(block, probes=first_free), _fused(distances, names[free], names[first_free])
            )

    if free and not {OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS}.isdisjoint(wanted):
        yield from against_originals()
    if rest_free and ANONYMIZED in wanted:
        block = _Block(rest_free, first_free, after[rest_free], after[first_free], True, True)
        yield scores(ANONYMIZED, block, of(block))
    listed = {names[index] for index in first_free}
    asked = [index for index in rest if names[index] in listed]
    if asked and REVERSE in wanted:
        block = _Block(asked, first_free, before[asked], after[first_free], False, True)
        yield scores(REVERSE, block, of(block))
    if photos.mock is not None and free and PARROT in wanted:
        block = _Block(free, first, after[free], photos.mock[first], True, True)
        yield scores(PARROT, block, of(block))


def first_and_rest(subjects: Sequence[str], indices: Sequence[int]) -> tuple[list[int], list[int]]:
    """Of `indices`, the first of each subject, in order, and the others.

    >>> first_and_rest(["a", "b", "a", "a"], [0, 1, 2, 3])
    ([0, 1], [2, 3])
    """
    first: dict[str, int] = {}
    for index in indices:
        first.setdefault(subjects[index], index)
    chosen = set(first.values())
    return list(first.values()), [index for index in indices if index not in chosen]


def _lesson(photos: Photos, others: NDArray[np.bool_]) -> Lesson:
    before, after = photos.originals[others], photos.released[others]
    subjects = tuple(np.array(photos.subjects)[others].tolist())
    if photos.background is not None:
        extra = photos.background.templates
        before = np.concatenate([before, extra])
        after = np.concatenate([after, np.full_like(extra, np.nan)])
        subjects += photos.background.subjects
    return Lesson(before, after, subjects)


def _distances(block: _Block, matchers: dict[int, Matcher], fold: NDArray[np.int_], attacker: str) -> Floats:
    distances = np.full((len(block.probes), len(block.gallery_rows)), np.nan)
    gallery = Templates(block.gallery_rows, block.gallery_released)
    for number, matcher in matchers.items():
        rows = np.flatnonzero(fold[block.probes] == number)
        if len(rows):
            distances[rows] = matcher(Templates(block.probe_rows[rows], block.probes_released), gallery)
    nothing = np.isnan(distances)
    nothing[np.isnan(block.probe_rows).any(axis=1)] = False
    nothing[:, np.isnan(block.gallery_rows).any(axis=1)] = False
    if nothing.any():
        raise ArithmeticError(f"{attacker} compared two templates and gave no distance")
    return distances


def _fused(distances: Floats, owners: NDArray[np.str_], subjects: NDArray[np.str_]) -> Floats:
    """Root mean square over each subject's photos that gave a template, (s, g).

    For Euclidean distances it ranks candidates as the mean template of the photos does: Σ|pᵢ − g|² = n|p̄ − g|² + const.
    """
    fused = np.full((len(subjects), distances.shape[1]), np.nan)
    for row, subject in enumerate(subjects):
        squares = distances[owners == subject] ** 2
        seen = ~np.isnan(squares)
        some = seen.any(axis=0)
        fused[row, some] = np.sqrt(np.nansum(squares, axis=0)[some] / seen.sum(axis=0)[some])
    return fused
