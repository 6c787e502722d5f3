"""Re-identification: an attacker's rank-1 rate per subject, in the settings of the protocol (see `scores`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.evaluate.attackers.attacker import Attacker, templates
from ganonym.evaluate.metrics.ranking import any_hit, rank
from ganonym.evaluate.sample import Sample
from ganonym.evaluate.scores import FOLDS, Photos, Scores, score
from ganonym.statistics.intervals import Proportion, proportion
from ganonym.types import Floats


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


def attack(attacker: Attacker, photos: Photos, folds: int = FOLDS) -> list[Outcome]:
    """The outcome in every setting that the photos allow. Errors of the attacker are passed on."""
    return [outcome(scores) for scores in score(attacker, photos, folds)]


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
    return [each for attacker in attackers for each in attack(attacker, see(attacker, originals, released, subjects))]


def see(
    attacker: Attacker, originals: Sequence[Sample], released: Sequence[Sample | None], subjects: Sequence[str]
) -> Photos:
    """The attacker's view of photos; None is a photo that was withheld."""
    kept = np.array([sample is not None for sample in released], dtype=bool)
    before = templates(attacker.view, originals)
    after = np.full_like(before, np.nan)
    after[kept] = templates(attacker.view, [sample for sample in released if sample is not None])
    return Photos(before, after, tuple(subjects), ~kept)


def outcome(scores: Scores) -> Outcome:
    """Rank-1 rate over subjects with its interval, chance, failures and CMC of one attacker in one setting."""
    owners = scores.owners.tolist()
    ranks = rank(scores.distances, scores.truth, scores.mask)
    cmc = np.array([any_hit(ranks.within(place), owners).mean() for place in range(1, ranks.candidates + 1)])
    blind = any_hit(1.0 / ranks.choices, owners)
    return Outcome(
        attacker=scores.attacker,
        setting=scores.setting,
        rank1=proportion(float(any_hit(ranks.within(1), owners).sum()), len(set(owners))),
        chance=float(blind.mean()),
        gallery=ranks.candidates,
        trials=len(owners),
        failures=int(ranks.failed.sum()),
        cmc=cmc,
    )
