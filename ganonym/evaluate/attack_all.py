"""Every attacker in every setting, and several of them together; what cannot be run is named, never scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.assessment import Finding
from ganonym.evaluate.attack_one import Attack, Known, attack_one, attack_together
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.attackers.dlib_recognizer import DLIB_ORACLE
from ganonym.evaluate.attackers.fusion import COST as TIERS
from ganonym.evaluate.metrics.strata import distinctive
from ganonym.evaluate.metrics.trials import Trials
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import Photos, first_and_rest
from ganonym.workers import compute

SHOWN = 12
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
    seed: int,
    attacked: Attacked,
    jobs: int,
    tell: Tell,
) -> Iterator[Trials]:
    """Yield the trials of every attack after noting their finding in `attacked`.

    `fused`: names of the attackers whose distances are also combined. Where the release publishes columns, every
    attack on originals is made once more by an attacker who reads them first. An attacker who has too few people to
    learn from is noted as not run; other errors are passed on. In the attackers' order, whatever finishes first.
    """
    known = _known(seen, release, seed)
    work = [(each, photos_of(each.view.name, seen, release), known) for each in attackers]
    parts = [each for each in work if each[0].name in fused]
    together = ([each for each, _, _ in parts], [photos for _, photos, _ in parts], known)
    tell("attack", 0, len(work) + 1)
    for done, found in enumerate(_made(work, together, jobs)):
        tell("attack", done + 1, len(work) + 1)
        if isinstance(found, UsageError):
            attacked.not_run.append((attackers[done].name, str(found)))
            continue
        for attack in found:
            trials = attack.trials
            attacked.findings.append(attack.finding)
            attacked.strata += attack.strata
            attacked.hits[trials.attacker, trials.setting] = attack.hits
            attacked.surest[trials.attacker, trials.setting] = trials.surest(SHOWN)
            yield trials


def _made(
    work: Sequence[tuple[Attacker, Photos, Known]],
    together: tuple[list[Attacker], list[Photos], Known],
    jobs: int,
) -> Iterator[list[Attack] | UsageError]:
    """Of each of `work`, then of all `together`; in several processes the dearest start first, as all wait for them."""
    places = list(range(len(work) + 1))
    if jobs > 1:
        places[:-1] = sorted(places[:-1], key=lambda place: -TIERS.index(work[place][0].tier))
    attacks: list[Callable[[], list[Attack] | UsageError]] = [
        *(partial(attack_one, *parts) for parts in work),
        partial(attack_together, *together),
    ]
    made: dict[int, list[Attack] | UsageError] = {}
    awaited = 0
    for place, attack in zip(places, compute(_call, [attacks[place] for place in places], jobs), strict=True):
        made[place] = attack
        while awaited in made:
            yield made.pop(awaited)
            awaited += 1


def _call(attack: Callable[[], list[Attack] | UsageError]) -> list[Attack] | UsageError:
    return attack()


def _known(seen: Seen, release: Release, seed: int) -> Known:
    columns = [released_values(release, index) for index in range(len(release.items))] if release.columns else []
    # Without the recognizer's view, which a choice of attackers may leave out, nobody is known to be distinctive.
    recognized = seen.originals.get(DLIB_ORACLE.view.name)
    out = [index for index, item in enumerate(release.items) if item.released is not None]
    return Known(
        tuple(columns),
        dict(zip(reversed(release.subjects), reversed(columns), strict=True)) if columns else {},  # by the first photo
        tuple(item.row.session for item in release.items),
        frozenset() if recognized is None else distinctive(recognized, release.subjects),
        tuple(first_and_rest(release.subjects, range(len(release.items)))[0]),
        tuple(first_and_rest(release.subjects, out)[0]),
        seed,
    )


def released_values(release: Release, index: int) -> tuple[str, ...]:
    """What the released table says of one photo: ages in the ten-year bands in which they are published."""
    row = release.items[index].row
    found = {name: getattr(row, name) for name in release.columns}
    if found.get("age") is not None:
        found["age"] = f"{int(found['age'] // 10)}0"
    return tuple("" if value is None else str(value) for value in found.values())
