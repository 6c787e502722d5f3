"""Metric privacy: the leading identity coefficients plus multivariate Laplace noise, everything else drawn anew.

Chatzikokolakis et al. 2013 (d-privacy), Andrés et al. 2013 (geo-indistinguishability, the planar case). Two people
whose clipped shapes lie t apart, in standard deviations of the population, give any output with probabilities within a
factor exp(ε·t) of each other, whatever the attacker knows. Rendering is post-processing. Proofs: docs/guarantees.md.
"""

from __future__ import annotations

import math

import numpy as np

from ganonym.privacy.draw import TRUNCATION, population_draw
from ganonym.types import Floats

# Of a Gaussian population 95 % lie within this distance of the mean in 8 directions, the default.
RADIUS = 4.0


def clip_to_ball(point: Floats, radius: float) -> Floats:
    """`point` (d,), moved along its ray onto the ball of `radius` when it lies outside.

    >>> clip_to_ball(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    length = float(np.linalg.norm(point))
    return np.asarray(point * (radius / length)) if length > radius else point


def laplace_noise(directions: int, epsilon: float, rng: np.random.Generator) -> Floats:
    """Noise (directions,) with density proportional to exp(−ε·length): Gamma(d, 1/ε) lengths in uniform directions."""
    direction = rng.standard_normal(directions)
    return np.asarray(direction / np.linalg.norm(direction) * rng.gamma(directions, 1.0 / epsilon))


def metric_private(
    identity: Floats, identity_sd: Floats, epsilon: float, directions: int, rng: np.random.Generator
) -> Floats:
    """A noisy identity (m,), ε-metrically private in its first `directions` (at most m) whitened coefficients.

    What leaves the noise is post-processing: it is shrunk to the population's variance and truncated at 2.5 SD, so that
    a face can be drawn from it. The other coefficients are an independent draw from the public population.

    >>> metric_private(np.zeros(3), np.ones(3), 1.0, 2, np.random.default_rng(0)).shape
    (3,)
    """
    output: Floats = population_draw(rng, identity_sd, 1)[0]
    point = clip_to_ball(identity[:directions] / identity_sd[:directions], RADIUS)
    noisy = point + laplace_noise(len(point), epsilon, rng)
    shrunk = noisy / math.sqrt(1.0 + noise_variance(len(point), epsilon))
    output[:directions] = np.clip(shrunk, -TRUNCATION, TRUNCATION) * identity_sd[:directions]
    return output


def undo_shrinking(released: Floats, epsilon: float) -> Floats:
    """Released leading coefficients (n, d), in any unit → point plus noise again, as an attacker would want them."""
    return np.asarray(released * math.sqrt(1.0 + noise_variance(released.shape[1], epsilon)))


def noise_variance(directions: int, epsilon: float) -> float:
    """Variance of each coordinate of the noise: (d + 1) / ε².

    >>> noise_variance(1, 2.0)  # the one-dimensional Laplace distribution: 2 / ε²
    0.5
    """
    return (directions + 1) / epsilon**2


def metric_bits(directions: int, epsilon: float, radius: float = RADIUS) -> float:
    """The most that one draw can tell about a shape, in bits: log2 of Σ (ε·radius)^j / j! over j = 0 … `directions`.

    The maximal leakage (Issa, Wagner & Kamath 2020) of Laplace noise around a point of the ball, in closed form. It
    bounds min-entropy leakage for every prior: one guess succeeds at most 2^bits times as often as without the output.

    >>> round(metric_bits(8, 1.0), 2), metric_bits(8, 0.0)
    (5.74, 0.0)
    """
    reach = epsilon * radius
    return math.log2(math.fsum(reach**j / math.factorial(j) for j in range(directions + 1)))
