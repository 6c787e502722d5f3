"""What every attacker offers, so that one harness can run them all.

A `View` is what is looked at: it turns each photo into a template, once, however many attackers compare that view. An
`Attacker` says how templates are compared, after learning from people whom it will not attack. Whoever cannot work
raises: no failure is ever a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.sample import Sample
from ganonym.types import Floats

Rows: TypeAlias = NDArray[np.floating[Any]]
"""Templates (n, d) of any floating type; a row of NaN where a photo could not be acquired."""

Tier: TypeAlias = Literal["T0", "T1", "T2", "A", "R"]
"""What the attack costs (evaluation protocol §3.3): T0 no weights, T1 the bundled recognizer, T2 a recognizer that the
user brings, A adapted to the anonymizer, R reversal before recognition."""


class View(Protocol):
    """What is looked at in a photo. Values are frozen dataclasses: worker processes get copies."""

    @property
    def name(self) -> str:
        """Stable name; views of one name see the same."""
        ...

    @property
    def width(self) -> int:
        """Length d of a template."""
        ...

    def template(self, sample: Sample) -> Rows | None:
        """One template (d,), None when the photo cannot be acquired. Raises EnvironmentFault when weights lack."""
        ...


@dataclass(frozen=True, slots=True)
class Templates:
    """Rows (n, d) of one view, and whether they are of released pictures or of originals."""

    rows: Rows
    released: bool


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an attacker knows of people it will not attack, photo by photo.

    `originals` and `released` (n, d): row i of both is one photo of `subjects[i]` before and after; NaN rows where
    there is no template. Anybody who runs the same anonymizer over photos of their own has such a lesson.
    """

    originals: Rows
    released: Rows
    subjects: tuple[str, ...]


Matcher: TypeAlias = Callable[[Templates, Templates], Floats]
"""(probes (p, d), gallery (g, d)) → distances (p, g), smaller = more alike, NaN where a template is missing."""


class Attacker(Protocol):
    """How templates of a view are compared."""

    @property
    def name(self) -> str:
        """Stable name for tables and records."""
        ...

    @property
    def tier(self) -> Tier: ...

    @property
    def view(self) -> View: ...

    def learn(self, lesson: Lesson) -> Matcher:
        """The comparison after learning. Raises UsageError when the people given are too few to learn from."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """An attacker with nothing to learn: it compares templates of `view` by `matcher`."""

    name: str
    tier: Tier
    view: View
    matcher: Matcher

    def learn(self, lesson: Lesson) -> Matcher:  # noqa: ARG002
        """The comparison itself."""
        return self.matcher


def templates(view: View, samples: Sequence[Sample]) -> Rows:
    """One row a sample, (n, d), NaN rows where a sample could not be acquired."""
    return stack((view.template(sample) for sample in samples), view.width)


def stack(rows: Iterable[Rows | None], width: int) -> Rows:
    """Rows of length `width` as one matrix (n, width), with NaN rows for None; their own floating type is kept."""
    found = list(rows)
    kind = next((row.dtype for row in found if row is not None), np.dtype(np.float64))
    missing = np.full(width, np.nan, kind)
    return np.array([missing if row is None else row for row in found], dtype=kind).reshape(-1, width)


def euclidean(probes: Templates, gallery: Templates) -> Floats:
    """Euclidean distances (p, g); NaN in, NaN out.

    >>> two = Templates(np.array([[0.0, 0.0], [3.0, 4.0]]), released=False)
    >>> euclidean(two, two).tolist()
    [[0.0, 5.0], [5.0, 0.0]]
    """
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(probes.rows, gallery.rows))


def uncorrelated(probes: Templates, gallery: Templates) -> Floats:
    """1 − correlation, (p, g) in [0, 2], of rows that already have zero mean and unit variance."""
    return np.asarray(1.0 - probes.rows @ gallery.rows.T / probes.rows.shape[1], dtype=np.float64)
