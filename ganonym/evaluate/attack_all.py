"""Every attacker in every setting, and several of them together; what cannot be run is named, never scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.assessment import Finding
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.attackers.dlib_recognizer import DLIB_ORACLE
from ganonym.evaluate.attackers.fusion import COST as TIERS
from ganonym.evaluate.attackers.fusion import fuse
from ganonym.evaluate.metrics.conditioned import conditioned
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.metrics.group_rates import hits_of
from ganonym.evaluate.metrics.strata import NOBODY, across_sessions, distinctive, of_people
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import (
    ALL_PHOTOS,
    ANONYMIZED,
    OTHER_PHOTO,
    PARROT,
    SAME_PHOTO,
    Photos,
    Scores,
    first_and_rest,
    score,
)
from ganonym.photos.isolate import thread_limit

FUSED = "fused"
SHOWN = 12
UNKNOWN = ("somebody who is not in the table",)
Tell = Callable[[str, int, int], None]


@dataclass(slots=True)
class Attacked:
    """Grows as the attacks go on: one finding an attacker and setting, and (attacker, reason) of what was not run.

    `strata`: of some of the trials (`metrics.strata`). By (attacker, setting): `hits`, whom it named; `surest`, the
    photos that it named with the widest margin.
    """

    findings: list[Finding] = field(default_factory=list)
    strata: list[Finding] = field(default_factory=list)
    hits: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    surest: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    not_run: list[tuple[str, str]] = field(default_factory=list)


def photos_of(view: str, seen: Seen, release: Release) -> Photos:
    """One view of a release."""
    withheld = np.array([item.released is None for item in release.items])
    return Photos(
        seen.originals[view],
        seen.released[view],
        release.subjects,
        withheld,
        mock=seen.mock.get(view),
        distractors=seen.distractors.get(view),
    )


def attack_all(
    attackers: Sequence[Attacker],
    fused: Sequence[str],
    seen: Seen,
    release: Release,
    rng: np.random.Generator,
    attacked: Attacked,
    jobs: int,
    tell: Tell,
) -> Iterator[Scores]:
    """Yield the scores of every attack after noting their finding in `attacked`.

    `fused`: names of the attackers whose distances are also combined. Where the release publishes columns, every
    attack on originals is made once more by an attacker who reads them first. An attacker who has too few people to
    learn from is noted as not run; other errors are passed on.
    """
    columns = [released_values(release, index) for index in range(len(release.items))]
    value_of = dict(zip(reversed(release.subjects), reversed(columns), strict=True))  # a subject's first photo decides
    parts: dict[str, list[Scores]] = {}
    sessions = [item.row.session for item in release.items]
    # Without the recognizer's view, which a choice of attackers may leave out, nobody is known to be distinctive.
    recognized = seen.originals.get(DLIB_ORACLE.view.name)
    rare = frozenset() if recognized is None else distinctive(recognized, release.subjects)
    everybody, _ = first_and_rest(release.subjects, range(len(sessions)))
    listed, _ = first_and_rest(
        release.subjects, [index for index, item in enumerate(release.items) if item.released is not None]
    )

    def noted(scores: Scores) -> Iterator[Scores]:
        both = [scores]
        if release.columns and scores.setting not in (ANONYMIZED, PARROT):
            probes = [columns[index] for index in scores.photos.tolist()]
            both.append(conditioned(scores, probes, [value_of.get(name, UNKNOWN) for name in scores.gallery.tolist()]))
        for each in both:
            attacked.findings.append(finding(each, rng))
            attacked.hits[each.attacker, each.setting] = hits_of(each)
            attacked.surest[each.attacker, each.setting] = _surest(each)
            yield each
        if scores.setting in (OTHER_PHOTO, ANONYMIZED):
            known = listed if scores.setting == ANONYMIZED else everybody
            photos = known + [NOBODY] * (len(scores.gallery) - len(known))
            some = (across_sessions(scores, sessions, photos), of_people(scores, rare))
            attacked.strata += [finding(each, rng) for each in some if each is not None]

    for done, (attacker, found) in enumerate(_scored(attackers, seen, release, jobs)):
        tell("attack", done, len(attackers) + 1)
        if isinstance(found, UsageError):
            attacked.not_run.append((attacker.name, str(found)))
            continue
        for scores in found:
            if attacker.name in fused:
                parts.setdefault(scores.setting, []).append(scores)
            yield from noted(scores)
    tell("attack", len(attackers), len(attackers) + 1)
    for together in parts.values():
        if len(together) > 1:
            yield from noted(fuse(together, FUSED))
    tell("attack", len(attackers) + 1, len(attackers) + 1)


def _scored(
    attackers: Sequence[Attacker], seen: Seen, release: Release, jobs: int
) -> Iterator[tuple[Attacker, list[Scores] | UsageError]]:
    """In the attackers' order, whatever finishes first; the dearest start first, as all wait for them in the end."""
    work = [(attacker, photos_of(attacker.view.name, seen, release)) for attacker in attackers]
    if jobs == 1:
        yield from ((attacker, _tried(attacker, photos)) for attacker, photos in work)
        return
    with thread_limit(1), ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        order = sorted(range(len(work)), key=lambda place: -TIERS.index(work[place][0].tier))
        waiting = {place: pool.submit(_tried, *work[place]) for place in order}
        for place, attacker in enumerate(attackers):
            yield attacker, waiting.pop(place).result()


def _tried(attacker: Attacker, photos: Photos) -> list[Scores] | UsageError:
    """Reversal costs minutes, so it is run where it tells most: on two folds, against originals."""
    try:
        if attacker.tier == "R":
            return list(score(attacker, photos, folds=2, settings=(OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS)))
        return list(score(attacker, photos))
    except UsageError as error:
        return error


def released_values(release: Release, index: int) -> tuple[str, ...]:
    """What the released table says of one photo: ages in the ten-year bands in which they are published."""
    row = release.items[index].row
    found = {name: getattr(row, name) for name in release.columns}
    if found.get("age") is not None:
        found["age"] = f"{int(found['age'] // 10)}0"
    return tuple("" if value is None else str(value) for value in found.values())


def _surest(scores: Scores) -> list[int]:
    """Photos named at first guess, at most SHOWN, the next candidate farthest behind first."""
    rows = np.arange(len(scores.owners))
    own = scores.distances[rows, scores.truth]
    others = np.where(np.isnan(scores.distances), np.inf, scores.distances)
    if scores.mask is not None:
        others = np.where(scores.mask, others, np.inf)
    others[rows, scores.truth] = np.inf
    margin = others.min(axis=1, initial=np.inf) - own
    order = [row for row in np.argsort(-margin, kind="stable").tolist() if 0 < margin[row] < np.inf]
    return [int(index) for index in scores.photos[order[:SHOWN]]]
