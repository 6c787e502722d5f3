"""What a mechanism would do to a release of this size, tried on virtual shapes before any photograph is touched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.faces.shape import ShapeModel, from_canvas, join, split
from ganonym.privacy.draw import generator
from ganonym.privacy.expression import repartitioned
from ganonym.privacy.population import attacker_view, public_patients
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.statistics.exact import Proportion, proportion
from ganonym.types import Floats

# Landmarks of one person differ between photos by this much, in population SD of each identity direction.
WITHIN = 0.3


@dataclass(frozen=True, slots=True)
class Forecast:
    """One mechanism tried on virtual people, two photos each.

    `declared` is the guarantee's own bound on naming a subject (1: none); `named` how many the audit's attacker names,
    who holds every original shape and averages a subject's outputs; `linked` how many first photos find
    the second of their subject among all released ones. `kept` is the correlation between what went in and what came
    out of one photo, averaged over the eight directions that separate syndromes: 1 is the exact shape, 0 nobody's.
    """

    statement: str
    declared: float
    bits: float | None
    named: Proportion
    linked: Proportion
    kept: float


def forecast(settings: PrivacySettings, model: ShapeModel, subjects: int, seed: int = 0) -> Forecast:
    """Privatize `subjects` virtual patients without labels, drawn from the public population, and attack the shapes.

    Raises UsageError as `privatize` does, GuaranteeBroken as its audit does.
    """
    rng = generator(seed, "forecast")
    model = repartitioned(model, settings.expression.directions)
    # Another seed than the mechanisms': nobody may be among the virtual patients whom they show.
    population = public_patients(model, settings.codebook_seed + 1)
    identities = population.identities[rng.choice(len(population.identities), subjects, replace=False)]
    faces = []
    for number, identity in enumerate(identities):
        for _ in range(2):
            seen = identity + WITHIN * model.identity_sd * rng.standard_normal(identity.size)
            expression = model.expression_sd * rng.standard_normal(model.expression_sd.size)
            shape = join(seen, expression, model)
            faces.append(SubjectFace(str(number), shape, seed=int(rng.integers(2**63)), subject_seed=number))
    result = privatize(faces, model, settings, manifest=True)
    before = np.array([split(face.shape, model)[0] for face in faces])
    after = np.array([_identity(points, model) for points in result.faces])
    audit = result.audit
    assert audit is not None, "without labels something is released"
    told = after @ attacker_view(model, settings)
    signs = [rows @ population.projection for rows in (before, after)]
    return Forecast(
        result.guarantee.statement,
        audit.bound,
        result.guarantee.bits.get("shape"),
        proportion(audit.hits, audit.subjects),
        proportion(_linked(told[::2], told[1::2]), subjects),
        float(np.mean([_correlation(a, b) for a, b in zip(*(rows.T for rows in signs), strict=True)])),
    )


def _identity(points: object, model: ShapeModel) -> Floats:
    assert isinstance(points, np.ndarray), "without labels nobody is withheld"
    return split(from_canvas(points), model)[0]


def _linked(first: Floats, second: Floats) -> float:
    """How many rows of `first` (n, d) are nearest to the same row of `second`; a tie counts its share."""
    hits = 0.0
    for row, probe in enumerate(first):
        gaps = ((second - probe) ** 2).sum(axis=1)
        best = np.isclose(gaps, gaps.min(), rtol=1e-9, atol=1e-9)
        hits += float(best[row]) / int(best.sum())
    return hits


def _correlation(before: Floats, after: Floats) -> float:
    """Pearson's, of values in population SD; 0 where everybody has the same."""
    if after.std() < 1e-4:
        return 0.0
    return float(np.corrcoef(before, after)[0, 1])
