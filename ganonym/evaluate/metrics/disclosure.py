"""How much the attacker learns where the first guess is wrong: bits, and the crowd that is left to choose from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.findings import Crowd
from ganonym.evaluate.metrics.ranking import Ranks, rank
from ganonym.evaluate.scores import Scores
from ganonym.types import Floats

CROWDS = (1_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Bits about whose photo it is, of log2 of the gallery: on average, and of the most telling rank."""

    mean: float
    worst: float


def disclosure(scores: Scores) -> Disclosure:
    """Sample rank disclosure: log2 N − H(rank), and max over k of log2(N P(k)).

    There are at least as many ranks as subjects, so their frequencies alone would show bits where there are none.
    P(k) is therefore fitted: with some probability at first place (an outright leak), else beta-binomial. Subjects
    weigh the same; a tie is spread over its ranks.
    """
    ranks = rank(scores.distances, scores.truth, scores.mask)
    mass = _mass(ranks, _weights(scores.owners))
    spike, a, b = _fitted(mass)
    mean, worst = 0.0, 0.0
    for n, weights in mass.items():
        p = _probabilities(n, spike, a, b)
        bits = np.log2(np.maximum(n * p, 1e-300))
        mean += float(weights.sum()) * float(np.sum(p * bits))
        worst = max(worst, float(bits.max()))
    return Disclosure(max(mean, 0.0), worst)


def crowds(scores: Scores) -> tuple[Crowd, ...]:
    """1 + (M − 1) × the share of other people nearer to the probe than the true one, for M in CROWDS.

    That share is the FMR at the probe's own score, of this probe: pooled over probes it would call a probe that is far
    from everybody lost in a crowd while the true person is still the nearest. Ties count half; a failure to acquire
    leaves half of everybody. Where nobody is nearer, the share is below what a gallery of this size resolves; a crowd
    that was not seen is none, so that the value is clamped to 1. Photos of a subject share its weight.
    """
    ranks = rank(scores.distances, scores.truth, scores.mask)
    share = (ranks.ahead + (ranks.tied - 1) / 2) / np.maximum(ranks.choices - 1, 1)
    median, worst = np.quantile(share, [0.5, 0.05], weights=_weights(scores.owners), method="inverted_cdf")
    return tuple(
        Crowd(size=size, median=1.0 + (size - 1) * float(median), worst=1.0 + (size - 1) * float(worst))
        for size in CROWDS
    )


def _weights(owners: NDArray[np.str_]) -> Floats:
    """Weights (p,) that give every subject the same, 1 together."""
    _, subject = np.unique(owners, return_inverse=True)
    counts = np.bincount(subject)
    return np.asarray(1.0 / counts[subject] / len(counts))


def _mass(ranks: Ranks, weights: Floats) -> dict[int, Floats]:
    """Per number of choices n, the weight (n,) of each rank."""
    mass: dict[int, Floats] = {}
    for n in np.unique(ranks.choices).tolist():
        steps = np.zeros(n + 1)
        here = ranks.choices == n
        density = weights[here] / ranks.tied[here]
        np.add.at(steps, ranks.ahead[here], density)
        np.add.at(steps, ranks.ahead[here] + ranks.tied[here], -density)
        mass[n] = np.maximum(np.cumsum(steps[:-1]), 0.0)
    return mass


def _probabilities(n: int, spike: float, a: float, b: float) -> Floats:
    """Of the ranks 1 … n."""
    from scipy.special import betaln

    if n == 1:
        return np.ones(1)
    # As scipy.stats.betabinom.pmf, which checks its arguments anew at each of the many steps of the fit.
    k = np.arange(n)
    choose = -np.log(n) - betaln(n - k, k + 1)
    p = (1.0 - spike) * np.exp(choose + betaln(k + a, n - 1 - k + b) - betaln(a, b))
    p[0] += spike
    return np.asarray(p)


def _fitted(mass: dict[int, Floats]) -> tuple[float, float, float]:
    """Maximum likelihood of (probability of an outright leak, a, b)."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def parameters(x: Floats) -> tuple[float, float, float]:
        return float(expit(x[0])), float(np.exp(x[1])), float(np.exp(x[2]))

    def cost(x: Floats) -> float:
        fitted = parameters(x)
        return -sum(
            float(weights @ np.log(np.maximum(_probabilities(n, *fitted), 1e-300))) for n, weights in mass.items()
        )

    bounds = [(-12.0, 12.0), (-5.0, 5.0), (-5.0, 5.0)]
    starts = (np.array([-6.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0]))
    best = min((minimize(cost, start, method="L-BFGS-B", bounds=bounds) for start in starts), key=lambda r: r.fun)
    return parameters(best.x)
