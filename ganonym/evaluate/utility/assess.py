"""What a release is still good for: every family of utility, one row of the assessment a finding."""

from __future__ import annotations

import numpy as np

from ganonym.evaluate.assessment import Utility
from ganonym.evaluate.utility.deployed import deployed
from ganonym.evaluate.utility.detectability import detectability
from ganonym.evaluate.utility.distance import distances
from ganonym.evaluate.utility.dysmorphology import dysmorphology
from ganonym.evaluate.utility.expression import expression
from ganonym.evaluate.utility.groups import groups
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.landmark_error import landmarks
from ganonym.evaluate.utility.pixels import pictures
from ganonym.evaluate.utility.pose import pose
from ganonym.evaluate.utility.syndrome import diagnose, syndromes


def utility(inputs: UtilityInputs, rng_seed: int) -> list[Utility]:
    """All rows, by family. Equal inputs and seeds give equal rows; each family draws for itself.

    Nothing here blocks a release. What cannot be measured is a row "not evaluated" that says why. Raises ValueError for
    an empty assessment.
    """
    if not inputs.rows:
        raise ValueError("there is no photo whose utility could be assessed")
    streams = iter(np.random.default_rng([rng_seed, family]) for family in range(8))
    diagnosed = diagnose(inputs, rng_seed)
    return [
        *syndromes(inputs, diagnosed, next(streams)),
        *deployed(inputs, np.random.default_rng([rng_seed, 9])),
        *dysmorphology(inputs, next(streams)),
        *expression(inputs, next(streams), rng_seed),
        *landmarks(inputs, next(streams)),
        *pose(inputs, next(streams)),
        *detectability(inputs, next(streams)),
        *pictures(inputs, next(streams)),
        *distances(inputs, next(streams)),
        *groups(inputs, diagnosed, np.random.default_rng([rng_seed, 8])),
    ]
