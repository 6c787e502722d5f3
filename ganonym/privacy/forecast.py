"""What joint k-same would give of a cohort, before any picture: groups, what they keep, whom they cannot serve.

Everything is computed by the mechanism itself on the cohort's own rows. What a group shows on the kept axes is known
before any noise, for the noise leaves them alone, so these numbers are the release's and no estimates; what synthesis
and the reading of outputs lose comes on top. Private: whoever reads a forecast learns of people what the rows tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.kept import KeptSpace
from ganonym.privacy.joint import Joint, joint_k_same
from ganonym.settings import K_OF_POLICY, SmallClasses
from ganonym.types import Floats

DRAWS = 3
"""Halves of the people that are tried; their mean is told."""

WORTH_TELLING = 0.25
"""A band that is shown otherwise by less, in SD of the population, is not told of."""


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Photographs before a release: `rows` (N, D), whose they are, their labels (None: the release has none).

    `bands` name for a kept axis what each photo is there, in words: {"age": ["0-9", "30-39", …], "tone": […]}.
    """

    rows: Floats
    owners: Sequence[str]
    labels: Sequence[str | None] | None = None
    bands: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def people(self) -> int:
        return len(set(self.owners))

    def of(self, chosen: Sequence[int] | NDArray[np.int64]) -> Cohort:
        """The same with the photos at these places only."""
        return Cohort(
            self.rows[chosen],
            [self.owners[photo] for photo in chosen],
            None if self.labels is None else [self.labels[photo] for photo in chosen],
            {axis: [names[photo] for photo in chosen] for axis, names in self.bands.items()},
        )


@dataclass(frozen=True, slots=True)
class AxisForecast:
    """Of a kept axis: the correlation `r` of what is shown with what was read, and the share of its SD that is left."""

    name: str
    r: float
    spread: float


@dataclass(frozen=True, slots=True)
class Unserved:
    """People of a band of an axis, too few for a group: others fill it up, and shift what is shown.

    `people` share the band, `short` of them have fewer than k such people under their label. `shift` is by how much
    they are shown otherwise, in population SD of the axis, on average. `remedies` are what a steward can do.
    """

    axis: str
    band: str
    people: int
    short: int
    shift: float
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CohortForecast:
    """A release of a cohort with groups of `k` people: how many groups, whom they leave out, and what they keep.

    `smallest` counts different people in the smallest group, `bits` = log2(groups) bounds what an output tells of its
    photo, `named` is the rate at which an attacker who knows every row and every group names the person of an output.
    `withheld` are photos and `left_out` people without any other. `instead` says what to do where that is everybody.
    """

    k: int
    people: int
    photos: int
    groups: int
    smallest: int
    withheld: int
    left_out: int
    bits: float
    named: float
    axes: tuple[AxisForecast, ...]
    unserved: tuple[Unserved, ...]
    instead: tuple[str, ...]

    @property
    def kinds(self) -> dict[str, float]:
        """Mean correlation by kind of axis: "signs", "tone", "age", …"""
        by_kind: dict[str, list[float]] = {}
        for axis in self.axes:
            by_kind.setdefault(kind_of(axis.name), []).append(axis.r)
        return {kind: float(np.mean(values)) for kind, values in by_kind.items()}


def forecast_cohort(cohort: Cohort, space: KeptSpace, k: int, small_classes: SmallClasses = "class") -> CohortForecast:
    """Group the cohort as a release would, and say what comes of it.

    Raises UsageError for k < 2 and for rows that are not finite.

    >>> from ganonym.faces.kept import kept_space
    >>> space = kept_space(("tone",))
    >>> rows = space.mean + np.outer([0.0, 1.0, 5.0, 6.0], space.pull[:, 0])
    >>> plan = forecast_cohort(Cohort(rows, ["a", "b", "c", "d"]), space, 2)
    >>> plan.groups, plan.bits, plan.named, round(plan.axes[0].r, 2), plan.instead
    (2, 1.0, 0.5, 0.98, ())
    """
    if cohort.labels is None and cohort.people < k:
        return _nothing(cohort, k)
    joint = joint_k_same(cohort.rows, cohort.owners, cohort.labels, space, k, small_classes)
    kept = joint.group >= 0
    if not kept.any():
        return _nothing(cohort, k)
    before, after = space.coordinates(cohort.rows[kept]), space.coordinates(joint.middle[joint.group[kept]])
    served = {owner for owner, own in zip(cohort.owners, kept, strict=True) if own}
    return CohortForecast(
        k=k,
        people=cohort.people,
        photos=len(kept),
        groups=len(joint.sizes),
        smallest=int(joint.sizes.min()),
        withheld=int((~kept).sum()),
        left_out=cohort.people - len(served),
        bits=math.log2(len(joint.sizes)),
        named=float(np.mean(joint.bounds[joint.group[kept]])),
        axes=tuple(_axis(*axis) for axis in zip(space.names, before.T, after.T, strict=True)),
        unserved=_unserved(cohort, joint, space, k),
        instead=(),
    )


def rate_distortion(
    cohort: Cohort, space: KeptSpace, sizes: Sequence[int], small_classes: SmallClasses = "class", seed: int = 0
) -> tuple[CohortForecast, ...]:
    """The forecasts for every k in `sizes`, of all people and of half of them: what a larger cohort would bring.

    Half is the mean over DRAWS drawn halves (numbers are rounded means; without bands). Ordered by people, then k.
    """
    alone = Cohort(cohort.rows, cohort.owners, cohort.labels)
    rng = np.random.default_rng(np.random.SeedSequence([seed, len(cohort.rows)]))
    names = np.array(sorted(set(cohort.owners)))
    halves = [set(rng.choice(names, max(1, len(names) // 2), replace=False).tolist()) for _ in range(DRAWS)]
    parts = [alone.of([photo for photo, owner in enumerate(alone.owners) if owner in half]) for half in halves]
    return tuple(
        [_mean([forecast_cohort(part, space, k, small_classes) for part in parts]) for k in sizes]
        + [forecast_cohort(alone, space, k, small_classes) for k in sizes]
    )


def kind_of(axis: str) -> str:
    """What kind of axis has this name.

    >>> kind_of("sign 3"), kind_of("tone")
    ('signs', 'tone')
    """
    word = axis.split()[0]
    return "signs" if word == "sign" else word


def remedies_of(people: int, k: int) -> tuple[str, ...]:
    """What helps `people` who are fewer than k, the least costly first.

    >>> remedies_of(7, 20)[0]
    '--policy internal (k = 5), where the release stays inside the institution'
    """
    smaller = [
        (policy, size, audience)
        for (policy, size), audience in zip(K_OF_POLICY.items(), _AUDIENCES, strict=True)
        if size <= people and size < k
    ]
    return (
        *[f"--policy {policy} (k = {size}), where the release {audience}" for policy, size, audience in smaller],
        f"pool with another site: {k - people} more people make a group",
    )


_AUDIENCES = ("goes to anybody", "goes to named researchers under an agreement", "stays inside the institution")


def _nothing(cohort: Cohort, k: int) -> CohortForecast:
    """Where nobody can be grouped."""
    crowd = cohort.people
    if cohort.labels is not None:
        by_label: dict[str | None, set[str]] = {}
        for owner, label in zip(cohort.owners, cohort.labels, strict=True):
            by_label.setdefault(label, set()).add(owner)
        crowd = max(map(len, by_label.values()), default=0)
    instead = [*remedies_of(crowd, k)]
    if cohort.labels is not None:
        instead.append("--small-classes merge, which releases rare labels under one name, or a coarser label")
    instead.append("--mechanism codebook: every photo by itself, as one of 32 public kinds of face, at most 5 bits")
    return CohortForecast(
        k, cohort.people, len(cohort.rows), 0, 0, len(cohort.rows), cohort.people, 0.0, 0.0, (), (), tuple(instead)
    )


def _axis(name: str, before: Floats, after: Floats) -> AxisForecast:
    if min(before.std(), after.std()) < 1e-9:
        return AxisForecast(name, 0.0, 0.0)
    return AxisForecast(name, float(np.corrcoef(before, after)[0, 1]), float(after.std() / before.std()))


def _unserved(cohort: Cohort, joint: Joint, space: KeptSpace, k: int) -> tuple[Unserved, ...]:
    """The bands of which fewer than k people share a label, where that shows; the farthest off first."""
    labels = joint.labels
    kept = joint.group >= 0
    found = []
    for axis, names in cohort.bands.items():
        if axis not in space.names:
            continue
        place = space.names.index(axis)
        before = space.coordinates(cohort.rows)[:, place]
        after = np.full(len(before), np.nan)
        after[kept] = space.coordinates(joint.middle[joint.group[kept]])[:, place]
        crowds: dict[tuple[str, str | None], set[str]] = {}
        for owner, name, label in zip(cohort.owners, names, labels, strict=True):
            crowds.setdefault((name, label), set()).add(owner)
        for band in sorted(set(names)):
            people = set().union(*(own for (name, _), own in crowds.items() if name == band))
            few = [own for (name, _), own in crowds.items() if name == band and len(own) < k]
            short = set().union(*few)
            shown = [
                photo
                for photo, owner in enumerate(cohort.owners)
                if owner in short and names[photo] == band and kept[photo]
            ]
            shift = float(np.mean(after[shown] - before[shown])) if shown else 0.0
            if abs(shift) >= WORTH_TELLING:
                largest = max(map(len, few))
                found.append(Unserved(axis, band, len(people), len(short), shift, _for_band(axis, band, largest, k)))
    return tuple(sorted(found, key=lambda one: (-abs(one.shift), one.axis, one.band)))


def _for_band(axis: str, band: str, people: int, k: int) -> tuple[str, ...]:
    return (
        *remedies_of(people, k),
        f"withhold them: leave {axis} {band} out of the folder",
        f"accept it, with less weight of {axis} in a TOML file, which serves the others better: weights = "
        f"{{ {axis} = 1.0 }}",
    )


def _mean(several: Sequence[CohortForecast]) -> CohortForecast:
    """One forecast for several cohorts of one size; 0 of an axis where nothing is released."""
    first = next((one for one in several if one.axes), several[0])
    axes = tuple(
        AxisForecast(
            axis.name,
            float(np.mean([one.axes[place].r if one.axes else 0.0 for one in several])),
            float(np.mean([one.axes[place].spread if one.axes else 0.0 for one in several])),
        )
        for place, axis in enumerate(first.axes)
    )
    middle = {
        name: round(float(np.mean([getattr(one, name) for one in several])))
        for name in ("people", "photos", "groups", "withheld", "left_out")
    }
    return CohortForecast(
        k=first.k,
        smallest=min(one.smallest for one in several),
        bits=float(np.mean([one.bits for one in several])),
        named=float(np.mean([one.named for one in several])),
        axes=axes,
        unserved=(),
        instead=first.instead,
        **middle,
    )
