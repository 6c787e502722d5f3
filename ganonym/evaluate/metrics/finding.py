"""Everything there is to say of one attacker in one setting, and what chance alone would give.

Chance is the rate of named subjects when the names in the gallery are shuffled. With several photos of a subject, or an
output that resembles everybody, it is not 1/N: all photos of a subject get the same wrong name, so the permuted
statistic has the dependence of the real one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.findings import Finding
from ganonym.evaluate.metrics.disclosure import crowds, disclosure
from ganonym.evaluate.metrics.linkability import linkability
from ganonym.evaluate.metrics.ranking import any_hit, rank
from ganonym.evaluate.metrics.verification import verification
from ganonym.evaluate.protocol import ANONYMIZED
from ganonym.evaluate.scores import Scores
from ganonym.statistics.intervals import rate
from ganonym.types import Floats

PLACES = 20
ROUNDS = 1000
_CELLS = 1_000_000  # gathered at once; bounds memory, not the result


def finding(scores: Scores, rng: np.random.Generator, rounds: int = ROUNDS) -> Finding:
    """Rates, chance, curves and bits from distances; `rounds` shuffles of names. Raises ValueError on infinities."""
    owners = scores.owners.tolist()
    ranks = rank(scores.distances, scores.truth, scores.mask)
    subjects = len(set(owners))
    rank1 = rate(float(any_hit(ranks.within(1), owners).sum()), subjects)
    shuffled = null(scores, rng, rounds)
    low, high = shuffled.band
    disclosed = disclosure(scores)
    compared = verification(scores)
    return Finding(
        attacker=scores.attacker,
        tier=scores.tier,
        setting=scores.setting,
        subjects=subjects,
        trials=len(owners),
        gallery=ranks.candidates,
        failures=int(ranks.failed.sum()),
        rank1=rank1,
        chance=shuffled.chance,
        chance_low=low,
        chance_high=high,
        p_value=shuffled.p_value(rank1.value),
        advantage=advantage(rank1.value, shuffled.chance),
        # Where blind guesses always hit, nothing bounds the advantage.
        advantage_upper=advantage(rank1.upper, shuffled.chance) if shuffled.chance < 1.0 else 1.0,
        cmc=tuple(
            float(any_hit(ranks.within(place), owners).mean()) for place in range(1, min(PLACES, ranks.candidates) + 1)
        ),
        tar=compared.tar,
        auc=compared.auc,
        eer=compared.eer,
        d_prime=compared.d_prime,
        det=compared.det,
        bits_mean=disclosed.mean,
        bits_worst=disclosed.worst,
        crowds=crowds(scores),
        linkability=linkability(scores, rng) if scores.setting == ANONYMIZED else None,
    )


@dataclass(frozen=True, slots=True)
class Null:
    """Rank-1 rates over subjects under shuffled names, `rates` (rounds,)."""

    rates: Floats

    @property
    def chance(self) -> float:
        """Their mean."""
        return float(self.rates.mean())

    @property
    def band(self) -> tuple[float, float]:
        """The middle 95 %."""
        low, high = np.quantile(self.rates, [0.025, 0.975])
        return float(low), float(high)

    def p_value(self, observed: float) -> float:
        """Share of rates as high as `observed`, which itself counts as one (Phipson and Smyth 2010): never 0."""
        return float((1 + np.sum(self.rates >= observed - 1e-9)) / (1 + len(self.rates)))


def null(scores: Scores, rng: np.random.Generator, rounds: int = ROUNDS) -> Null:
    """The rank-1 rate over subjects, any photo, under `rounds` shuffles of the gallery's names.

    Where candidates are masked, each subject takes the name of somebody who comes into question for all of his photos.
    """
    hits = first_place(scores)
    owners, subject = np.unique(scores.owners, return_inverse=True)
    columns = np.empty(len(owners), dtype=np.intp)
    columns[subject] = scores.truth
    step = max(1, _CELLS // max(1, len(hits)))
    rates = []
    for start in range(0, rounds, step):
        count = min(step, rounds - start)
        drawn = _names(scores, columns, subject, rng, count)
        rates.append(any_hit(hits[np.arange(len(hits)), drawn[:, subject]], scores.owners.tolist()).mean(axis=1))
    return Null(np.concatenate(rates))


def first_place(scores: Scores) -> Floats:
    """Probability (p, g) that a candidate is the attacker's first guess if he were the true one; rules as in `rank`."""
    allowed = np.ones(scores.distances.shape, dtype=bool) if scores.mask is None else scores.mask
    seen = allowed & ~np.isnan(scores.distances)
    nearest = scores.distances.min(axis=1, keepdims=True, initial=np.inf, where=seen)
    best = seen & (scores.distances == nearest)
    hits = best / np.maximum(best.sum(axis=1, keepdims=True), 1)
    np.copyto(hits, 1.0 / allowed.sum(axis=1, keepdims=True), where=allowed & ~seen)
    return np.asarray(hits)


def advantage(rate: float, chance: float) -> float:
    """(rate − chance) / (1 − chance): 0 for blind guesses, 1 for everybody named; 0 where chance is already 1.

    >>> advantage(0.75, 0.5), advantage(1.0, 1.0)
    (0.5, 0.0)
    """
    return (rate - chance) / (1.0 - chance) if chance < 1.0 else 0.0


def _names(
    scores: Scores, columns: NDArray[np.intp], subject: NDArray[np.intp], rng: np.random.Generator, rounds: int
) -> NDArray[np.intp]:
    """The column whose name each subject takes, (rounds, s)."""
    people = scores.distances.shape[1]
    if scores.mask is None:
        return np.asarray(rng.permuted(np.tile(np.arange(people), (rounds, 1)), axis=1)[:, columns], dtype=np.intp)
    drawn = np.empty((rounds, len(columns)), dtype=np.intp)
    for index in range(len(columns)):
        open_to = np.flatnonzero(scores.mask[subject == index].all(axis=0))
        drawn[:, index] = rng.choice(open_to, rounds)
    return drawn
