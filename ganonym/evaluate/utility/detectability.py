"""How much was released at all, and in how much of that is a face still found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.assessment import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.noninferiority import decide, not_evaluated
from ganonym.statistics.bootstrap import Statistic, paired_bootstrap
from ganonym.statistics.estimate import Estimate
from ganonym.statistics.exact import proportion

FAMILY = "detectability"


def rate(hits: NDArray[np.bool_], subjects: Sequence[str]) -> Estimate:
    """Share over subjects of the share of each one's photos that hit (n,), with Clopper and Pearson's exact interval.

    A subject half of whose photos hit counts as half a hit, which only widens the interval.
    """
    photos = defaultdict(list)
    for hit, subject in zip(hits.tolist(), subjects, strict=True):
        photos[subject].append(hit)
    found = proportion(float(sum(np.mean(each) for each in photos.values())), len(photos))
    return Estimate(value=found.value, low=found.low, high=found.high)


def detectability(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Share of photos released; and share of released pictures with a face beside that of their originals."""
    yield Utility(
        family=FAMILY,
        name="photos released",
        original=None,
        released=rate(inputs.released, inputs.subjects),
        difference=None,
        margin=None,
        decision="reported",
        note="Share over subjects.",
    )
    photos = np.flatnonzero(inputs.released)
    if not len(photos):
        yield not_evaluated(FAMILY, "face found in what was released", "Nothing was released.")
        return
    subjects = [inputs.subjects[index] for index in photos]
    found, shown = inputs.found[photos], inputs.shown[photos]
    difference = paired_bootstrap(_over_subjects(shown, subjects), _over_subjects(found, subjects), subjects, rng)
    yield Utility(
        family=FAMILY,
        name="face found in what was released",
        original=rate(found, subjects),
        released=rate(shown, subjects),
        difference=difference,
        margin=inputs.margin,
        decision=decide(difference, inputs.margin),
        note="Share over subjects.",
    )


def _over_subjects(hits: NDArray[np.bool_], subjects: Sequence[str]) -> Statistic:
    """`rate` as a statistic of resampled photos: each photo weighs one over its subject's number of photos."""
    _, owner, photos = np.unique(np.array(subjects), return_inverse=True, return_counts=True)
    weights = 1.0 / photos[owner]
    return lambda chosen: float((weights[chosen] * hits[chosen]).sum() / weights[chosen].sum())
