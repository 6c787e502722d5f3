"""Is it still like the patient? Signs, tone, age, sex and changes of expression, read alike on both sides.

The instrument are the kept axes of `ganonym.faces.kept` on coordinates read from pictures with the judge's landmarks.
Every row has its ceiling beside it (what two originals of one person agree on, where that is asked for) and its floor
in words: what the outputs of other people give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.rows import FEWEST, correlation, mean_of, not_evaluated, repeatability, reported
from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.faces.shape import load_shape, normalize
from ganonym.faces.tone import tone_class
from ganonym.statistics.intervals import Statistic
from ganonym.types import Floats, Points

FAMILY = "fidelity"
DARK = 28.0
"""ITA in degrees under which skin counts as dark here: tan and darker (Del Bino & Bernerd 2013)."""
CHILD, YOUNG = 10.0, 15.0
CHANGES = ("brow raise", "opening of the lids", "opening of the mouth", "lift of the mouth corners")


def fidelity(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Rows of the family; "not evaluated" where fewer than ten subjects show a face on both sides."""
    if inputs.original_coordinates is None or inputs.released_coordinates is None:
        yield not_evaluated(FAMILY, "all measures", "Coordinates of faces were not read.")
        return
    whole = np.isfinite(inputs.original_coordinates).all(axis=1) & np.isfinite(inputs.released_coordinates).all(axis=1)
    photos = np.flatnonzero(whole & inputs.found & inputs.shown)
    subjects = [inputs.subjects[photo] for photo in photos]
    if len(set(subjects)) < FEWEST:
        yield not_evaluated(FAMILY, "all measures", f"{len(set(subjects))} subjects have a face on both sides.")
        return
    space = kept_space()
    before = space.coordinates(inputs.original_coordinates[photos])
    after = space.coordinates(inputs.released_coordinates[photos])
    for name, one, other in zip(space.names, before.T, after.T, strict=True):
        yield _agreement(name, one, other, subjects, rng)
    tones = [space.given("tone", side[:, space.names.index("tone")]) for side in (before, after)]
    yield from _tones(tones[0], tones[1], subjects, rng)
    women = [side[:, space.names.index("sex")] > 0 for side in (before, after)]
    yield reported(
        FAMILY, "read as the same sex", _share(women[0] == women[1]), subjects, rng, bounds=(0.0, 1.0),
        note=f"By chance: {_chance(women[0], women[1]):.2f}.",
    )  # fmt: skip
    yield from _children(inputs, photos, after, space, subjects, rng)
    yield from _changes(inputs, photos, subjects, rng)


def _agreement(name: str, before: Floats, after: Floats, subjects: Sequence[str], rng: np.random.Generator) -> Utility:
    floor = correlation(before, after[_of_others(subjects)])(np.arange(len(before)))
    return reported(
        FAMILY,
        f"{name}, correlation",
        correlation(before, after),
        subjects,
        rng,
        bounds=(-1.0, 1.0),
        original=repeatability(before, subjects, rng),
        note=f"Outputs of other people: {floor:.2f}. Beside it: two originals of one person.",
    )


def _of_others(subjects: Sequence[str]) -> NDArray[np.intp]:
    """For each photo, one of another subject: the photos of all subjects, moved on by half."""
    names = sorted(set(subjects))
    own = {name: [place for place, other in enumerate(subjects) if other == name] for name in names}
    step = len(names) // 2
    partner = {name: own[names[(place + step) % len(names)]] for place, name in enumerate(names)}
    taken = dict.fromkeys(names, 0)
    chosen = []
    for name in subjects:
        photos = partner[name]
        chosen.append(photos[taken[name] % len(photos)])
        taken[name] += 1
    return np.array(chosen, dtype=np.intp)


def _of(subjects: Sequence[str], places: NDArray[np.intp]) -> list[str]:
    return [subjects[place] for place in places.tolist()]


def _share(hits: NDArray[np.bool_]) -> Statistic:
    return mean_of(hits.astype(np.float64))


def _chance(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """How often two independent calls with these rates agree."""
    first, second = float(one.mean()), float(other.mean())
    return first * second + (1.0 - first) * (1.0 - second)


def _tones(before: Floats, after: Floats, subjects: Sequence[str], rng: np.random.Generator) -> Iterator[Utility]:
    classes = [np.array([tone_class(ita) for ita in side.tolist()]) for side in (before, after)]
    others = np.abs(classes[0] - classes[1][_of_others(subjects)]) <= 1
    yield reported(
        FAMILY, "skin tone within one class", _share(np.abs(classes[0] - classes[1]) <= 1), subjects, rng,
        bounds=(0.0, 1.0), note=f"Outputs of other people: {others.mean():.2f}.",
    )  # fmt: skip
    name, dark = f"dark faces (ITA below {DARK:g}°) that stay dark", np.flatnonzero(before < DARK)
    if len(set(_of(subjects, dark))) < FEWEST:
        yield not_evaluated(FAMILY, name, f"Fewer than {FEWEST} subjects are dark.")
        return
    yield reported(
        FAMILY, name, _share(after[dark] < DARK), _of(subjects, dark), rng,
        bounds=(0.0, 1.0), note=f"Of all outputs dark: {(after < DARK).mean():.2f}.",
    )  # fmt: skip


def _children(
    inputs: UtilityInputs,
    photos: NDArray[np.intp],
    after: Floats,
    space: KeptSpace,
    subjects: Sequence[str],
    rng: np.random.Generator,
) -> Iterator[Utility]:
    name = f"children under {CHILD:g} read as under {YOUNG:g}"
    ages = np.array([np.nan if (age := inputs.rows[photo].age) is None else age for photo in photos])
    children = np.flatnonzero(ages < CHILD)
    if len(set(_of(subjects, children))) < FEWEST:
        yield not_evaluated(FAMILY, name, f"The manifest names fewer than {FEWEST} of them.")
        return
    young = space.given("age", after[:, space.names.index("age")]) < YOUNG
    yield reported(
        FAMILY, name, _share(young[children]), _of(subjects, children), rng, bounds=(0.0, 1.0),
        note=f"Of all outputs: {young.mean():.2f}.",
    )  # fmt: skip


def _changes(
    inputs: UtilityInputs, photos: NDArray[np.intp], subjects: Sequence[str], rng: np.random.Generator
) -> Iterator[Utility]:
    """Correlation of what changes between photos of one person and what changes between their outputs."""
    shapes = load_shape()
    sides = [
        np.array([expression_measures(normalize(_known(points[photo]), shapes)) for photo in photos])
        for points in (inputs.original_points, inputs.released_points)
    ]
    owner = np.array(subjects)
    several = [name for name in sorted(set(subjects)) if (owner == name).sum() > 1]
    if len(several) < FEWEST:
        yield not_evaluated(FAMILY, "change within a person", f"{len(several)} subjects have several photos.")
        return
    chosen = np.flatnonzero(np.isin(owner, several))
    changed = [_centred(side[chosen], owner[chosen]) for side in sides]
    for column, name in enumerate(CHANGES):
        yield reported(
            FAMILY,
            f"change within a person, {name}",
            correlation(changed[0][:, column], changed[1][:, column]),
            _of(subjects, chosen),
            rng,
            bounds=(-1.0, 1.0),
            note="Each photo less the mean of its person; outputs of other people give 0.",
        )


def expression_measures(shape: Points) -> tuple[float, float, float, float]:
    """Heights of a normalised shape (68, 2): brows over eyes, between lids, between lips, corners over the mouth.

    In centroid sizes, upwards positive. `CHANGES` names them.
    """
    brows, eyes = shape[17:27, 1].mean(), shape[36:48, 1].mean()
    lids = (shape[[40, 41, 46, 47], 1] - shape[[37, 38, 43, 44], 1]).mean()
    lips = (shape[[65, 66, 67], 1] - shape[[61, 62, 63], 1]).mean()
    corners = (shape[[51, 57], 1].mean() - shape[[48, 54], 1]).mean()
    return float(eyes - brows), float(lids), float(lips), float(corners)


def _known(points: Points | None) -> Points:
    assert points is not None, "only photos with a face on both sides are measured"
    return points


def _centred(values: Floats, owner: NDArray[np.str_]) -> Floats:
    return np.asarray(values - np.array([values[owner == name].mean(axis=0) for name in owner.tolist()]))
