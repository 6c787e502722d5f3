"""Every attacker in every setting, and several of them together; what cannot be run is named, never scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attack_one import Attack, Context, attack_one, attack_together, attacks
from ganonym.evaluate.attackers.attacker import Attacker, Sample, approach_of, templates
from ganonym.evaluate.attackers.recognizers import DLIB_ORACLE
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.metrics.ranking import Trials
from ganonym.evaluate.metrics.strata import distinctive
from ganonym.evaluate.protocol import cost
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import Photos
from ganonym.types import Progress
from ganonym.workers import compute

SHOWN = 12
Write = Callable[[Trials], object]
"""What becomes of the trials of one attacker in one setting; they are not kept."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """What came of all attacks: one finding an attacker and setting, and (attacker, reason) of what was not run.

    `strata`: of some of the trials (`metrics.strata`). By (attacker, setting): `hits`, whom it named; `surest`, the
    photos that it named with the widest margin.
    """

    findings: tuple[Finding, ...]
    strata: tuple[Finding, ...]
    hits: Mapping[tuple[str, str], Mapping[str, float]]
    surest: Mapping[tuple[str, str], tuple[int, ...]]
    not_run: tuple[tuple[str, str], ...]


def attack_all(
    attackers: Sequence[Attacker],
    fused: Sequence[str],
    seen: Seen,
    release: Release,
    *,
    seed: int = 0,
    jobs: int = 1,
    write: Write = lambda _trials: None,
    tell: Progress = lambda _phase, _done, _total: None,
) -> Attacked:
    """Run every attack in `jobs` processes; `write` gets the trials of each as it is done, in the attackers' order.

    `fused`: names of the attackers whose distances are also combined. Where the release publishes columns, every
    attack on originals is made once more by an attacker who reads them first. An attacker who has too few people to
    learn from is noted as not run; other errors are passed on.
    """
    context = _context(seen, release, seed)
    work = [(attacker, photos_of(attacker.view.name, seen, release), context) for attacker in attackers]
    parts = [(attacker, photos) for attacker, photos, _ in work if attacker.name in fused]
    together = ([attacker for attacker, _ in parts], [photos for _, photos in parts], context)
    findings: list[Finding] = []
    strata: list[Finding] = []
    hits: dict[tuple[str, str], Mapping[str, float]] = {}
    surest: dict[tuple[str, str], tuple[int, ...]] = {}
    not_run: list[tuple[str, str]] = []
    tell("attack", 0, len(work) + 1)
    for done, made in enumerate(_made(work, together, jobs)):
        tell("attack", done + 1, len(work) + 1)
        if isinstance(made, UsageError):
            not_run.append((attackers[done].name, str(made)))
            continue
        for attack in made:
            trials = attack.trials
            findings.append(attack.finding)
            strata += attack.strata
            hits[trials.attacker, trials.setting] = attack.hits
            surest[trials.attacker, trials.setting] = tuple(trials.surest(SHOWN))
            write(trials)
    return Attacked(tuple(findings), tuple(strata), hits, surest, tuple(not_run))


def attack_samples(
    attackers: Sequence[Attacker],
    originals: Sequence[Sample],
    released: Sequence[Sample | None],
    subjects: Sequence[str],
    seed: int = 0,
) -> tuple[Finding, ...]:
    """Findings of every attacker in every setting, on a few photos in memory, as an assessment finds them.

    `released[i]` is the output of `originals[i]`, on which `subjects[i]` is, None when it was withheld. Raises
    ValueError when they do not pair up, UsageError when there are too few people for an attacker to learn from.
    """
    if not len(originals) == len(released) == len(subjects):
        raise ValueError(
            f"{len(originals)} originals, {len(released)} outputs and {len(subjects)} subjects do not pair up"
        )
    withheld = np.array([sample is None for sample in released], dtype=bool)
    findings: list[Finding] = []
    views: dict[str, Photos] = {}
    for attacker in attackers:
        if attacker.view.name not in views:
            before = templates(attacker.view, originals)
            after = np.full_like(before, np.nan)
            after[~withheld] = templates(attacker.view, [sample for sample in released if sample is not None])
            views[attacker.view.name] = Photos(before, after, tuple(subjects), withheld)
        findings += (attack.finding for attack in attacks(attacker, views[attacker.view.name], Context(seed)))
    return tuple(findings)


def photos_of(view: str, seen: Seen, release: Release) -> Photos:
    """One view of a release."""
    withheld = np.array([item.released is None for item in release.items])
    groups = np.array([-1 if item.group is None else item.group for item in release.items], dtype=np.intp)
    return Photos(
        seen.originals[view],
        seen.released[view],
        release.subjects,
        withheld,
        mock=seen.mock.get(view),
        distractors=seen.distractors.get(view),
        groups=groups if (groups >= 0).any() else None,
        linked=release.linked,
    )


def released_values(release: Release, index: int) -> tuple[str, ...]:
    """What the released table says of one photo: ages in the ten-year bands in which they are published."""
    row = release.items[index].row
    values = {name: getattr(row, name) for name in release.columns}
    if values.get("age") is not None:
        values["age"] = f"{int(values['age'] // 10)}0"
    return tuple("" if value is None else str(value) for value in values.values())


def _made(
    work: Sequence[tuple[Attacker, Photos, Context]],
    together: tuple[list[Attacker], list[Photos], Context],
    jobs: int,
) -> Iterator[list[Attack] | UsageError]:
    """Of each of `work`, then of all `together`; in several processes the dearest start first, as all wait for them."""
    places = list(range(len(work) + 1))
    if jobs > 1:
        places[:-1] = sorted(places[:-1], key=lambda place: -cost(approach_of(work[place][0]).tier))
    calls: list[Callable[[], list[Attack] | UsageError]] = [
        *(partial(attack_one, *parts) for parts in work),
        partial(attack_together, *together),
    ]
    made: dict[int, list[Attack] | UsageError] = {}
    awaited = 0
    for place, attack in zip(places, compute(_call, [calls[place] for place in places], jobs), strict=True):
        made[place] = attack
        while awaited in made:
            yield made.pop(awaited)
            awaited += 1


def _call(attack: Callable[[], list[Attack] | UsageError]) -> list[Attack] | UsageError:
    return attack()


def _context(seen: Seen, release: Release, seed: int) -> Context:
    columns = [released_values(release, index) for index in range(len(release.items))] if release.columns else []
    # Without the recognizer's view, which a choice of attackers may leave out, nobody is known to be distinctive.
    recognized = seen.originals.get(DLIB_ORACLE.view.name)
    return Context(
        seed,
        tuple(columns),
        dict(zip(reversed(release.subjects), reversed(columns), strict=True)) if columns else {},  # by the first photo
        tuple(item.row.session for item in release.items),
        frozenset() if recognized is None else distinctive(recognized, release.subjects),
    )
