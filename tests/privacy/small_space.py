"""Six independent coordinates, of which one is skin tone and two tell two syndromes from the healthy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganonym.faces.kept import KeptSpace

SD = np.array([3.0, 2.0, 1.0, 0.5, 0.25, 0.2])
# One syndrome moves the second coordinate, one the fifth, each by four of its standard deviations.
SYNDROMES = np.array([[0, 8.0, 0, 0, 0, 0], [0, 0, 0, 0, 1.0, 0]])


def small_space(names: Mapping[str, int] | None = None) -> KeptSpace:
    """Each named axis reads one coordinate, in its SD."""
    kept = names or {"sign 1": 1, "sign 2": 4, "tone": 2}
    axes = np.array([np.eye(6)[place] / SD[place] for place in kept.values()])
    mean = np.linspace(-1.0, 1.0, 6)
    return KeptSpace(tuple(kept), axes, np.ones(len(axes)), mean, np.diag(SD**2), {}, 6)


SPACE = small_space()
