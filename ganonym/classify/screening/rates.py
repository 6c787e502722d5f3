"""What a screen's calls are worth: rates at any angle and from the front, with 95 % intervals over people.

Screening is surer on frontal photographs (Baek et al. 2025). Likelihood ratios say by how much a result shifts the
odds, however common the disorder is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.metrics.binary import binary, predictive_values, share
from ganonym.errors import UsageError
from ganonym.statistics.intervals import ROUNDS, Estimate, Model
from ganonym.types import Floats, Pose

YAW = 15.0


@dataclass(frozen=True, slots=True)
class Frontal:
    """Places of the photos `kept` and `left` out, each ascending; together all photos, each once."""

    kept: NDArray[np.intp]
    left: NDArray[np.intp]


def frontal(poses: Sequence[Pose | None], yaw: float = YAW, pitch: float | None = None) -> Frontal:
    """Keeps heads that turn by at most `yaw` degrees to either side and nod by at most `pitch` (None: by any angle).

    `poses[i]` is `Portrait.pose` of photo i, None where no face was found: that one is left out. Roll plays no part, a
    canvas is upright. Baek et al. (Plast Reconstr Surg 2025) report 95 % on frontal photos without saying what angle
    they allowed: 15 degrees is ours, five times what `estimate_pose` spreads by. Raises UsageError for a limit below 0.

    >>> frontal([Pose(3.0, 0.0, 0.0), Pose(-40.0, 0.0, 0.0), None])
    Frontal(kept=array([0]), left=array([1, 2]))
    """
    for name, limit in (("yaw", yaw), ("pitch", 0.0 if pitch is None else pitch)):
        if not limit >= 0.0:
            raise UsageError(f"heads cannot turn by at most {limit} degrees of {name}.", "Give 0 or more.")
    ahead = np.array(
        [pose is not None and abs(pose.yaw) <= yaw and (pitch is None or abs(pose.pitch) <= pitch) for pose in poses],
        dtype=np.bool_,
    )
    return Frontal(np.flatnonzero(ahead), np.flatnonzero(~ahead))


class Ratio(Model):
    """A ratio with its interval; None where it is infinite: `value` when nothing was divided by, `high` likewise."""

    value: float | None
    low: float
    high: float | None


def ratios(
    truth: NDArray[np.bool_],
    called: NDArray[np.bool_],
    subjects: Sequence[str],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> tuple[Ratio | None, Ratio | None]:
    """Positive and negative likelihood ratio of calls (n,), sensitivity / (1 − specificity) and
    (1 − sensitivity) / specificity; None where 0 / 0.

    The positive one rises with sensitivity and with specificity, the negative one falls: the ends of their intervals
    over people, each at 97.5 % (Bonferroni), bound both with at least 95 % confidence. With one photo a person
    those of Simel, Samsa and Matchar (J Clin Epidemiol 1991;44:763) are narrower. Raises ValueError unless
    `truth` has both.

    >>> truth, called = np.array([True, True, False, False]), np.array([True, False, False, False])
    >>> above, below = ratios(truth, called, list("abcd"), np.random.default_rng(0))
    >>> above.value is None, below.value
    (True, 0.5)
    """
    rates = [
        share(hits[of], [subjects[row] for row in np.flatnonzero(of).tolist()], rng, rounds, 0.975)
        for of, hits in ((truth, called), (~truth, ~called))
    ]
    sensitivity, specificity = rates
    if sensitivity is None or specificity is None:
        raise ValueError("likelihood ratios compare patients with controls")
    return (
        _ratio(
            (sensitivity.low, 1 - specificity.low),
            (sensitivity.value, 1 - specificity.value),
            (sensitivity.high, 1 - specificity.high),
        ),
        _ratio(
            (1 - sensitivity.high, specificity.high),
            (1 - sensitivity.value, specificity.value),
            (1 - sensitivity.low, specificity.low),
        ),
    )


def _ratio(low: tuple[float, float], value: tuple[float, float], high: tuple[float, float]) -> Ratio | None:
    if value == (0.0, 0.0):
        return None
    # 0 / 0 at an end says nothing there: as low, or as high, as can be.
    least, middle, most = (above / below if below else math.inf for above, below in (low, value, high))
    return Ratio(
        value=None if math.isinf(middle) else middle,
        low=0.0 if math.isinf(least) else least,
        high=None if math.isinf(most) else most,
    )


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
    rates = binary(truth, calls, people, rng, called.scores[photos], terms.prevalence, terms.rounds)
    above, below = ratios(truth, calls, people, rng, terms.rounds)
    told = rates if rates.prevalent is None else rates.prevalent
    return ScreeningRates(
        photos=len(photos),
        patients=rates.affected,
        others=rates.others,
        prevalence=terms.prevalence,
        sensitivity=_defined(rates.sensitivity),
        specificity=_defined(rates.specificity),
        accuracy=_defined(rates.accuracy),
        ppv=told.ppv,
        npv=told.npv,
        positive_ratio=above,
        negative_ratio=below,
        auroc=_defined(rates.auroc),
        few_people=rates.few_people,
    )


def _defined(estimate: Estimate | None) -> Estimate:
    """With patients and controls, these rates exist."""
    assert estimate is not None
    return estimate
