"""An attack on every release, strong enough to falsify its guarantee: who is named by the nearest original shape?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ganonym.errors import GuaranteeBroken
from ganonym.types import Floats

# One-sided. Where an attack really reaches the declared bound, one run in a thousand is stopped for nothing.
CONFIDENCE = 0.999


@dataclass(frozen=True, slots=True)
class Audit:
    """The attacker named `hits` of `subjects`; the true rate is at least `low`, and the guarantee says at most `bound`.

    `low` is the exact one-sided lower bound at 99.9 % (Clopper & Pearson 1934).
    """

    hits: float
    subjects: int
    low: float
    bound: float

    @property
    def sentence(self) -> str:
        """For the report."""
        return (
            f"the nearest original identity shape, all outputs of a subject averaged, names {self.hits:g} of "
            f"{self.subjects} subjects: {self.hits / self.subjects:.3f}, at least {self.low:.3f} with 99.9 % "
            f"confidence; declared at most {self.bound:.3f}"
        )


def audit_shapes(originals: Floats, outputs: Floats, owners: Floats, bound: float) -> Audit:
    """Attack released identities (n, r) with the `originals` (N, r) of everybody, and hold the result against `bound`.

    Both as `attacker_view` shows them. `owners` (n,) are the rows of `originals` behind the outputs; the outputs of a
    subject are averaged first, which undoes draws per photo. A tie among t originals counts 1/t. Raises GuaranteeBroken
    when even the lower bound of the success rate is above `bound`: a bug, or a key and photographs that are not
    independent.

    >>> people = np.eye(4)
    >>> audit_shapes(people, people[[1, 2, 3, 0]], np.arange(4), 0.25).hits
    0.0
    """
    subjects = np.unique(owners)
    fused = np.array([outputs[owners == subject].mean(axis=0) for subject in subjects])
    hits = 0.0
    for subject, output in zip(subjects, fused, strict=True):
        gaps = ((originals - output) ** 2).sum(axis=1)
        best = np.isclose(gaps, gaps.min(), rtol=1e-9, atol=1e-12)
        hits += float(best[subject]) / int(best.sum())
    audit = Audit(hits, len(subjects), _lower_bound(hits, len(subjects)), bound)
    if audit.low > bound:
        raise GuaranteeBroken(
            f"the guarantee does not hold: {audit.sentence}.",
            "Nothing was released. Use a key of this release alone; if it persists, report it: it is a bug.",
        )
    return audit


def _lower_bound(hits: float, n: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided lower confidence bound of a rate; fractional hits are rounded down."""
    from scipy.special import betaincinv

    whole = math.floor(round(hits, 9))
    return float(betaincinv(whole, n - whole + 1, 1.0 - confidence)) if whole else 0.0
