"""One attacker, or several together, against all photos: what a worker process does, and the little that it sends back.

Distances of every photo to every candidate stay with the worker, one setting at a time: for thousands of people they
are by far the largest thing in an assessment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.assessment import Finding
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.attackers.fusion import fuse
from ganonym.evaluate.metrics.conditioned import conditioned
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.metrics.group_rates import hits_of
from ganonym.evaluate.metrics.strata import NOBODY, across_sessions, of_people
from ganonym.evaluate.metrics.trials import Trials, trials_of
from ganonym.evaluate.scores import (
    ALL_PHOTOS,
    ANONYMIZED,
    FOLDS,
    OTHER_PHOTO,
    PARROT,
    SAME_PHOTO,
    SETTINGS,
    Photos,
    Scores,
    score,
)

FUSED = "fused"
UNKNOWN = ("somebody who is not in the table",)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of photos and people beside any template.

    What the released table says of each photo (`values`) and of each subject (`value_of`), both empty where no table is
    released; the photos' `sessions`; the people who are easiest to tell from all others (`distinctive`); the first
    photo of each subject (`everybody`) and the first released one (`listed`), who are the candidates; the `seed` of
    shuffled names.
    """

    values: tuple[tuple[str, ...], ...]
    value_of: Mapping[str, tuple[str, ...]]
    sessions: tuple[str | None, ...]
    distinctive: frozenset[str]
    everybody: tuple[int, ...]
    listed: tuple[int, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Attack:
    """One attacker in one setting: whom it named (`hits`), its trials, and the finding of some of them (`strata`)."""

    trials: Trials
    finding: Finding
    hits: dict[str, float]
    strata: tuple[Finding, ...]


def attack_one(attacker: Attacker, photos: Photos, known: Known) -> list[Attack] | UsageError:
    """The attacks in every setting; the error of an attacker who has too few people to learn from, others are raised.

    Reversal costs minutes, so it is run where it tells most: on two folds, against originals.
    """
    folds, settings = (2, (OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS)) if attacker.tier == "R" else (FOLDS, SETTINGS)
    try:
        return list(_attacks(score(attacker, photos, folds, settings), attacker.name, known))
    except UsageError as error:
        return error


def attack_together(attackers: Sequence[Attacker], photos: Sequence[Photos], known: Known) -> list[Attack]:
    """The attacks by the mean of the distances that `attackers` give; none where fewer than two of them can be run."""
    running = []
    for attacker, seen in zip(attackers, photos, strict=True):
        scores = score(attacker, seen)
        try:
            running.append(chain([next(scores)], scores))
        except (UsageError, StopIteration):
            continue
    if len(running) < 2:
        return []
    return list(_attacks((fuse(each, FUSED) for each in zip(*running, strict=True)), FUSED, known))


def _attacks(scored: Iterable[Scores], name: str, known: Known) -> Iterator[Attack]:
    # A stream of its own: what one attacker draws does not depend on which others are run.
    rng = np.random.default_rng([known.seed, 1, *name.encode()])
    for scores in scored:
        yield _attack(scores, _strata(scores, known), rng)
        if known.values and scores.setting not in (ANONYMIZED, PARROT):
            yield _attack(_conditioned(scores, known), (), rng)


def _attack(scores: Scores, some: Iterable[Scores], rng: np.random.Generator) -> Attack:
    found = finding(scores, rng)
    return Attack(trials_of(scores), found, hits_of(scores), tuple(finding(each, rng) for each in some))


def _conditioned(scores: Scores, known: Known) -> Scores:
    probes = [known.values[index] for index in scores.photos.tolist()]
    return conditioned(scores, probes, [known.value_of.get(name, UNKNOWN) for name in scores.gallery.tolist()])


def _strata(scores: Scores, known: Known) -> Iterator[Scores]:
    if scores.setting not in (OTHER_PHOTO, ANONYMIZED):
        return
    first = known.listed if scores.setting == ANONYMIZED else known.everybody
    photos = [*first, *[NOBODY] * (len(scores.gallery) - len(first))]
    for each in (across_sessions(scores, known.sessions, photos), of_people(scores, known.distinctive)):
        if each is not None:
            yield each
