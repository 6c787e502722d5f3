"""D_sys: how far distances tell pairs of one person from pairs of two (Gomez-Barrero et al. 2018), debiased.

With ω = 1, D(s) = max(0, 2 LR/(1 + LR) − 1) and D_sys = Σ D p(bin | mated), over bins of equal mass (half of it from
mated, half from non-mated pairs) with 0.5 added to every count. The reference code integrates over bin centres, which
gives 0.5 for perfectly separated scores, and about 0.05 for nothing; here the mean under shuffled names is subtracted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.scores import Scores
from ganonym.statistics.intervals import Estimate, exact, resamples
from ganonym.types import Floats

FEWEST = 10
_FINE = 1024


def linkability(scores: Scores, rng: np.random.Generator, rounds: int = 500) -> Estimate | None:
    """D_sys less its mean under shuffled names, with its interval by bootstrap over probes' subjects.

    Resamples repeat subjects and so look more linked than any sample: the interval is moved by as much as their mean
    exceeds the value, or that of unlinked outputs would often miss 0, with or without BCa's correction.
    Subtracting the full mean understates middling values somewhat. None below FEWEST mated comparisons or without
    non-mated ones: then it is noise. Below some 500 it is no gate.
    """
    rows = np.arange(len(scores.owners))
    seen = ~np.isnan(scores.distances) if scores.mask is None else scores.mask & ~np.isnan(scores.distances)
    acquired = seen[rows, scores.truth]
    if acquired.sum() < FEWEST or seen[acquired].sum() == acquired.sum():
        return None
    kept = slice(None) if acquired.all() else acquired  # no copy where all of them stay
    distances, seen, truth = scores.distances[kept], seen[kept], scores.truth[kept]
    owners = scores.owners[kept]
    level = _levels(distances, seen)
    count = level.max() + 1
    everything = np.stack(
        [np.bincount(row[here], minlength=count).astype(float) for row, here in zip(level, seen, strict=True)]
    )
    rows = np.arange(len(truth))
    own = level[rows, truth]

    def value(photos: NDArray[np.intp]) -> float:
        mated = np.bincount(own[photos], minlength=count)
        return d_sys(mated, np.bincount(photos, minlength=len(own)) @ everything - mated)

    total = everything.sum(axis=0)
    shuffled = []
    for _ in range(rounds):
        other = rng.permutation(distances.shape[1])[truth]
        here = seen[rows, other]
        mated = np.bincount(level[rows, other][here], minlength=count)
        shuffled.append(d_sys(mated, total - mated))
    nothing = float(np.mean(shuffled))
    whole = value(rows)
    drawn = resamples(value, owners.tolist(), rng, rounds)
    low, high = np.quantile(drawn, [0.025, 0.975]) - drawn.mean() + whole
    best = d_sys(np.array([len(own), 0]), np.array([0, int(everything.sum()) - len(own)]))
    if whole > 0.9 * best:  # (nearly) all linked, so resamples hardly differ: as with n of n hits, some may yet not be
        low = min(low, exact(whole, len(set(owners.tolist())))[0])
    estimate, low, high = (min(float(bound) - nothing, 1.0) for bound in (whole, low, high))
    return Estimate(value=estimate, low=min(low, estimate), high=max(high, estimate))


def d_sys(mated: NDArray[np.int_], non_mated: NDArray[np.int_] | Floats) -> float:
    """From counts (b,) of mated and non-mated comparisons at each of b levels, nearest first; 0 when one is empty.

    The number of bins grows with the mated ones, five a bin at least, 20 bins at most, always even: a border lies in
    the middle.
    """
    m, n = int(mated.sum()), int(non_mated.sum())
    if m == 0 or n == 0:
        return 0.0
    bins = 2 * min(max(m // 10, 1), 10)
    cumulated = np.cumsum(mated / m + non_mated / n) / 2
    borders = np.searchsorted(cumulated, np.arange(1, bins) / bins - 1e-9) + 1
    starts = np.unique(np.r_[0, borders[borders < len(mated)]])
    m_bin, n_bin = np.add.reduceat(mated, starts) + 0.5, np.add.reduceat(non_mated, starts) + 0.5
    p, q = m_bin / m_bin.sum(), n_bin / n_bin.sum()
    ratio = p / q
    return float(np.sum(np.maximum(0.0, 2.0 * ratio / (1.0 + ratio) - 1.0) * p))


def _levels(distances: Floats, seen: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Ranks of distances, merged to at most some _FINE levels, finer where they are small; 0 where not `seen`."""
    values = distances[seen]
    values.sort()
    values = values[np.r_[True, values[1:] != values[:-1]]]
    if len(values) > _FINE:
        near = np.unique(np.geomspace(1, len(values), _FINE // 2).astype(int) - 1)
        evenly = np.linspace(0, len(values) - 1, _FINE // 2).astype(int)
        values = values[np.union1d(near, evenly)]
    levels = np.zeros(distances.shape, dtype=np.int16)  # row by row, as all distances at once are much
    for row, here, level in zip(distances, seen, levels, strict=True):
        level[here] = np.searchsorted(values, row[here])
    return levels
