"""Planning a release of a given size: what its mechanisms would give, and which gates so few people can pass.

The forecast privatizes and attacks virtual shapes, before any photograph is touched. The power of gates is arithmetic:
even a perfect anonymizer is still named by luck, once in a gallery of the released subjects alone, and an exact bound
needs subjects for every hit. Planning for three hits is safe; distractors, further people to be confused with, lower
their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganonym.batch.inventory import take_inventory
from ganonym.batch.people import PeopleAudit, audit_people
from ganonym.errors import UsageError
from ganonym.evaluate.verdict.policy import POLICIES, Policy, RateRule, load_policy
from ganonym.faces.kept import kept_space
from ganonym.faces.shape import ShapeModel, from_canvas, load_shape, split
from ganonym.privacy.population import generator, public_patients
from ganonym.privacy.privatize import ShownFace, privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.settings import Settings
from ganonym.statistics.intervals import Proportion, proportion
from ganonym.types import Floats

# Faces of one person differ between photos by this much, in population SD of each coordinate.
WITHIN = 0.3


@dataclass(frozen=True, slots=True)
class Forecast:
    """One mechanism tried on virtual people, two photos each.

    `declared` is the guarantee's own bound on naming a subject (1: none); `named` how many the best of the audit's
    attackers names, who hold every original; `linked` how many first photos find the second of their subject among all
    released ones. `kept` is the correlation between what went in and what came out of one photo, averaged over tone,
    age, sex and the eight directions that separate syndromes: 1 is the exact face, 0 nobody's.
    """

    statement: str
    declared: float
    bits: float | None
    named: Proportion
    linked: Proportion
    kept: float


@dataclass(frozen=True, slots=True)
class Budgets:
    """What is tried: group sizes `k`, sizes of codebooks, and ε of the metric mechanism with its `directions`."""

    k: tuple[int, ...] = (5, 11, 20)
    codes: tuple[int, ...] = (16, 32, 64)
    epsilon: tuple[float, ...] = (0.5, 1.0, 2.0)
    directions: int = 8

    def mechanisms(self, subjects: int) -> dict[str, PrivacySettings]:
        """The mechanisms for so many subjects, by what they are called. Raises UsageError on what is no budget.

        >>> list(Budgets(k=(5, 11), codes=(16,), epsilon=(1.0,)).mechanisms(8))
        ['k-same, k = 5', 'codebook, 16 codes', 'metric, ε = 1', 'none (exact shapes)']
        """
        tried = {f"k-same, k = {size}": PrivacySettings(k=size) for size in self.k if size <= subjects}
        tried |= {f"codebook, {size} codes": PrivacySettings(mechanism="codebook", codes=size) for size in self.codes}
        tried |= {
            f"metric, ε = {most:g}": PrivacySettings(
                mechanism="metric", epsilon=most, directions=self.directions, link="subject"
            )
            for most in self.epsilon
        }
        tried["none (exact shapes)"] = PrivacySettings(mechanism="none", i_understand=True)
        return tried


@dataclass(frozen=True, slots=True)
class ReleaseForecast:
    """What to expect of a release of `subjects` people: each mechanism's forecast, and which gates it can pass.

    `least_provable`: no attack can be shown to succeed less often (one-sided exact 95 % bound when it names nobody).
    """

    subjects: int
    mechanisms: Mapping[str, Forecast]
    gates: tuple[Power, ...]
    least_provable: float


def forecast_release(
    subjects: int, budgets: Budgets, seed: int = 0, tell: Callable[[str, int, int], None] = lambda *_: None
) -> ReleaseForecast:
    """Try every mechanism on virtual shapes of `subjects` people. Raises UsageError for fewer than 2, and on budgets.

    >>> plan = forecast_release(12, Budgets(k=(5,), codes=(), epsilon=()))
    >>> list(plan.mechanisms), round(plan.least_provable, 3)
    (['k-same, k = 5', 'none (exact shapes)'], 0.221)
    """
    if subjects < 2:
        raise UsageError("one subject cannot hide among others.", "Plan for at least 2.")
    model, tried = load_shape(), budgets.mechanisms(subjects)
    forecasts = {}
    for done, (name, settings) in enumerate(tried.items(), start=1):
        forecasts[name] = forecast(settings, model, subjects, seed)
        tell("try", done, len(tried))
    gates = tuple(gate for name in POLICIES for gate in power(subjects, load_policy(name)))
    return ReleaseForecast(subjects, forecasts, gates, proportion(0, subjects, confidence=0.90).high)


def audit_subjects(
    photos: Path,
    manifest: Path | None,
    distinct: Path | None = None,
    jobs: int = 1,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[int, PeopleAudit]:
    """The number of subjects in a folder, and which of them may be one person. Raises UsageError."""
    inventory = take_inventory(photos, None, Settings(), manifest, distinct)
    return inventory.subjects, audit_people(photos, inventory, jobs, tell)


def forecast(settings: PrivacySettings, model: ShapeModel, subjects: int, seed: int = 0) -> Forecast:
    """Privatize `subjects` virtual patients without labels, drawn from the public population, and attack the shapes.

    Raises UsageError as `privatize` does, GuaranteeBroken as its audit does.
    """
    rng = generator(seed, "forecast")
    space = kept_space(settings.keep, settings.weights.model_dump())
    # Another seed than the mechanisms': nobody may be among the virtual patients whom they show.
    population = public_patients(model, space, settings.codebook_seed + 1)
    people = population.rows[rng.choice(len(population.rows), subjects, replace=False)]
    faces, expressions = [], len(model.expression_sd)
    for number, person in enumerate(people):
        for _ in range(2):
            seen = person + WITHIN * rng.standard_normal(person.size)
            row = np.concatenate([seen, np.clip(rng.standard_normal(expressions), -2.5, 2.5)])
            faces.append(SubjectFace(str(number), row, seed=int(rng.integers(2**63)), subject_seed=number))
    result = privatize(faces, model, settings, manifest=True)
    before = np.array([face.row[: space.lasting] for face in faces])
    after = np.array([_lasting(shown, model) for shown in result.faces])
    audit = result.audit
    assert audit is not None, "without labels something is released"
    told = [population.place(rows) for rows in (before, after)]
    return Forecast(
        result.guarantee.statement,
        audit.bound,
        result.guarantee.bits.get("group", result.guarantee.bits.get("face")),
        proportion(audit.hits, audit.subjects),
        proportion(_linked(after[::2], after[1::2]), subjects),
        float(np.mean([_correlation(a, b) for a, b in zip(*(rows.T for rows in told), strict=True)])),
    )


def _lasting(shown: object, model: ShapeModel) -> Floats:
    """Identity and texture (n,) of what is shown of a face."""
    assert isinstance(shown, ShownFace), "without labels nobody is withheld"
    identity = split(from_canvas(shown.points), model)[0] / model.identity_sd
    return np.concatenate([identity, shown.texture])


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
