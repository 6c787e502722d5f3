"""London's manual 189-point templates, brought to the iBUG-68 scheme where the two mean the same places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import LANDMARKS, Floats, Points

FILE = "london_points189.json"
HELD_OUT, HELD_OUT_SEED = 0.25, 189

Line: TypeAlias = tuple[int, ...]
# Template lines (image-left first), and the iBUG points that lie on them at equal steps of arc length, ends included
# unless they are None. Template numbers count from 0.
LINES: tuple[tuple[Line, tuple[int | None, ...]], ...] = (
    ((109, 185, 110, 186, 111, 125, 126, 127, 128, 129), (0, 1, 2, 3, 4, 5, 6, 7, 8)),
    ((129, 130, 131, 132, 133, 114, 188, 113, 187, 112), (8, 9, 10, 11, 12, 13, 14, 15, 16)),
    ((71, 72, 73, 74, 75), (17, 18, 19, 20, 21)),
    ((78, 79, 80, 81, 82), (22, 23, 24, 25, 26)),
    ((18, 19, 20, 21, 22), (36, 37, 38, 39)),
    ((18, 28, 29, 30, 22), (None, 41, 40, None)),
    ((23, 24, 25, 26, 27), (42, 43, 44, 45)),
    ((23, 31, 32, 33, 27), (None, 47, 46, None)),
)
# Points that both schemes have: subnasal point, mouth corners, outer lips, inner lips.
SAME = {33: 55, 48: 87, 49: 88, 50: 89, 51: 90, 52: 91, 53: 92, 54: 93, 55: 108, 56: 107, 57: 106, 58: 105, 59: 104,
        61: 95, 62: 96, 63: 97, 65: 102, 66: 101, 67: 100}  # fmt: skip
# The ridge and base of the nose and the inner mouth corners have no counterpart that both schemes define.
DEFINED: NDArray[np.bool_] = ~np.isin(np.arange(LANDMARKS), [27, 28, 29, 30, 31, 32, 34, 35, 60, 64])


def ibug_points(template: Floats) -> Points:
    """Template (189, 2) → points (68, 2) in the same pixels; NaN where `DEFINED` is false."""
    points = np.full((LANDMARKS, 2), np.nan)
    for line, names in LINES:
        places = along(template[list(line)], len(names))
        for name, place in zip(names, places, strict=True):
            if name is not None:
                points[name] = place
    points[list(SAME)] = template[list(SAME.values())]
    return points


def along(line: Points, count: int) -> Points:
    """`count` points at equal steps of arc length along the polyline (n, 2), both ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    wanted = np.linspace(0.0, length[-1], count)
    return np.column_stack([np.interp(wanted, length, line[:, axis]) for axis in (0, 1)])


def manual_points(data: Path) -> dict[str, Points]:
    """Subject → points (68, 2) of the neutral photograph, of the file in folder `data`; empty when there is none.

    Raises UsageError when the file is not such a table.
    """
    path = data / FILE
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text("utf-8"))
        return {subject: ibug_points(np.array(template, dtype=np.float64)) for subject, template in table.items()}
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(f"{path} is no table of 189-point templates ({error}).", "Restore or remove it.") from error


def held_out(subjects: set[str]) -> set[str]:
    """The quarter of `subjects` that is never trained on: the same for the same set of names."""
    order = np.random.default_rng(HELD_OUT_SEED).permutation(len(subjects))
    names = sorted(subjects)
    return {names[index] for index in order[: round(HELD_OUT * len(names))].tolist()}
