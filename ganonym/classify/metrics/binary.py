"""Yes-or-no rates as diagnostic studies report them (STARD 2015), with intervals over subjects, not photos.

Each share is over the photos it is a share of, so that its interval knows how few patients stand behind it: a
sensitivity of 5/5 among a thousand controls is as uncertain as one without them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.progress import report
from ganonym.errors import UsageError
from ganonym.statistics.intervals import ROUNDS, Estimate, Model, Statistic, exact, few, proportion, subject_bootstrap
from ganonym.types import Floats

Flags = NDArray[np.bool_]


class Prevalent(Model):
    """Predictive values where `prevalence` of the people tested have the condition; None where undefined."""

    prevalence: float
    ppv: Estimate | None
    npv: Estimate | None


class Binary(Model):
    """One condition against all else. None where nobody could show it; `affected` and `others` count subjects.

    `few_people` names the rates that fewer than ten people stand behind: a sensitivity the affected, a PPV those called
    so, an AUROC the smaller side.
    `ppv` and `npv` are those of the photos at hand, whose mix of classes is no clinic's: see `prevalent`.
    """

    affected: int
    others: int
    sensitivity: Estimate | None
    specificity: Estimate | None
    ppv: Estimate | None
    npv: Estimate | None
    accuracy: Estimate | None
    f1: Estimate | None
    auroc: Estimate | None = None
    prevalent: Prevalent | None = None
    few_people: tuple[str, ...] = ()


def share(
    hits: Flags,
    subjects: Sequence[str],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
    confidence: float = 0.95,
) -> Estimate | None:
    """Share of photos (n,) that hit, with its interval at `confidence`; None without photos.

    Clopper and Pearson's exact one where every subject has one photo, else by bootstrap over subjects.
    """
    if not len(hits):
        return None
    if len(set(subjects)) == len(subjects):
        exact = proportion(float(hits.sum()), len(hits), confidence)
        return Estimate(value=exact.value, low=exact.low, high=exact.high)
    return subject_bootstrap(lambda photos: float(hits[photos].mean()), subjects, rng, rounds, confidence=confidence)


def f1(truth: Flags, called: Flags) -> Statistic:
    """2 TP / (2 TP + FP + FN), NaN where neither truth nor call."""

    def statistic(photos: NDArray[np.intp]) -> float:
        total = int(truth[photos].sum() + called[photos].sum())
        return 2 * int((truth[photos] & called[photos]).sum()) / total if total else math.nan

    return statistic


def auroc(score: Floats, truth: Flags) -> Statistic:
    """Area under the ROC curve as Mann and Whitney's statistic, ties half; higher `score` (n,) speaks for `truth` (n,).

    NaN where a resample holds one class only. As `sklearn.metrics.roc_auc_score`, at a thirtieth of its time, because
    the bootstrap asks a thousand times.
    """
    from scipy.stats import rankdata

    def statistic(photos: NDArray[np.intp]) -> float:
        among = truth[photos]
        positives = int(among.sum())
        negatives = len(among) - positives
        if not positives or not negatives:
            return math.nan
        above = float(rankdata(score[photos])[among].sum()) - positives * (positives + 1) / 2
        return above / (positives * negatives)

    return statistic


def area(
    score: Floats, truth: Flags, subjects: Sequence[str], rng: np.random.Generator, rounds: int = ROUNDS
) -> Estimate | None:
    """`auroc` with its interval; None where one class is missing. A perfect one is as sure as the smaller class."""
    if truth.all() or not truth.any():
        return None
    fewest = min(_people(subjects, truth), _people(subjects, ~truth))
    value = auroc(score, truth)(np.arange(len(truth)))
    if 0.0 < value < 1.0 and len(set(subjects)) > 2:  # of two people half the resamples lack one
        return subject_bootstrap(auroc(score, truth), subjects, rng, rounds)
    low, high = exact(value, fewest)
    return Estimate(value=value, low=low, high=high)


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """PPV and NPV by Bayes' theorem where `prevalence` have the condition, all in 0 … 1; NaN where nobody is called so.

    Raises UsageError unless 0 < `prevalence` < 1.

    >>> ppv, npv = predictive_values(0.9, 0.9, 0.001)
    >>> round(ppv, 4), round(npv, 4)
    (0.0089, 0.9999)
    """
    if not 0.0 < prevalence < 1.0:
        raise UsageError(f"a prevalence of {prevalence} is no prior.", "Give one between 0 and 1.")
    hits, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    misses, clear = (1 - sensitivity) * prevalence, specificity * (1 - prevalence)
    return (
        hits / (hits + alarms) if hits + alarms else math.nan,
        clear / (clear + misses) if clear + misses else math.nan,
    )


def at_prevalence(
    truth: Flags,
    called: Flags,
    subjects: Sequence[str],
    prevalence: float,
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> Prevalent | None:
    """Predictive values at `prevalence`, None where sensitivity or specificity is undefined.

    Both rise with sensitivity and with specificity, so the ends of those intervals, each at 97.5 % (Bonferroni), bound
    them with at least 95 % confidence; where no false alarm was seen, the PPV is not taken for certain.
    """
    positives, negatives = np.flatnonzero(truth), np.flatnonzero(~truth)
    sensitivity = share(called[positives], _at(subjects, positives), rng, rounds, 0.975)
    specificity = share(~called[negatives], _at(subjects, negatives), rng, rounds, 0.975)
    if sensitivity is None or specificity is None:
        return None
    lows = predictive_values(sensitivity.low, specificity.low, prevalence)
    values = predictive_values(sensitivity.value, specificity.value, prevalence)
    highs = predictive_values(sensitivity.high, specificity.high, prevalence)
    ppv, npv = (
        None if math.isnan(value) else Estimate(value=value, low=_or(low, 0.0), high=_or(high, 1.0))
        for low, value, high in zip(lows, values, highs, strict=True)
    )
    return Prevalent(prevalence=prevalence, ppv=ppv, npv=npv)


def binary(
    truth: Flags,
    called: Flags,
    subjects: Sequence[str],
    rng: np.random.Generator,
    score: Floats | None = None,
    prevalence: float | None = None,
    rounds: int = ROUNDS,
) -> Binary:
    """All rates of calls (n,) of a condition (n,) on photos of `subjects`; the AUROC where a `score` (n,) is given.

    A photo that was not called counts as called free of the condition: a miss where it is there. Raises ValueError for
    arrays of different lengths.
    """
    if not len(truth) == len(called) == len(subjects):
        raise ValueError(f"{len(truth)} truths, {len(called)} calls and {len(subjects)} subjects")

    def of(photos: Flags, hits: Flags) -> Estimate | None:
        rows = np.flatnonzero(photos)
        return share(hits[rows], _at(subjects, rows), rng, rounds)

    some = bool((truth | called).any())
    whole = np.ones(len(truth), dtype=bool)
    behind = {"sensitivity": [truth], "specificity": [~truth], "ppv": [called], "npv": [~called], "accuracy": [whole]}
    behind |= {"f1": [truth | called], "auroc": [truth, ~truth]}
    return Binary(
        affected=_people(subjects, truth),
        others=_people(subjects, ~truth),
        sensitivity=of(truth, called),
        specificity=of(~truth, ~called),
        ppv=of(called, truth),
        npv=of(~called, ~truth),
        accuracy=of(whole, truth == called),
        f1=_f1(truth, called, subjects, rng, rounds) if some else None,
        auroc=None if score is None else area(score, truth, subjects, rng, rounds),
        prevalent=None if prevalence is None else at_prevalence(truth, called, subjects, prevalence, rng, rounds),
        few_people=tuple(
            name
            for name, sides in behind.items()
            if any(few(_at(subjects, np.flatnonzero(photos))) for photos in sides)
        ),
    )


def one_vs_rest(
    predicted: NDArray[np.intp],
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    count: int,
    rng: np.random.Generator,
    chances: Floats | None = None,
    rounds: int = ROUNDS,
) -> list[Binary]:
    """`binary` of each class 0 … `count` − 1 against all others; `predicted` (n,) is −1 without a call.

    `chances` (n, count) are the scores of the AUROC.
    """
    rates = []
    for number in range(count):
        score = None if chances is None else chances[:, number]
        rates.append(binary(classes == number, predicted == number, subjects, rng, score, rounds=rounds))
        report("rates", number + 1, count)
    return rates


def _f1(truth: Flags, called: Flags, subjects: Sequence[str], rng: np.random.Generator, rounds: int) -> Estimate:
    """Of photos with truth or call: the others change nothing but how sure an interval without variation looks."""
    rows = np.flatnonzero(truth | called)
    return subject_bootstrap(f1(truth[rows], called[rows]), _at(subjects, rows), rng, rounds)


def _people(subjects: Sequence[str], photos: Flags) -> int:
    return len(set(_at(subjects, np.flatnonzero(photos))))


def _at(subjects: Sequence[str], rows: NDArray[np.intp]) -> list[str]:
    return [subjects[row] for row in rows.tolist()]


def _or(value: float, default: float) -> float:
    return default if math.isnan(value) else value
