"""Metric privacy: where a face lies among syndromes, plus multivariate Laplace noise, shown as a virtual patient.

Chatzikokolakis et al. 2013 (d-privacy), Andrés et al. 2013 (geo-indistinguishability, the planar case). Two people
whose clipped shapes lie t apart, in standard deviations of the population, give any output with probabilities within a
factor exp(ε·t) of each other, whatever the attacker knows. Rendering is post-processing. Proof: docs/proofs/metric.md.
"""

from __future__ import annotations

import math

import numpy as np

from ganonym.privacy.population import VirtualPatients
from ganonym.types import Floats

# Half of the virtual patients lie within 7.1 SD of the mean, where syndromes differ; of healthy people nearly all.
RADIUS = 8.0


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
    row: Floats, patients: VirtualPatients, epsilon: float, directions: int, rng: np.random.Generator
) -> Floats:
    """The row (n,) of a virtual patient for a subject's `row` (n,): ε-metrically private in `directions` coordinates.

    These are the first of the kept ones: tone, age, sex, then signs.

    The noisy place is post-processed: the virtual patient shown is drawn with the probability that it, and none of the
    others, was the one behind that place. Were the subject one of them, outputs would be distributed as the population.

    >>> from ganonym.faces.shape import load_shape
    >>> from ganonym.faces.kept import kept_space
    >>> from ganonym.privacy.population import public_patients
    >>> public = public_patients(load_shape(), kept_space())
    >>> metric_private(public.mean, public, 1.0, 2, np.random.default_rng(0)).shape == public.mean.shape
    True
    """
    point = clip_to_ball(patients.place(row)[:directions], RADIUS)
    noisy = point + laplace_noise(len(point), epsilon, rng)
    places = patients.places[:, :directions]
    inside = places * np.minimum(1.0, RADIUS / np.maximum(np.linalg.norm(places, axis=1), 1e-12))[:, None]
    likelihood = -epsilon * np.linalg.norm(inside - noisy, axis=1)
    weights = np.exp(likelihood - likelihood.max())
    return np.asarray(patients.rows[rng.choice(len(weights), p=weights / weights.sum())])


def metric_bits(directions: int, epsilon: float, radius: float = RADIUS) -> float:
    """The most that one draw can tell about a shape, in bits: log2 of Σ (ε·radius)^j / j! over j = 0 … `directions`.

    The maximal leakage (Issa, Wagner & Kamath 2020) of Laplace noise around a point of the ball, in closed form. It
    bounds min-entropy leakage for every prior: one guess succeeds at most 2^bits times as often as without the output.

    >>> round(metric_bits(8, 1.0), 2), metric_bits(8, 0.0)
    (10.79, 0.0)
    """
    reach = epsilon * radius
    return math.log2(math.fsum(reach**j / math.factorial(j) for j in range(directions + 1)))
