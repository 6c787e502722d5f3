"""What a release of so many people can be shown to be: too few, and even a perfect anonymizer cannot pass.

A perfect anonymizer is still named by luck, once in a gallery of the released subjects alone, and an exact bound needs
subjects for every hit. Planning for three hits is safe; distractors, further people to be confused with, lower their
number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.evaluate.verdict.policy import Policy, RateRule

ALPHA = 0.05
PLANNED_HITS = 3
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Power:
    """One gate, one attacker. `limit` on the share of subjects named, that on the advantage included.

    `allowed`: hits with which the gate still passes, −1 when not even none is enough; `passes`: the probability that a
    perfect anonymizer does; `needed`: subjects with which PLANNED_HITS would pass, at most a million. Several attackers
    pass less often.
    """

    policy: str
    gate: str
    limit: float
    allowed: int
    passes: float
    needed: int


def power(subjects: int, policy: Policy, distractors: int = 0) -> tuple[Power, ...]:
    """The gates on rates that the policy requires, for one photo a subject against all of them. Raises ValueError."""
    if subjects < 1 or distractors < 0:
        raise ValueError(f"{subjects} subjects and {distractors} distractors cannot be planned for")
    rules = {
        "singling out": policy.singling_out,
        "singling out, same photo": policy.same_photo,
        "linkability": policy.linkability,
        "reversal": policy.reversal,
    }
    found = []
    for gate, rule in rules.items():
        limit = _limit(rule, 1.0 / (subjects + distractors))
        if rule.mode in ("report", "off") or limit is None:
            continue
        allowed = allowed_hits(subjects, limit)
        passes = chance_of(allowed, subjects, subjects + distractors)
        # With more subjects chance is smaller, and with it a limit on the advantage: it is looked for as it then is.
        needed = next((n for n in range(1, _MOST) if _passes(PLANNED_HITS, n, rule, distractors)), _MOST)
        found.append(Power(policy.name, gate, limit, allowed, passes, needed))
    return tuple(found)


def allowed_hits(subjects: int, limit: float) -> int:
    """The most hits among `subjects` whose one-sided exact 95 % upper bound is at most `limit`; −1 when 0 is too many.

    >>> [allowed_hits(n, 0.09) for n in (31, 32, 51, 68, 84)]
    [-1, 0, 1, 2, 3]
    """
    from scipy.stats import binom

    # The bound after h hits is at most τ exactly where P(X ≤ h | τ) ≤ 5 %.
    return int(np.searchsorted(binom.cdf(np.arange(subjects), subjects, limit), ALPHA, side="right")) - 1


def subjects_needed(limit: float, hits: int) -> int:
    """The fewest subjects among whom `hits` are allowed.

    >>> [subjects_needed(0.05, hits) for hits in range(4)]
    [59, 93, 124, 153]
    """
    return next((n for n in range(hits + 1, _MOST) if _bounded(hits, n, limit)), _MOST)


def chance_of(allowed: int, subjects: int, gallery: int) -> float:
    """Probability of at most `allowed` hits by blind guesses of one in `gallery`."""
    from scipy.stats import binom

    return float(binom.cdf(allowed, subjects, 1.0 / gallery)) if allowed >= 0 else 0.0


def _bounded(hits: int, subjects: int, limit: float) -> bool:
    from scipy.special import bdtr

    return hits < subjects and bool(bdtr(hits, subjects, limit) <= ALPHA)


def _passes(hits: int, subjects: int, rule: RateRule, distractors: int) -> bool:
    limit = _limit(rule, 1.0 / (subjects + distractors))
    return limit is not None and _bounded(hits, subjects, limit)


def _limit(rule: RateRule, chance: float) -> float | None:
    rate = [] if rule.rate is None else [rule.rate]
    advantage = [] if rule.advantage is None else [chance + rule.advantage * (1.0 - chance)]
    return min([*rate, *advantage], default=None)
