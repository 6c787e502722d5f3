"""One-to-one comparison: how often a threshold that few strangers pass lets the true person through.

Failures to acquire. ISO/IEC 19795-1 counts them into system rates, as rejections; here a rejection is privacy, so an
output that no detector finds would count as protected. Rates here are over trials with a template, their number and
the failures stand beside them, and whether faces are found at all is judged elsewhere. (The rank-1 rate counts a
failure as a blind guess.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.findings import OperatingPoint
from ganonym.evaluate.scores import Scores
from ganonym.statistics.intervals import rate
from ganonym.types import Floats

TARGETS = (1e-1, 1e-2, 1e-3)
DET_POINTS = 100
_SEEN = 30  # false matches that a threshold should rest on (Doddington's rule of 30)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distances of photos of one person, `mated` (m,), with their `owners` (m,), and of two, `non_mated` (n,), rising.

    Raises ValueError where those do not rise.
    """

    mated: Floats
    owners: NDArray[np.str_]
    non_mated: Floats

    def __post_init__(self) -> None:
        if (self.non_mated[:-1] > self.non_mated[1:]).any():
            raise ValueError("distances of strangers must rise")


@dataclass(frozen=True, slots=True)
class Verification:
    """Operating points and curves; None or empty where there is nothing to compare. `det`: (FMR, FNMR), FMR rising."""

    tar: tuple[OperatingPoint, ...]
    auc: float | None
    eer: float | None
    d_prime: float | None
    det: tuple[tuple[float, float], ...]


def pairs(scores: Scores) -> Pairs:
    """Every comparison that could be made, of candidates who come into question."""
    rows = np.arange(len(scores.owners))
    own = scores.distances[rows, scores.truth]
    others = ~np.isnan(scores.distances) if scores.mask is None else scores.mask & ~np.isnan(scores.distances)
    others[rows, scores.truth] = False
    seen = ~np.isnan(own)
    strangers = scores.distances[others]
    strangers.sort()
    return Pairs(own[seen], scores.owners[seen], strangers)


def verification(scores: Scores) -> Verification:
    """Rates of one attacker in one setting (module docstring says what becomes of failures)."""
    compared = pairs(scores)
    if not (len(compared.mated) and len(compared.non_mated)):
        return Verification((), None, None, None, ())
    points = tuple(operating_point(compared, target) for target in TARGETS)
    fmr, tar = roc(compared)
    from sklearn.metrics import auc

    return Verification(points, float(auc(fmr, tar)), equal_error(fmr, tar), d_prime(compared), det(fmr, tar))


def operating_point(compared: Pairs, target: float) -> OperatingPoint:
    """The most permissive threshold of which FMR ≤ `target`; tied comparisons pass together, so never above it.

    `tar` is over subjects: the mean share of a subject's comparisons that pass, with an exact interval. `resolved`:
    m(m − 1) target ≥ 30 for m subjects, as comparisons that share a person are not independent: 56 subjects for 1e-2,
    174 for 1e-3.
    """
    strangers = compared.non_mated
    # Everything below the first stranger too many passes, as do its ties: hence below, not up to it.
    first_too_many = strangers[int(np.floor(target * len(strangers) + 1e-9))]
    threshold = float(np.nextafter(first_too_many, -np.inf))
    names, subject = np.unique(compared.owners, return_inverse=True)
    passed = np.bincount(subject, compared.mated <= threshold) / np.bincount(subject)
    return OperatingPoint(
        target=target,
        achieved=float(np.searchsorted(strangers, threshold, side="right") / len(strangers)),
        threshold=threshold,
        tar=rate(float(passed.sum()), len(names)),
        resolved=target * len(names) * (len(names) - 1) >= _SEEN,
    )


def roc(compared: Pairs) -> tuple[Floats, Floats]:
    """(FMR, TAR) at the corners of the curve, from (0, 0) to (1, 1): below and at every distance of one person.

    Between two of those only strangers are let in, along a straight line. So nothing is as long as their list, which
    has millions of entries for thousands of people.
    """
    levels = np.unique(compared.mated)
    mated = np.sort(compared.mated)
    counts = [
        np.stack([np.searchsorted(values, levels, side) for side in ("left", "right")], axis=1).ravel() / len(values)
        for values in (compared.non_mated, mated)
    ]
    fmr, tar = (np.r_[0.0, share, 1.0] for share in counts)
    step = np.diff(fmr), np.diff(tar)
    moved = np.r_[True, (step[0] > 0) | (step[1] > 0)]
    fmr, tar = fmr[moved], tar[moved]
    # Points on a straight line between their neighbours say nothing.
    ahead, behind = (np.stack([np.diff(fmr)[part], np.diff(tar)[part]]) for part in (slice(1, None), slice(None, -1)))
    corner = np.r_[True, ~np.isclose(ahead[0] * behind[1], ahead[1] * behind[0], rtol=1e-9, atol=0.0), True]
    return fmr[corner], tar[corner]


def equal_error(fmr: Floats, tar: Floats) -> float:
    """Where FMR = FNMR on the straight lines between the points of the ROC; 0.5 when all scores tie."""
    return float(np.interp(1.0, fmr + tar, fmr))


def d_prime(compared: Pairs) -> float | None:
    """Difference of the means in units of their root mean variance (Daugman); None without variance."""
    spread = float(np.sqrt((compared.mated.var() + compared.non_mated.var()) / 2))
    if spread <= 1e-12 * float(np.abs(compared.non_mated).max(initial=0.0)):
        return None
    return float(compared.non_mated.mean() - compared.mated.mean()) / spread


def det(fmr: Floats, tar: Floats) -> tuple[tuple[float, float], ...]:
    """At most DET_POINTS points (FMR, FNMR), evenly spread over the decades of both rates."""
    if len(fmr) <= DET_POINTS:
        chosen: Sequence[int] = range(len(fmr))
    else:
        half = DET_POINTS // 2 - 1
        lowest = [float(curve[curve > 0].min(initial=1.0)) for curve in (fmr, 1.0 - tar)]
        steps = [np.geomspace(low, 1.0, half) for low in lowest]
        left = np.searchsorted(fmr, steps[0]).clip(max=len(fmr) - 1)
        right = np.searchsorted(tar, 1.0 - steps[1][::-1]).clip(max=len(fmr) - 1)
        chosen = np.unique(np.r_[0, left, right, len(fmr) - 1]).tolist()
    return tuple((float(fmr[index]), float(1.0 - tar[index])) for index in chosen)
