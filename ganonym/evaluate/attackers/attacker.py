"""What every attacker offers, so that one harness can run them all; an attacker is one file and nothing else.

A `View` is what is looked at: it turns each photo into a template, once, however many attackers compare that view. An
`Attacker` says how templates are compared, after learning from people whom it will not attack. Whoever cannot work
raises: no failure is ever a score.

An attacker of one's own, here one that compares the mean brightness of photos:

>>> from ganonym.evaluate.attack_all import attack_samples
>>> @dataclass(frozen=True)
... class Brightness:
...     name: str = "brightness"
...     width: int = 1
...     def template(self, sample: Sample) -> Rows:
...         return np.array([sample.rgb.mean()])
>>> brightness = Fixed("brightness", Brightness(), euclidean, Approach("T0", words="brightness of the photograph"))
>>> photos = [Sample(np.full((8, 8, 3), level, np.uint8), None) for level in range(0, 200, 10)]
>>> finding, = attack_samples([brightness], photos, photos, [f"subject {n}" for n in range(20)])
>>> finding.setting, finding.rank1.value
('same photo', 1.0)

`assess` and `suite` take it by argument; a package offers it under the entry points `ganonym.attackers`. One that
learns has a method `learn` in place of `Fixed`; one that holds all photos at once has `scores`, too
(`ganonym.evaluate.scores.Holder`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.protocol import FOLDS, SETTINGS, Tier
from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.types import RGB, Floats, Points

Rows: TypeAlias = NDArray[np.floating[Any]]
"""Templates (n, d) of any floating type; a row of NaN where a photo could not be acquired."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo under attack.

    `points` (68, 2) in its own pixels as a detector finds them, or None when it found no face (failure to acquire).
    `oracle` (68, 2) or None: the original's landmarks, where the output keeps the original's geometry; an attacker can
    click the eyes of a blurred face that no detector sees. `file` is the file as released, for attacks on metadata.
    """

    rgb: RGB
    points: Points | None
    oracle: Points | None = None
    file: Path | None = None

    @property
    def place(self) -> Points | None:
        """Where the face is as the best-informed attacker knows it: the oracle's landmarks, else the detector's."""
        return self.points if self.oracle is None else self.oracle


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
    """How templates of a view are compared. It may have an attribute `approach: Approach`, too."""

    @property
    def name(self) -> str:
        """Stable name for tables and records."""
        ...

    @property
    def view(self) -> View: ...

    def learn(self, lesson: Lesson) -> Matcher:
        """The comparison after learning. Raises UsageError when the people given are too few to learn from."""
        ...


@dataclass(frozen=True, slots=True)
class Approach:
    """What kind of attack it is, how it is run, and what reports call it.

    `tier`: what it costs. `words`: what the evidence page calls it; empty: as its tier, with the attacker's name
    where that is at most 40 letters, digits and dashes.
    `folds` and `settings`: in how many folds of people and where it is run. `adapted`: it starts from the plain
    comparison of its view and learns the anonymizer, so that it should be no weaker than that (control C5).
    """

    tier: Tier = "A"
    words: str = ""
    folds: int = FOLDS
    settings: tuple[str, ...] = SETTINGS
    adapted: bool = False


def approach_of(attacker: Attacker) -> Approach:
    """The attacker's own approach, else the default one. Raises TypeError when its `approach` is none."""
    approach = getattr(attacker, "approach", Approach())
    if not isinstance(approach, Approach):
        raise TypeError(f"the approach of the attacker {attacker.name} is a {type(approach).__name__}, no Approach")
    return approach


def adapted_to(view: View, words: str) -> Approach:
    """The approach of an attacker that adapts the comparison of `view`; its `words` name the view if that has words."""
    seen = getattr(view, "words", "")
    return Approach("A", f"{words}, {seen}" if seen else "", adapted=True)


@dataclass(frozen=True, slots=True)
class Fixed:
    """An attacker with nothing to learn: it compares templates of `view` by `matcher`."""

    name: str
    view: View
    matcher: Matcher
    approach: Approach = Approach()

    def learn(self, lesson: Lesson) -> Matcher:  # noqa: ARG002
        """The comparison itself."""
        return self.matcher


def templates(view: View, samples: Sequence[Sample]) -> Rows:
    """One row a sample, (n, d), NaN rows where a sample could not be acquired."""
    return stack((view.template(sample) for sample in samples), view.width)


def locate(rgbs: Sequence[RGB], detector: Detector, landmarks: LandmarkModel) -> list[Sample]:
    """Samples of photos, each with the landmarks of its largest face."""
    samples = []
    for rgb in rgbs:
        faces = find_faces(rgb, detector, landmarks)
        samples.append(Sample(rgb, faces[0].points if faces else None))
    return samples


def stack(rows: Iterable[Rows | None], width: int) -> Rows:
    """Rows of length `width` as one matrix (n, width), with NaN rows for None; their own floating type is kept."""
    listed = list(rows)
    kind = next((row.dtype for row in listed if row is not None), np.dtype(np.float64))
    missing = np.full(width, np.nan, kind)
    return np.array([missing if row is None else row for row in listed], dtype=kind).reshape(-1, width)


def finite(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are templates, (n,)."""
    return np.asarray(np.isfinite(rows).all(axis=1))


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


def cosine_rows(one: Rows, other: Rows) -> Floats:
    """1 − cosine, (p, g) in [0, 2]; NaN where a row is missing or zero.

    >>> cosine_rows(np.eye(2), np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.0, 2.0, nan], [1.0, 1.0, nan]]
    """
    return np.asarray(1.0 - _unit(one) @ _unit(other).T, dtype=np.float64)


def cosine(probes: Templates, gallery: Templates) -> Floats:
    """1 − cosine of templates as they are: what recognizers trained with an angular margin are compared by."""
    return cosine_rows(probes.rows, gallery.rows)


def _unit(rows: Rows) -> Floats:
    double = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(double, axis=1, keepdims=True)
    return np.asarray(np.divide(double, length, out=np.full_like(double, np.nan), where=length > 0))
