"""What every attacker offers, so that one harness can run them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ganonym.evaluate.sample import Sample
from ganonym.types import Floats


class Attacker(Protocol):
    """Turns photos into templates and compares templates. An attacker that cannot work raises: it never scores zero."""

    @property
    def name(self) -> str:
        """Stable name for tables and records."""
        ...

    def templates(self, samples: Sequence[Sample]) -> Floats:
        """One row a sample, (n, d); a row of NaN where the sample could not be acquired."""
        ...

    def distances(self, probes: Floats, gallery: Floats) -> Floats:
        """(p, g), smaller = more alike, NaN where either template is missing."""
        ...

    def learn(self, templates: Floats, subjects: Sequence[str]) -> Attacker:
        """The attacker after training on originals of people it will not attack; itself when it has nothing to learn.

        Raises UsageError when the people given are too few to learn from.
        """
        ...


def stack(rows: Sequence[Floats | None], width: int) -> Floats:
    """Rows of length `width` as one matrix (n, width), with NaN rows for None."""
    missing = np.full(width, np.nan)
    return np.array([missing if row is None else row for row in rows], dtype=np.float64).reshape(-1, width)
