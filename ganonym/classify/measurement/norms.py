"""Norms of measurements: mean and standard deviation by age and sex, z-scores and percentiles.

Published norms are for plausibility: they are few, of one ancestry, and not of photographs. What z-scores should be
read against is a cohort of one's own controls, photographed and landmarked alike (`cohort.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ganonym.classify.measurement.lengths import MEASUREMENTS, Unit, unit_of
from ganonym.errors import UsageError
from ganonym.types import Floats, Refusal, Sex

OLDEST = 131.0


@dataclass(frozen=True, slots=True)
class Norm:
    """`mean` and `sd` of one measurement, in `unit` ("face size", "mm", "deg", "ratio", …), between healthy people.

    `sex` None: of both; of ages `low` <= age < `high` in years. `n` people, where it is a cohort of which mean and SD
    were estimated; None of published norms. `propagated`: computed from norms of two lengths.
    """

    measure: str
    mean: float
    sd: float
    unit: str
    source: str
    sex: Sex | None = None
    low: float = 0.0
    high: float = OLDEST
    n: int | None = None
    ancestry: str | None = None
    propagated: bool = False

    @property
    def ages(self) -> str:
        """For whom it is, as words.

        >>> Norm("ENEN", 30.9, 2.45, "mm", "3DFN", "male", 10, 11).ages
        'male, age 10 only'
        """
        people = self.sex or "both sexes"
        if (self.low, self.high) == (0.0, OLDEST):
            return f"{people}, all ages"
        if self.high - self.low == 1:
            return f"{people}, age {self.low:g} only"
        return f"{people}, from {self.low:g}" + ("" if self.high == OLDEST else f" to under {self.high:g}")


@dataclass(frozen=True, slots=True)
class Score:
    """A measured `value` in `unit` against its norm.

    `z` and `percentile` (0 … 100) are None without a norm; `why` then says what is missing.
    """

    value: float
    unit: str
    z: float | None = None
    percentile: float | None = None
    norm: Norm | None = None
    why: str = ""


def z_score(value: float, norm: Norm) -> float:
    """(value − mean) / SD.

    >>> z_score(35.8, Norm("ENEN", 30.9, 2.45, "mm", "3DFN", "male", 10, 11))
    2.0
    """
    return round((value - norm.mean) / norm.sd, 12)


def percentile(value: float, norm: Norm) -> float:
    """Share of healthy people below `value`, in per cent, if the measurement is normally distributed.

    Against a cohort of `n` people the mean and SD are themselves uncertain: Student's t with n − 1 degrees of freedom
    of z / √(1 + 1/n) (Crawford and Howell 1998). Published norms (`n` None) are taken as exact.

    >>> round(percentile(35.8, Norm("ENEN", 30.9, 2.45, "mm", "3DFN", "male", 10, 11)), 1)
    97.7
    """
    from scipy.special import ndtr, stdtr

    z = z_score(value, norm)
    return 100.0 * float(ndtr(z) if norm.n is None else stdtr(norm.n - 1, z / math.sqrt(1 + 1 / norm.n)))


def ratio_norm(above: Norm, below: Norm, factor: float = 1.0, correlation: float = 0.0) -> Norm:
    """Norm of factor · above / below, from norms of both in one unit, to first order (delta method).

    mean = factor · μₐ / μᵦ, SD = mean · √(cvₐ² + cvᵦ² − 2 ρ cvₐ cvᵦ), cv = SD / mean. Tables give no correlation ρ.
    Lengths of one face grow together, so at ρ = 0 the SD is too wide and z too near zero: the error is on the safe
    side. Raises ValueError on norms of different units, or of two lengths of which one is not positive.
    """
    if above.unit != below.unit:
        raise ValueError(f"{above.measure} is in {above.unit}, {below.measure} in {below.unit}")
    if above.mean <= 0 or below.mean <= 0:
        raise ValueError("a ratio needs positive means")
    one, other = above.sd / above.mean, below.sd / below.mean
    mean = factor * above.mean / below.mean
    spread = mean * math.sqrt(max(one**2 + other**2 - 2 * correlation * one * other, 0.0))
    source = above.source if above.source == below.source else f"{above.source}; {below.source}"
    return replace(
        above,
        mean=mean,
        sd=spread,
        unit="ratio",
        source=source,
        sex=above.sex or below.sex,
        low=max(above.low, below.low),
        high=min(above.high, below.high),
        propagated=True,
    )


def norm_of(
    norms: Sequence[Norm],
    key: str,
    unit: Unit,
    age: float | None = None,
    sex: Sex | None = None,
    ancestry: str | None = None,
) -> Norm | Refusal:
    """The norm of the measurement `key`, lengths in `unit`, that fits a person best; a Refusal says why there is none.

    Of several that fit, a norm of the person's ancestry comes first, then the one of the narrowest ages, then of the
    person's sex. A norm of other ages is refused, and one of a sex or of certain ages where those are not known. Ratios
    of two lengths, and lengths over another length, whose norms come from those of both in millimetres, change little
    with growth and are given at any age; `Norm.ages` keeps saying of whom they are. One side alone is read against the
    norm of the mean of both where it has none of its own.
    """
    both = key.removesuffix(" right").removesuffix(" left")
    if both != key and not any(norm.measure == key for norm in norms):
        mean_norm = norm_of(norms, both, unit, age, sex, ancestry)
        return mean_norm if isinstance(mean_norm, Refusal) else replace(mean_norm, measure=key)
    wanted = unit_of(key, unit)
    direct = _fitting(norms, key, wanted, age, sex, ancestry)
    if isinstance(direct, Norm):
        return direct
    over = {"interocular": "EXEX", "face width": "FACEW"}.get(unit)
    row = MEASUREMENTS[key]
    pair = row.of
    if pair is None and row.kind == "length" and over is not None and over != key:
        pair = (key, over)
    if pair is None:
        return direct
    above, below = (_fitting(norms, part, "mm", age, sex, None, any_age=True) for part in pair)
    if isinstance(above, Refusal):
        return direct if direct.reason != "none" else above
    if isinstance(below, Refusal):
        return direct if direct.reason != "none" else below
    return replace(ratio_norm(above, below, row.factor if row.of else 1.0), measure=key, unit=wanted)


def _fitting(
    norms: Sequence[Norm],
    key: str,
    unit: str,
    age: float | None,
    sex: Sex | None,
    ancestry: str | None,
    any_age: bool = False,
) -> Norm | Refusal:
    of_measure = [norm for norm in norms if (norm.measure, norm.unit) == (key, unit)]
    candidates = [norm for norm in of_measure if norm.ancestry in (None, ancestry)]
    if not candidates:
        return Refusal("none", "no norm")
    ages = [norm for norm in candidates if any_age or _holds(norm, age)]
    if not ages:
        told = " or ".join(dict.fromkeys(norm.ages.split(", ", 1)[1] for norm in candidates))
        return Refusal("age", f"norm for {told}" if age is not None else f"norm for {told}: the age is not known")
    fitting = [norm for norm in ages if norm.sex in (None, sex)]
    if not fitting:
        return Refusal("sex", "norms differ between the sexes: the sex is not known")
    return min(
        fitting,
        key=lambda norm: (norm.ancestry is None, not _holds(norm, age), norm.high - norm.low, norm.sex is None),
    )


def _holds(norm: Norm, age: float | None) -> bool:
    """Whether a norm is for this age; one of all ages is, for an age that is not known too."""
    return (norm.low == 0.0 and norm.high == OLDEST) or (age is not None and norm.low <= age < norm.high)


def scores(
    values: Mapping[str, float],
    norms: Sequence[Norm],
    unit: Unit,
    age: float | None = None,
    sex: Sex | None = None,
    ancestry: str | None = None,
) -> dict[str, Score]:
    """Each measured value (`measurements` in `unit`) against the norm that fits the person best."""
    compared = {}
    for key, value in values.items():
        norm = norm_of(norms, key, unit, age, sex, ancestry)
        if isinstance(norm, Refusal):
            compared[key] = Score(value, unit_of(key, unit), why=norm.detail)
        else:
            compared[key] = Score(value, norm.unit, z_score(value, norm), percentile(value, norm), norm)
    return compared


BANDS = (0.0, 2.0, 6.0, 12.0, 18.0, 40.0, OLDEST)
FEWEST = 10
"""People of whom a mean and SD are taken at all; a hundred know an SD to 7 %, ten to 24 %."""
_SEXES: tuple[Sex | None, ...] = (None, "female", "male")


def cohort_norms(
    values: Mapping[str, Floats],
    subjects: Sequence[str],
    unit: Unit,
    source: str,
    sexes: Sequence[Sex | None] | None = None,
    ages: Sequence[float | None] | None = None,
    bands: Sequence[float] = BANDS,
    fewest: int = FEWEST,
) -> tuple[Norm, ...]:
    """Norms of measurements (n,) of photos, lengths in `unit`: of all people, of each sex, age band, and both.

    Photos of one person in one band are averaged first, so people count alike. Strata of fewer than `fewest` people are
    left out: `norm_of` then falls back on wider ones. SD with n − 1. Raises UsageError when all are too few, or a
    measurement does not differ between them.
    """
    known_sex = sexes if sexes is not None else [None] * len(subjects)
    known_age = ages if ages is not None else [None] * len(subjects)
    norms: list[Norm] = []
    spans = [(0.0, OLDEST), *pairwise(bands)]
    for low, high in dict.fromkeys(spans):
        for sex in _SEXES:
            photos = [
                index
                for index, (own, age) in enumerate(zip(known_sex, known_age, strict=True))
                if sex in (None, own) and ((low, high) == (0.0, OLDEST) or (age is not None and low <= age < high))
            ]
            people = [subjects[index] for index in photos]
            names, person = np.unique(np.array(people, dtype=np.str_), return_inverse=True)
            if len(names) < max(fewest, 2):
                continue
            for key, column in values.items():
                means = np.bincount(person, column[photos]) / np.bincount(person)
                sd = float(means.std(ddof=1))
                if not sd > 0:
                    raise UsageError(f"{key} is the same in all controls, so it has no norm.", "Check the photos.")
                norms.append(Norm(key, float(means.mean()), sd, unit_of(key, unit), source, sex, low, high, len(names)))
    if not norms:
        raise UsageError(
            f"{len(set(subjects))} controls are too few for norms.", f"At least {fewest} people are needed."
        )
    return tuple(norms)
