"""Everything there is to say of one attacker in one setting."""

from __future__ import annotations

import numpy as np

from ganonym.evaluate.assessment import Finding
from ganonym.evaluate.metrics import permutation
from ganonym.evaluate.metrics.disclosure import crowds, disclosure
from ganonym.evaluate.metrics.linkability import linkability
from ganonym.evaluate.metrics.permutation import advantage
from ganonym.evaluate.metrics.ranking import any_hit, rank
from ganonym.evaluate.metrics.verification import verification
from ganonym.evaluate.protocol import ANONYMIZED
from ganonym.evaluate.scores import Scores
from ganonym.statistics.intervals import rate

PLACES = 20


def finding(scores: Scores, rng: np.random.Generator, rounds: int = permutation.ROUNDS) -> Finding:
    """Rates, chance, curves and bits from distances; `rounds` shuffles of names. Raises ValueError on infinities."""
    owners = scores.owners.tolist()
    ranks = rank(scores.distances, scores.truth, scores.mask)
    subjects = len(set(owners))
    rank1 = rate(float(any_hit(ranks.within(1), owners).sum()), subjects)
    null = permutation.null(scores, rng, rounds)
    low, high = null.band
    told = disclosure(scores)
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
        chance=null.chance,
        chance_low=low,
        chance_high=high,
        p_value=null.p_value(rank1.value),
        advantage=advantage(rank1.value, null.chance),
        # Where blind guesses always hit, nothing bounds the advantage.
        advantage_upper=advantage(rank1.upper, null.chance) if null.chance < 1.0 else 1.0,
        cmc=tuple(
            float(any_hit(ranks.within(place), owners).mean()) for place in range(1, min(PLACES, ranks.candidates) + 1)
        ),
        tar=compared.tar,
        auc=compared.auc,
        eer=compared.eer,
        d_prime=compared.d_prime,
        det=compared.det,
        bits_mean=told.mean,
        bits_worst=told.worst,
        crowds=crowds(scores),
        linkability=linkability(scores, rng) if scores.setting == ANONYMIZED else None,
    )
