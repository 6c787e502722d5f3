"""What a release is still good for: every family of utility, one row of the assessment a finding.

Three families are here, because they need nothing but counts: how much was released, in how much of that a face is
still found, and whether utility is kept in every group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.agreement import pictures
from ganonym.evaluate.utility.dysmorphology import dysmorphology
from ganonym.evaluate.utility.expression import expression
from ganonym.evaluate.utility.features import distances
from ganonym.evaluate.utility.fidelity import fidelity
from ganonym.evaluate.utility.four_cells import Candidate
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.landmarks import landmarks, pose
from ganonym.evaluate.utility.rows import compared, decide, mean_of, not_evaluated
from ganonym.evaluate.utility.syndrome import CELL_NAMES, Diagnosed, deployed, diagnose, syndromes
from ganonym.manifest import Row
from ganonym.statistics.intervals import Estimate, Statistic, paired_bootstrap, proportion


def utility(inputs: UtilityInputs, rng_seed: int, added: Sequence[Candidate] = ()) -> list[Utility]:
    """All rows, by family. Equal inputs and seeds give equal rows; each family draws for itself.

    `added`: classifiers that learn syndromes beside the embedded ones.

    Nothing here blocks a release. What cannot be measured is a row "not evaluated" that says why. Raises ValueError for
    an empty assessment.
    """
    if not inputs.rows:
        raise ValueError("there is no photo whose utility could be assessed")
    streams = iter(np.random.default_rng([rng_seed, family]) for family in range(8))
    diagnosed = diagnose(inputs, rng_seed, added=added)
    return [
        *syndromes(inputs, diagnosed, next(streams)),
        *deployed(inputs, np.random.default_rng([rng_seed, 9])),
        *dysmorphology(inputs, next(streams)),
        *expression(inputs, next(streams), rng_seed),
        *fidelity(inputs, np.random.default_rng([rng_seed, 10])),
        *landmarks(inputs, next(streams)),
        *pose(inputs, next(streams)),
        *detectability(inputs, next(streams)),
        *pictures(inputs, next(streams)),
        *distances(inputs, next(streams)),
        *groups(inputs, diagnosed, np.random.default_rng([rng_seed, 8])),
    ]


DETECTABILITY = "detectability"


def rate(hits: NDArray[np.bool_], subjects: Sequence[str]) -> Estimate:
    """Share over subjects of the share of each one's photos that hit (n,), with Clopper and Pearson's exact interval.

    A subject half of whose photos hit counts as half a hit, which only widens the interval.
    """
    photos = defaultdict(list)
    for hit, subject in zip(hits.tolist(), subjects, strict=True):
        photos[subject].append(hit)
    found = proportion(float(sum(np.mean(photo) for photo in photos.values())), len(photos))
    return Estimate(value=found.value, low=found.low, high=found.high)


def detectability(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Share of photos released; and share of released pictures with a face beside that of their originals."""
    yield Utility(
        family=DETECTABILITY,
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
        yield not_evaluated(DETECTABILITY, "face found in what was released", "Nothing was released.")
        return
    subjects = [inputs.subjects[index] for index in photos]
    found, shown = inputs.found[photos], inputs.shown[photos]
    difference = paired_bootstrap(_over_subjects(shown, subjects), _over_subjects(found, subjects), subjects, rng)
    yield Utility(
        family=DETECTABILITY,
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


GROUP = "group"
COLUMNS = ("sex", "age", "ethnicity", "syndrome", "site")


def group_of(row: Row, column: str) -> str | None:
    """The group of a manifest row in `column`, ages in bands of ten years; None where the cell is empty.

    >>> group_of(Row("a.png", "s", age=34.0), "age")
    '30–39'
    """
    if column != "age":
        value: str | None = getattr(row, column)
        return value
    return None if row.age is None else f"{int(row.age // 10) * 10}–{int(row.age // 10) * 10 + 9}"


def groups(inputs: UtilityInputs, found: Diagnosed | None, rng: np.random.Generator) -> Iterator[Utility]:
    """Of each group: released pictures with a face, and the syndrome called right by landmarks (see `syndromes`).

    The classifier is trained on released pictures of all groups and tested on originals, beside originals on originals.
    A group of fewer subjects than the minimum cell carries no rate and no count.
    """
    for column in COLUMNS:
        photos: dict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(inputs.rows):
            group = group_of(row, column)
            if group is not None:
                photos[group].append(index)
        for group, members in sorted(photos.items()):
            where = f"{column} {group}"
            if len({inputs.subjects[index] for index in members}) < inputs.minimum_cell:
                yield not_evaluated(GROUP, where, f"Too small: fewer than {inputs.minimum_cell} subjects.")
                continue
            yield from _of_group(inputs, found, where, np.array(members, dtype=np.intp), rng)


def _of_group(
    inputs: UtilityInputs, found: Diagnosed | None, where: str, members: NDArray[np.intp], rng: np.random.Generator
) -> Iterator[Utility]:
    subjects = [inputs.subjects[index] for index in members]
    faces = [mean_of(side[members].astype(np.float64)) for side in (inputs.found, inputs.shown)]
    name = f"{where}: photos of which a picture with a face was released"
    yield compared(GROUP, name, (faces[0], faces[1]), subjects, rng, margin=inputs.margin)
    if found is None:
        return
    mine = np.flatnonzero(np.isin(found.photos, members))
    subjects = [found.subjects[index] for index in mine]
    name = f"{where}: syndromes called right by landmarks, {CELL_NAMES['AO']}"
    if len(set(subjects)) < inputs.minimum_cell:
        yield not_evaluated(GROUP, name, f"Too small: fewer than {inputs.minimum_cell} subjects with a syndrome.")
        return
    right = [mean_of(found.calls["landmarks"][cell].right()[mine].astype(np.float64)) for cell in ("OO", "AO")]
    yield compared(GROUP, name, (right[0], right[1]), subjects, rng, margin=inputs.margin)
