"""Is utility kept in every group? Sex, age band, ethnicity, syndrome and site; small cells are named without a rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.assessment import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.noninferiority import compared, not_evaluated
from ganonym.evaluate.utility.paired import mean_of
from ganonym.evaluate.utility.syndrome import CELL_NAMES, Diagnosed
from ganonym.manifest import Row

FAMILY = "group"
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
                yield not_evaluated(FAMILY, where, f"Too small: fewer than {inputs.minimum_cell} subjects.")
                continue
            yield from _of_group(inputs, found, where, np.array(members, dtype=np.intp), rng)


def _of_group(
    inputs: UtilityInputs, found: Diagnosed | None, where: str, members: NDArray[np.intp], rng: np.random.Generator
) -> Iterator[Utility]:
    subjects = [inputs.subjects[index] for index in members]
    faces = [mean_of(side[members].astype(np.float64)) for side in (inputs.found, inputs.shown)]
    name = f"{where}: photos of which a picture with a face was released"
    yield compared(FAMILY, name, (faces[0], faces[1]), subjects, rng, margin=inputs.margin)
    if found is None:
        return
    mine = np.flatnonzero(np.isin(found.photos, members))
    subjects = [found.subjects[index] for index in mine]
    name = f"{where}: syndromes called right by landmarks, {CELL_NAMES['AO']}"
    if len(set(subjects)) < inputs.minimum_cell:
        yield not_evaluated(FAMILY, name, f"Too small: fewer than {inputs.minimum_cell} subjects with a syndrome.")
        return
    right = [mean_of(found.calls["landmarks"][cell].right()[mine].astype(np.float64)) for cell in ("OO", "AO")]
    yield compared(FAMILY, name, (right[0], right[1]), subjects, rng, margin=inputs.margin)
