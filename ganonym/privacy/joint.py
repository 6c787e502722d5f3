"""Joint k-same: of all that a photograph shows, a release shows what k different people share, and public noise.

A face is one row (shape, skin, expression; `ganonym.faces.coordinates`). Photographs are grouped where they are alike
in what is kept, at most one of a person in a group. Shown is the group's mean, with kept axes stretched to the spread
of the cohort, and beyond the kept axes a draw from the public population's conditional covariance. All of it but the
draw is a function of the group, and the draw knows nothing of it: so nobody is named more often than once in k
(docs/proofs/k-same.md). k-Same: Newton, Sweeney and Malin 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.faces.kept import KeptSpace
from ganonym.privacy.classes import Classed, classed
from ganonym.privacy.ksame import exact_mean
from ganonym.settings import SmallClasses
from ganonym.types import Floats, Refusal

CLIP = 2.5
"""No draw is farther out, in SD: a face nobody has would be noticed."""

REST = 0.8
"""Of the population's spread beyond the kept axes: whole, some faces look like caricatures."""

FARTHEST = 3.0
"""No kept axis is stretched further: means that are spread less than a third of their members say little of them (their
correlation is below 1/3), and a stretch would show chance as if it were somebody's age or tone."""

_NO_SPREAD = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """What a release shows of each photo before noise. Private: `group`, `people` and `bounds` never leave the machine.

    `group` (n,) of each photo, -1 where it is withheld and `refusals` (n) says why; `middle` (groups, D), what each
    group shows: its mean, stretched; `sizes` (groups,) different people in each, `people` their sorted names; `bounds`
    (groups,) the highest rate at which photos of the group can be named: 1/size, never more than 1/k, but where a small
    class is one group, and then the largest share that somebody has of its photos; `noise` (D, D), factor of what is
    drawn beyond the kept axes; `gains` (d,) of the stretch; `labels` (n) what may be released of each photo's label;
    `alone` are labels and numbers of people of the classes that are one group for lack of k people.
    """

    group: NDArray[np.intp]
    middle: Floats
    sizes: NDArray[np.intp]
    people: tuple[tuple[str, ...], ...]
    bounds: Floats
    noise: Floats
    gains: Floats
    labels: tuple[str | None, ...]
    refusals: tuple[Refusal | None, ...]
    alone: tuple[tuple[str | None, int], ...] = ()

    @property
    def mean_bound(self) -> float:
        """`bounds` on average over the photos that are shown; 0 where none is."""
        inside = self.group[self.group >= 0]
        return float(self.bounds[inside].mean()) if len(inside) else 0.0


def joint_k_same(
    rows: Floats,
    owners: Sequence[str],
    labels: Sequence[str | None] | None,
    space: KeptSpace,
    k: int,
    small_classes: SmallClasses = "class",
) -> Joint:
    """Group photographs, `rows` (n, D) of `owners` (n), with k different people to a group, within `labels` (n).

    The outcome depends on the set of photos, not on their order, to the last bit. Without labels, or with None, all are
    one class; with labels, None is a class of its own, and `small_classes` says what becomes of a class of fewer than k
    people. Raises UsageError where rows are not finite or fit neither owners nor `space`, where k < 2, or where there
    are no labels and fewer than k people.

    >>> space = KeptSpace(("tone",), np.eye(1, 2), np.ones(1), np.zeros(2), np.eye(2), {})
    >>> rows = np.array([[-1.1, 0.3], [-0.9, 0.1], [0.9, 0.0], [1.1, 0.4]])
    >>> joint = joint_k_same(rows, ["a", "b", "c", "d"], None, space, 2)
    >>> joint.group, (joint.middle @ space.axes.T).ravel().round(3), joint.people[0]
    (array([0, 0, 1, 1]), array([-1.,  1.]), ('a', 'b'))
    """
    _checked(rows, owners, labels, space)
    ids, codes = np.unique(np.asarray(owners, dtype=str), return_inverse=True)
    # Identical rows of different people are told apart by name, so that not even they depend on the order of files.
    order = np.lexsort(np.vstack([codes[None].astype(np.float64), rows.T[::-1]]))
    ordered, of = rows[order], codes[order]
    places = space.coordinates(ordered) * space.weights
    own = None if labels is None else [labels[photo] for photo in order]
    classes = classed(places, of, own, k, small_classes)
    joint = _composed(ordered, of, ids, classes, space)
    back = np.argsort(order)
    return replace(
        joint,
        group=joint.group[back],
        labels=tuple(joint.labels[place] for place in back),
        refusals=tuple(joint.refusals[place] for place in back),
    )


def joint_by_subject(
    rows: Floats,
    owners: Sequence[str],
    labels: Sequence[str | None] | None,
    space: KeptSpace,
    k: int,
    small_classes: SmallClasses = "class",
) -> Joint:
    """Group people by the mean of their photos, for releases in which photos of one person may be linked.

    As `joint_k_same`, but all photos of a person have one group, and expression is not kept by the group: whoever calls
    puts a budgeted expression in its place. Raises UsageError, also where a person has several labels.

    >>> space = KeptSpace(("tone",), np.eye(1, 2), np.ones(1), np.zeros(2), np.eye(2), {})
    >>> rows = np.array([[-1.0, 0.3], [-1.2, 0.1], [0.9, 0.0], [0.8, 0.0], [-0.8, 0.2], [1.3, 0.4]])
    >>> joint_by_subject(rows, ["a", "a", "c", "c", "b", "d"], None, space, 2).group
    array([0, 0, 1, 1, 0, 1])
    """
    _checked(rows, owners, labels, space)
    people = sorted(set(owners))
    place = {name: number for number, name in enumerate(people)}
    photos: list[list[int]] = [[] for _ in people]
    for photo, owner in enumerate(owners):
        photos[place[owner]].append(photo)
    own = None
    if labels is not None:
        given = [{labels[photo] for photo in of_one} for of_one in photos]
        for name, values in zip(people, given, strict=True):
            if len(values) > 1:
                raise UsageError(
                    f"subject {name!r} has several labels: {', '.join(sorted(map(str, values)))}.",
                    "Give all its photos one label, or use --link photo.",
                )
        own = [values.pop() for values in given]
    means = np.array([exact_mean(rows[of_one]) for of_one in photos]).reshape(len(people), rows.shape[1])
    joint = joint_k_same(means, people, own, space.without("expression"), k, small_classes)
    of = np.array([place[owner] for owner in owners], dtype=np.intp)
    return replace(
        joint,
        group=joint.group[of],
        labels=tuple(joint.labels[person] for person in of),
        refusals=tuple(joint.refusals[person] for person in of),
    )


def shown(joint: Joint, photo: int, rng: np.random.Generator) -> Floats:
    """The row (D,) shown for a photo: what its group shows, and a draw beyond the kept axes.

    `rng` must come from a seed that is no function of any photograph. Raises ValueError for a withheld photo.

    >>> space = KeptSpace(("tone",), np.eye(1, 2), np.ones(1), np.zeros(2), np.eye(2), {})
    >>> joint = joint_k_same(np.array([[-1.0, 0.3], [-1.2, 0.1]]), ["a", "b"], None, space, 2)
    >>> bool(shown(joint, 0, np.random.default_rng(1))[0] == joint.middle[0, 0])
    True
    """
    if joint.group[photo] < 0:
        raise ValueError(f"photo {photo} is withheld, so there is nothing to show")
    draw = np.clip(rng.standard_normal(len(joint.noise)), -CLIP, CLIP)
    return np.asarray(joint.middle[joint.group[photo]] + REST * (joint.noise @ draw))


def _checked(rows: Floats, owners: Sequence[str], labels: Sequence[str | None] | None, space: KeptSpace) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(space.mean):
        raise UsageError(f"rows of shape {rows.shape} do not fit a kept space of {len(space.mean)} coordinates.")
    if len(owners) != len(rows) or (labels is not None and len(labels) != len(rows)):
        raise UsageError("rows, owners and labels are not equally many.", "Give one owner and one label a photo.")
    if not np.isfinite(rows).all():
        raise UsageError("coordinates of a face hold a value that is not finite.", "Withhold that photo.")


def _composed(
    rows: Floats, owners: NDArray[np.intp], ids: NDArray[np.str_], classes: Classed, space: KeptSpace
) -> Joint:
    """Means of the groups, stretched, and the noise; `rows` (n, D) in lexicographic order."""
    group = classes.group
    count = int(group.max(initial=-1)) + 1
    members = [np.flatnonzero(group == number) for number in range(count)]
    counts = [np.unique(owners[of_one], return_counts=True)[1] for of_one in members]
    means = np.array([_mean(rows[of_one], owners[of_one]) for of_one in members]).reshape(count, rows.shape[1])
    # What is promised does not follow from the groups: were one too small, the audit would hold it against 1/k.
    bounds = [
        min(photos.max() / photos.sum(), classes.promise[of_one[0]])
        for photos, of_one in zip(counts, members, strict=True)
    ]
    released = group >= 0
    gains = np.ones(len(space.names))
    covariance, middle = space.covariance, means
    if count:
        centre = exact_mean(rows[released])
        spread = space.coordinates(rows[released]).std(axis=0)
        kept = space.coordinates(means) - space.coordinates(centre)
        gains = _gains(kept[group[released]].std(axis=0), spread)
        middle = means + (kept * (gains - 1.0)) @ space.pull.T
        covariance = space.covariance - np.cov(middle[group[released]].T, bias=True).reshape(space.covariance.shape)
    return Joint(
        group,
        middle,
        np.array([len(photos) for photos in counts], dtype=np.intp),
        tuple(tuple(sorted(set(ids[owners[of_one]].tolist()))) for of_one in members),
        np.array(bounds),
        noise_factor(covariance, space),
        gains,
        classes.labels,
        classes.refusals,
        classes.alone,
    )


def _mean(rows: Floats, owners: NDArray[np.intp]) -> Floats:
    """The mean over people, each counted once; exact, so that no order of photos shows in its last bit."""
    people = np.unique(owners)
    if len(people) == len(owners):
        return exact_mean(rows)
    of_people = np.array([exact_mean(rows[owners == person]) for person in people])
    return exact_mean(of_people)


def _gains(of_means: Floats, of_cohort: Floats) -> Floats:
    """Stretch of each kept axis: back to the cohort's own spread, never beyond the population's, never a squeeze."""
    stretch = np.minimum(1.0, of_cohort) / np.maximum(of_means, _NO_SPREAD)
    return np.asarray(np.where(of_means > _NO_SPREAD, np.clip(stretch, 1.0, FARTHEST), 1.0))


def noise_factor(covariance: Floats, space: KeptSpace) -> Floats:
    """L (D, D) with L L' the part of `covariance` (D, D) that is left when the kept axes are given; axes @ L = 0.

    What of `covariance` is not positive semidefinite is cut off. Conditional covariance of a Gaussian: Anderson, An
    Introduction to Multivariate Statistical Analysis, theorem 2.5.1.
    """
    whole = _positive(covariance)
    across = whole @ space.axes.T
    left = _positive(whole - across @ np.linalg.pinv(space.axes @ across, hermitian=True) @ across.T)
    values, vectors = np.linalg.eigh(left)
    # The sign of an eigenvector is arbitrary; its largest entry decides, so that rounding elsewhere changes no draw.
    vectors = vectors * np.sign(np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0))
    factor = vectors * np.sqrt(np.clip(values, 0.0, None))
    # Rounding leaves a trace along the axes; what is projected out here is of its size.
    return np.asarray(factor - np.linalg.pinv(space.axes) @ (space.axes @ factor))


def _positive(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    return np.asarray((vectors * np.clip(values, 0.0, None)) @ vectors.T)
