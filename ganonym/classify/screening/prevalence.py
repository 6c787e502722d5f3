"""What a screening result means where the disorder is as common as it is: predictive values and likelihood ratios.

Studies recruit patients and controls in numbers of their own, so the share of true calls in a study says nothing of
practice: a test of 95 % sensitivity and specificity is wrong on 98 % of its positives at 1 in 1000.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganonym.classify.metrics.binary import predictive_values
from ganonym.errors import UsageError
from ganonym.statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class Fourfold:
    """Numbers of subjects: patients `hit` and `missed`, controls `alarmed` (false positives) and `cleared`.

    Raises UsageError when one is negative or there are no patients or no controls.
    """

    hit: int
    missed: int
    alarmed: int
    cleared: int

    def __post_init__(self) -> None:
        if min(self.hit, self.missed, self.alarmed, self.cleared) < 0 or not self.patients or not self.controls:
            raise UsageError(f"{self} is no comparison of patients with controls.", "Count one of each at least.")

    @property
    def patients(self) -> int:
        return self.hit + self.missed

    @property
    def controls(self) -> int:
        return self.alarmed + self.cleared

    @property
    def sensitivity(self) -> float:
        return self.hit / self.patients

    @property
    def specificity(self) -> float:
        return self.cleared / self.controls


def predictive_intervals(table: Fourfold, prevalence: float, confidence: float = 0.95) -> tuple[Estimate, Estimate]:
    """`predictive_values` of a study at a known `prevalence`, each with its interval.

    Logit intervals of Mercaldo, Lau and Zhou (Stat Med 2007;26:2170): the delta method on the logit, sensitivity and
    specificity being independent; where a cell is empty, their adjusted form, with z² / 2 added to every cell. The unit
    is the subject: for several photos a person use `statistics.bootstrap`. Raises UsageError as `predictive_values`.

    >>> ppv, npv = predictive_intervals(Fourfold(90, 10, 20, 80), 0.1)
    >>> [round(each, 3) for each in (ppv.value, ppv.low, ppv.high)]
    [0.333, 0.252, 0.427]
    """
    values = predictive_values(table.sensitivity, table.specificity, prevalence)
    z = _quantile(confidence)
    (positive, wide), (negative, far) = _log_ratios(table, z * z / 2)
    odds = math.log(prevalence / (1 - prevalence))  # Bayes: the odds after are the odds before times the ratio
    return (
        _estimate(values[0], _logistic(positive + odds - z * wide), _logistic(positive + odds + z * wide)),
        _estimate(values[1], _logistic(-negative - odds - z * far), _logistic(-negative - odds + z * far)),
    )


def likelihood_ratios(table: Fourfold, confidence: float = 0.95) -> tuple[Estimate, Estimate]:
    """Positive and negative likelihood ratio, sensitivity / (1 − specificity) and (1 − sensitivity) / specificity.

    Intervals of Simel, Samsa and Matchar (J Clin Epidemiol 1991;44:763) on the logarithm; where a cell is empty, after
    1/2 was added to every cell. A ratio by nothing is infinite, and NaN when both are nothing.

    >>> positive, negative = likelihood_ratios(Fourfold(90, 10, 20, 80))
    >>> round(positive.value, 3), round(negative.value, 3)
    (4.5, 0.125)
    """
    values = (
        _ratio(table.sensitivity, table.alarmed / table.controls),
        _ratio(table.missed / table.patients, table.specificity),
    )
    z = _quantile(confidence)
    (positive, wide), (negative, far) = _log_ratios(table, 0.5)
    return (
        _estimate(values[0], math.exp(positive - z * wide), math.exp(positive + z * wide)),
        _estimate(values[1], math.exp(negative - z * far), math.exp(negative + z * far)),
    )


def _log_ratios(table: Fourfold, added: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Logarithms of both likelihood ratios, each with its standard error; `added` to all cells if one is empty."""
    cells = (table.hit, table.missed, table.alarmed, table.cleared)
    hit, missed, alarmed, cleared = (each + (0.0 if all(cells) else added) for each in cells)
    patients, controls = hit + missed, alarmed + cleared
    return (
        (math.log(hit / patients * controls / alarmed), math.sqrt(1 / hit - 1 / patients + 1 / alarmed - 1 / controls)),
        (
            math.log(missed / patients * controls / cleared),
            math.sqrt(1 / missed - 1 / patients + 1 / cleared - 1 / controls),
        ),
    )


def _estimate(value: float, low: float, high: float) -> Estimate:
    """An adjusted interval may leave the value just outside."""
    if math.isnan(value):
        return Estimate(value=value, low=low, high=high)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def _quantile(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def _logistic(logit: float) -> float:
    from scipy.special import expit

    return float(expit(logit))


def _ratio(above: float, below: float) -> float:
    if below:
        return above / below
    return math.inf if above else math.nan
