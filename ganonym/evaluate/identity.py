"""Re-identification: an attacker's rank-1 rate per subject, in the three settings of the protocol.

- "other photo": the attacker holds another original photo of every subject and gets an anonymized one (naive attack).
- "same photo": the attacker holds the very original that was anonymized, say from a journal.
- "anonymized to anonymized": both photos are released ones; can two of one subject be linked? (lazy attack)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.ranking import rank
from ganonym.evaluate.sample import Sample
from ganonym.evaluate.statistics import Proportion, proportion
from ganonym.types import Floats

OTHER_PHOTO = "other photo"
SAME_PHOTO = "same photo"
ANONYMIZED = "anonymized to anonymized"
SETTINGS = (OTHER_PHOTO, SAME_PHOTO, ANONYMIZED)
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attacker in one setting.

    `rank1` is over subjects: the share of whom any attacked photo is answered with the right name. `chance` is the same
    for blind guesses, independent from photo to photo. `gallery` counts candidates. `failures` of `trials` had no
    template (no face found) and count as blind guesses. `cmc` (gallery,) is the rate within the first 1, 2, … names.
    """

    attacker: str
    setting: str
    rank1: Proportion
    chance: float
    gallery: int
    trials: int
    failures: int
    cmc: Floats


@dataclass(frozen=True, slots=True)
class People:
    """Templates (n, d) of original photos of labelled people, for an attacker to learn from."""

    templates: Floats
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    probes: list[int]
    gallery: list[int]
    gallery_released: bool


def attack_samples(
    attackers: Sequence[Attacker],
    originals: Sequence[Sample],
    released: Sequence[Sample | None],
    subjects: Sequence[str],
) -> list[Outcome]:
    """`attack` by every attacker, on photos. `released[i]` is the output of `originals[i]`, None when withheld."""
    if not len(originals) == len(released) == len(subjects):
        raise ValueError(
            f"{len(originals)} originals, {len(released)} outputs and {len(subjects)} subjects do not pair up"
        )
    kept = np.array([sample is not None for sample in released], dtype=bool)
    outcomes = []
    for attacker in attackers:
        before = attacker.templates(originals)
        after = np.full_like(before, np.nan)
        after[kept] = attacker.templates([sample for sample in released if sample is not None])
        outcomes += attack(attacker, before, after, subjects, ~kept)
    return outcomes


def attack(
    attacker: Attacker,
    originals: Floats,
    released: Floats,
    subjects: Sequence[str],
    withheld: NDArray[np.bool_] | None = None,
    background: People | None = None,
    folds: int = FOLDS,
    informed: bool = False,
) -> list[Outcome]:
    """Attacks `released` (n, d), the templates of the outputs of the photos behind `originals` (n, d).

    A subject's first photo enters the gallery and is the probe of "same photo"; the others are the probes of the other
    settings, which are left out when no subject has two photos. `withheld` (n,) marks photos that were not released:
    they are no trials. An attacker that learns does so on the originals of the subjects outside the fold under attack
    and on `background`, which must be other people; an `informed` one learns instead on the released photos of the
    subjects outside the fold, and so what the anonymizer changes from photo to photo (Hanisch et al. 2024). Errors of
    the attacker are passed on. Raises ValueError when the arguments do not fit together.
    """
    withheld = np.zeros(len(subjects), dtype=bool) if withheld is None else withheld
    if not len(originals) == len(released) == len(subjects) == len(withheld):
        raise ValueError("originals, released, subjects and withheld differ in length")
    if background is not None and not set(background.subjects).isdisjoint(subjects):
        raise ValueError("the background people must not be among those attacked")
    names = np.array(subjects)
    fold_of = {name: index % folds for index, name in enumerate(dict.fromkeys(subjects))}
    fold = np.array([fold_of[name] for name in subjects])
    settings = list(_settings(subjects, withheld))
    distances = [np.full((len(each.probes), len(each.gallery)), np.nan) for each in settings]
    for number in sorted(set(fold_of.values())):
        others = fold != number
        templates, labels = (released if informed else originals)[others], names[others].tolist()
        if background is not None and not informed:
            templates, labels = np.concatenate([templates, background.templates]), [*labels, *background.subjects]
        learned = attacker.learn(templates, labels)
        for each, matrix in zip(settings, distances, strict=True):
            rows = np.flatnonzero(fold[each.probes] == number)
            gallery = (released if each.gallery_released else originals)[each.gallery]
            matrix[rows] = learned.distances(released[each.probes][rows], gallery)
    name = f"{attacker.name} informed" if informed else attacker.name
    return [_outcome(name, each, matrix, names) for each, matrix in zip(settings, distances, strict=True)]


def _settings(subjects: Sequence[str], withheld: NDArray[np.bool_]) -> Iterator[_Setting]:
    first, rest = _first_and_rest(subjects, range(len(subjects)))
    free = [index for index in range(len(subjects)) if not withheld[index]]
    first_free, rest_free = _first_and_rest(subjects, free)
    for setting in (
        _Setting(OTHER_PHOTO, [index for index in rest if not withheld[index]], first, False),
        _Setting(SAME_PHOTO, [index for index in first if not withheld[index]], first, False),
        _Setting(ANONYMIZED, rest_free, first_free, True),
    ):
        if setting.probes:
            yield setting


def _first_and_rest(subjects: Sequence[str], indices: Sequence[int]) -> tuple[list[int], list[int]]:
    first: dict[str, int] = {}
    for index in indices:
        first.setdefault(subjects[index], index)
    chosen = set(first.values())
    return list(first.values()), [index for index in indices if index not in chosen]


def _outcome(attacker: str, setting: _Setting, distances: Floats, names: NDArray[np.str_]) -> Outcome:
    column = {name: index for index, name in enumerate(names[setting.gallery].tolist())}
    owners = names[setting.probes].tolist()
    ranks = rank(distances, np.array([column[name] for name in owners], dtype=np.intp))
    cmc = np.array([_any_hit(ranks.within(place), owners).mean() for place in range(1, ranks.candidates + 1)])
    blind = _any_hit(np.full(len(owners), 1.0 / ranks.candidates), owners)
    return Outcome(
        attacker=attacker,
        setting=setting.name,
        rank1=proportion(float(_any_hit(ranks.within(1), owners).sum()), len(set(owners))),
        chance=float(blind.mean()),
        gallery=ranks.candidates,
        trials=len(owners),
        failures=int(ranks.failed.sum()),
        cmc=cmc,
    )


def _any_hit(hits: Floats, owners: Sequence[str]) -> Floats:
    """Per subject: the probability that at least one of the photos is a hit, given each photo's."""
    misses: dict[str, float] = defaultdict(lambda: 1.0)
    for hit, owner in zip(hits.tolist(), owners, strict=True):
        misses[owner] *= 1.0 - hit
    return 1.0 - np.array(list(misses.values()))
