"""What a screen's calls are worth: rates at any angle and from the front, with 95 % intervals over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.metrics.binary import binary, predictive_values
from ganonym.classify.screening.frontal import YAW, Frontal, frontal
from ganonym.classify.screening.ratios import Ratio, ratios
from ganonym.errors import UsageError
from ganonym.statistics.intervals import ROUNDS, Estimate, Model
from ganonym.types import Floats, Pose


@dataclass(frozen=True, slots=True)
class Terms:
    """How a screen is rated.

    Predictive values hold at `prevalence`; None takes the patients' share of the photos at hand, as studies do, which
    says nothing of practice. Frontal: turned by at most `yaw` degrees and nodding by at most `pitch` (None: any angle).
    Raises UsageError for a prevalence that is no prior, or a limit below 0.
    """

    prevalence: float | None = None
    yaw: float = YAW
    pitch: float | None = None
    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        frontal([], self.yaw, self.pitch)
        if self.prevalence is not None:
            predictive_values(1.0, 1.0, self.prevalence)


TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Called:
    """Probabilities `scores` (n,) and whether each photo was called `positive` (n,)."""

    scores: Floats
    positive: NDArray[np.bool_]


class ScreeningRates(Model):
    """Rates over `photos` photos of `patients` and `others` (people).

    `prevalence` None: predictive values are those of the photos at hand. A rate is None where the calls leave it
    undefined (nobody called positive). `auroc` compares scores, whatever the threshold; those of folds are pooled.
    `few_people` names the rates of fewer than ten people, as in `binary.Binary`.
    """

    photos: int
    patients: int
    others: int
    prevalence: float | None
    sensitivity: Estimate
    specificity: Estimate
    accuracy: Estimate
    ppv: Estimate | None
    npv: Estimate | None
    positive_ratio: Ratio | None
    negative_ratio: Ratio | None
    auroc: Estimate
    few_people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Screened:
    """What a screen is worth at `any_angle` and `frontal` only (None without patients or controls among those).

    `thresholds`: of the screen, or of that of every fold.
    """

    any_angle: ScreeningRates
    frontal: ScreeningRates | None
    angles: Frontal
    thresholds: tuple[float, ...]


def check_groups(positive: NDArray[np.bool_]) -> None:
    """Raises UsageError unless `positive` (n,) has patients and controls."""
    if positive.all() or not positive.any():
        raise UsageError("a screen is rated on patients and controls.", "Give photos of both.")


def rated(
    called: Called,
    thresholds: Sequence[float],
    positive: NDArray[np.bool_],
    subjects: Sequence[str],
    poses: Sequence[Pose | None],
    seed: int,
    terms: Terms = TERMS,
) -> Screened:
    """Rates of calls (n,) on photos, `positive` (n,), `subjects` and `poses`, that no threshold was chosen on.

    Raises UsageError without patients or controls.
    """
    check_groups(positive)
    angles = frontal(poses, terms.yaw, terms.pitch)
    ahead = positive[angles.kept]
    both = bool(ahead.any()) and not ahead.all()
    everyone = np.arange(len(positive))
    return Screened(
        _rates(called, everyone, positive, subjects, seed, terms),
        _rates(called, angles.kept, positive, subjects, seed, terms) if both else None,
        angles,
        tuple(thresholds),
    )


def _rates(
    called: Called,
    photos: NDArray[np.intp],
    positive: NDArray[np.bool_],
    subjects: Sequence[str],
    seed: int,
    terms: Terms,
) -> ScreeningRates:
    truth, calls = positive[photos], called.positive[photos]
    people = [subjects[photo] for photo in photos.tolist()]
    rng = np.random.default_rng(seed)
    found = binary(truth, calls, people, rng, called.scores[photos], terms.prevalence, terms.rounds)
    above, below = ratios(truth, calls, people, rng, terms.rounds)
    told = found if found.prevalent is None else found.prevalent
    return ScreeningRates(
        photos=len(photos),
        patients=found.affected,
        others=found.others,
        prevalence=terms.prevalence,
        sensitivity=_defined(found.sensitivity),
        specificity=_defined(found.specificity),
        accuracy=_defined(found.accuracy),
        ppv=told.ppv,
        npv=told.npv,
        positive_ratio=above,
        negative_ratio=below,
        auroc=_defined(found.auroc),
        few_people=found.few_people,
    )


def _defined(each: Estimate | None) -> Estimate:
    """With patients and controls, these rates exist."""
    assert each is not None
    return each
