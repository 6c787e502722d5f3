"""Names beside the points of a figure: near their own point, off all other points and names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

_LINE, _LETTER = 13.0, 5.7
_STEPS = ((8, 0), (7, 9), (7, -9), (9, 20), (9, -20), (10, 32), (10, -32), (12, 45), (12, -45), (14, 59), (14, -59))
_CLEAR = 6.0


def beside(
    points: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float
) -> list[tuple[float, float]]:
    """Offsets (x, y) of each name from its point, all in units of the figure; x < 0: it ends there, else it begins.

    `points` lie in an area of `width` x `height`, y upwards. Where no place is free the name stays right of its point.

    >>> beside([(10, 50), (11, 50)], ["a", "b"], 100, 100)
    [(8, 0), (9, 20)]
    """
    taken = [(x - _CLEAR, y - _CLEAR, x + _CLEAR, y + _CLEAR) for x, y in points]
    chosen: dict[int, tuple[float, float]] = {}
    for index in sorted(range(len(points)), key=lambda each: -points[each][1]):
        x, y = points[index]
        wide = _LETTER * len(names[index])
        chosen[index] = (8, 0)
        for (dx, dy), side in product(_STEPS, (1, -1)):
            left = x + dx if side > 0 else x - dx - wide
            box = (left, y + dy - _LINE / 2, left + wide, y + dy + _LINE / 2)
            inside = left >= 0 and left + wide <= width and box[1] >= 0 and box[3] <= height
            own = taken[index]
            if inside and not any(_overlap(box, other) for other in taken if other != own):
                chosen[index] = (side * dx, dy)
                taken.append(box)
                break
    return [chosen[index] for index in range(len(points))]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
