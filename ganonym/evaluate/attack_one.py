"""One attacker, or several together, against all photos: what a worker process does, and the little that it sends back.

Distances of every photo to every candidate stay with the worker, one setting at a time: for thousands of people they
are by far the largest thing in an assessment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.metrics.ranking import Trials, trials_of
from ganonym.evaluate.metrics.strata import NOBODY, across_sessions, conditioned, hits_of, of_people
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, PARROT, cost
from ganonym.evaluate.scores import Photos, Scores, first_and_rest, score
from ganonym.types import Floats

FUSED = "fused"
STRANGER = ("somebody who is not in the table",)
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Context:
    """What there is about photos and people beside their templates; by default nothing.

    What the released table says of each photo (`values`) and of each subject (`value_of`), both empty where no table is
    released; the photos' `sessions`; the people who are easiest to tell from all others (`distinctive`). `seed` of the
    shuffled names.
    """

    seed: int = 0
    values: tuple[tuple[str, ...], ...] = ()
    value_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sessions: tuple[str | None, ...] = ()
    distinctive: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Attack:
    """One attacker in one setting: whom it named (`hits`), its trials, and the finding of some of them (`strata`)."""

    trials: Trials
    finding: Finding
    hits: dict[str, float]
    strata: tuple[Finding, ...]


def attacks(attacker: Attacker, photos: Photos, context: Context = Context()) -> Iterator[Attack]:
    """The attack in every setting of the attacker's that the photos allow, one after the other.

    Raises UsageError when there are too few people to learn from; other errors of the attacker are passed on.
    """
    return _attacks(score(attacker, photos), attacker.name, photos, context)


def attack_one(attacker: Attacker, photos: Photos, context: Context) -> list[Attack] | UsageError:
    """All `attacks`; the error of an attacker who has too few people to learn from, others are raised."""
    try:
        return list(attacks(attacker, photos, context))
    except UsageError as error:
        return error


def attack_together(attackers: Sequence[Attacker], photos: Sequence[Photos], context: Context) -> list[Attack]:
    """The attacks by the mean of the distances that `attackers` give; none where fewer than two of them can be run.

    `photos[i]` are as the view of `attackers[i]` sees them.
    """
    running = []
    for attacker, seen in zip(attackers, photos, strict=True):
        scores = score(attacker, seen)
        try:
            running.append(chain([next(scores)], scores))
        except (UsageError, StopIteration):
            continue
    if len(running) < 2:
        return []
    fused = (fuse(parts, FUSED) for parts in zip(*running, strict=True))
    return list(_attacks(fused, FUSED, photos[0], context))


def fuse(scores: Sequence[Scores], name: str) -> Scores:
    """One attacker made of several in the same setting: mean of distances, z-normalised over each probe's gallery.

    An attacker without a template of a probe is left out of that probe's mean, one without a candidate's template out
    of that candidate's; a probe that nobody has is NaN. Its tier is the dearest of the parts'. Raises ValueError when
    there is nothing to fuse or the parts are not about the same trials.
    """
    if not scores:
        raise ValueError("there is nothing to fuse")
    first = scores[0]
    for other in scores[1:]:
        if not _same_trials(first, other):
            raise ValueError(f"{first.attacker} and {other.attacker} were not scored on the same trials")
    total, count = np.zeros(first.distances.shape), np.zeros(first.distances.shape, dtype=np.int16)
    for part in scores:  # one after the other: for thousands of people each is the largest thing there is
        units = znormed(part.distances)
        seen = np.isfinite(units)
        total += np.where(seen, units, 0.0)
        count += seen
    fused = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    tier = max((part.tier for part in scores), key=cost)
    return replace(first, attacker=name, tier=tier, distances=fused)


def znormed(distances: Floats) -> Floats:
    """Each row (p, g) with zero mean and unit variance over its candidates; zeros where all are equally far.

    >>> znormed(np.array([[1.0, 3.0, np.nan], [7.0, 7.0, 7.0]])).tolist()
    [[-1.0, 1.0, nan], [0.0, 0.0, 0.0]]
    """
    seen = np.isfinite(distances)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    mean = np.where(seen, distances, 0.0).sum(axis=1, keepdims=True) / count
    centred = distances - mean
    spread = np.sqrt(np.where(seen, centred**2, 0.0).sum(axis=1, keepdims=True) / count)
    flat = spread <= ROUNDING * np.abs(mean)
    return np.asarray(np.where(flat, 0.0 * centred, centred / np.where(flat, 1.0, spread)))


def _same_trials(one: Scores, other: Scores) -> bool:
    return (
        one.setting == other.setting
        and np.array_equal(one.owners, other.owners)
        and np.array_equal(one.gallery, other.gallery)
        and np.array_equal(one.photos, other.photos)
    )


def _attacks(scored: Iterable[Scores], name: str, photos: Photos, context: Context) -> Iterator[Attack]:
    # A stream of its own: what one attacker draws does not depend on which others are run.
    rng = np.random.default_rng([context.seed, 1, *name.encode()])
    for scores in scored:
        yield _attack(scores, _strata(scores, photos, context), rng)
        if context.values and scores.setting not in (ANONYMIZED, PARROT):
            yield _attack(_conditioned(scores, context), (), rng)


def _attack(scores: Scores, strata: Iterable[Scores], rng: np.random.Generator) -> Attack:
    whole = finding(scores, rng)
    return Attack(trials_of(scores), whole, hits_of(scores), tuple(finding(part, rng) for part in strata))


def _conditioned(scores: Scores, context: Context) -> Scores:
    probes = [context.values[index] for index in scores.photos.tolist()]
    return conditioned(scores, probes, [context.value_of.get(name, STRANGER) for name in scores.gallery.tolist()])


def _strata(scores: Scores, photos: Photos, context: Context) -> Iterator[Scores]:
    """Trials across sessions, and those of distinctive people."""
    if scores.setting not in (OTHER_PHOTO, ANONYMIZED):
        return
    released = np.flatnonzero(~photos.withheld).tolist()
    gallery = released if scores.setting == ANONYMIZED else range(len(photos.subjects))
    first, _ = first_and_rest(photos.subjects, gallery)
    candidates = [*first, *[NOBODY] * (len(scores.gallery) - len(first))]
    sessions = context.sessions or (None,) * len(photos.subjects)
    for part in (across_sessions(scores, sessions, candidates), of_people(scores, context.distinctive)):
        if part is not None:
            yield part
