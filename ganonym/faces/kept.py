"""What a release keeps of a face: linear axes of its coordinates, and the public population they are measured in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Floats, Sex
from ganonym.weights import read_tensors, verified_path

WEIGHTS: Mapping[str, float] = {"signs": 1.0, "tone": 2.5, "age": 2.0, "sex": 2.2, "expression": 1.4}
"""How much each kind of axis counts when groups are formed, in SD of the population.

Chosen on the photographs of synthetic people in `data/`, k = 20: `benchmarks/kept_weights.py`.
"""

YOUTH = 5.0
"""Years added before the logarithm: a child's face changes in a year as much as an adult's in ten."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptSpace:
    """What a release keeps of rows x (D,), see `ganonym.faces.coordinates`.

    `names` (d) "sign 1" … "tone", "age", "sex", "expression 1" …; kept coordinates are (x - mean) @ axes.T, of SD 1 in
    the population; `axes` (d, D); `weights` (d,) > 0 for grouping; `mean` (D,) and `covariance` (D, D) of the public
    population, whose first `lasting` coordinates are identity and texture, the others expression. `scales` has mean and
    SD of ITA, of log(age + 5) and of sex (1 female), by which given values become coordinates. What is not kept has no
    axis.
    """

    names: tuple[str, ...]
    axes: Floats
    weights: Floats
    mean: Floats
    covariance: Floats
    scales: Mapping[str, tuple[float, float]]
    lasting: int = 0

    def coordinates(self, rows: Floats) -> Floats:
        """Kept coordinates (n, d) of rows (n, D), in SD of the population."""
        return np.asarray((rows - self.mean) @ self.axes.T)

    def given(self, name: str, coordinates: Floats) -> Floats:
        """Kept coordinates (n,) of "tone", "age" or "sex" as ITA in degrees, years, or 1 for female and 0 for male."""
        middle, spread = self.scales[name]
        value = middle + spread * coordinates
        return np.asarray(np.exp(value) - YOUTH if name == "age" else value)

    @property
    def pull(self) -> Floats:
        """(D, d): how a row moves, by the population's regression, when a kept coordinate moves by one."""
        moved = self.covariance @ self.axes.T
        return np.asarray(moved @ np.linalg.pinv(self.axes @ moved))

    def without(self, kind: str) -> KeptSpace:
        """The space without the axes of a kind: "expression" where it is left to a budget."""
        left = [place for place, name in enumerate(self.names) if name.split()[0] != kind]
        names = tuple(self.names[place] for place in left)
        return replace(self, names=names, axes=self.axes[left], weights=self.weights[left])


def kept_space(
    keep: Sequence[str] = tuple(WEIGHTS), weights: Mapping[str, float] = WEIGHTS, path: Path | None = None
) -> KeptSpace:
    """The bundled axes of the kinds in `keep`, verified; or those of the safetensors file at `path`.

    Raises EnvironmentFault.

    >>> kept_space(("tone", "age")).names
    ('tone', 'age')
    """
    return _chosen(tuple(keep), tuple(sorted(weights.items())), path or verified_path("kept"))


@lru_cache(maxsize=16)
def _chosen(keep: tuple[str, ...], weighted: tuple[tuple[str, float], ...], path: Path) -> KeptSpace:
    space, weights = _load(path), dict(weighted)
    kinds = ["signs" if name.startswith("sign ") else name.split()[0] for name in space.names]
    left = [place for place, kind in enumerate(kinds) if kind in keep]
    return replace(
        space,
        names=tuple(space.names[place] for place in left),
        axes=space.axes[left],
        weights=np.array([weights[kinds[place]] for place in left]),
    )


def where(row: Floats) -> dict[str, float]:
    """Where a face with coordinates `row` (D,) lies: ITA in degrees, age and sex as they are read, the rest in SD.

    Sex is 1 for female, 0 for male. Readings of a picture, for a steward to see what a release would keep: no facts
    about a person.

    >>> round(where(kept_space().mean)["sign 1"], 6)
    0.0
    """
    space = kept_space()
    places = dict(zip(space.names, space.coordinates(row[None])[0].tolist(), strict=True))
    units = {"tone": "tone, ITA in degrees", "age": "age as read, years", "sex": "sex as read, 1 female"}
    return {
        units.get(name, name): float(space.given(name, np.array([place]))[0]) if name in units else place
        for name, place in places.items()
    }


def with_given(row: Floats, space: KeptSpace, age: float | None, sex: Sex | None) -> Floats:
    """`row` (D,) moved as the population goes so that its age and sex are the given ones, where these are kept.

    `age` in years, 0…130. What a steward knows is surer than what a face shows. Raises UsageError on another value.
    """
    if sex not in (None, "female", "male"):
        raise UsageError(f"sex {sex!r} in the manifest.", "Use female, male or leave the cell empty.")
    if age is not None and not 0 <= age <= 130:
        raise UsageError(f"age {age} in the manifest is not in 0 … 130 years.")
    values = {
        "age": None if age is None else float(np.log(age + YOUTH)),
        "sex": None if sex is None else float(sex == "female"),
    }
    given = {name: value for name, value in values.items() if value is not None and name in space.names}
    if not given:
        return row
    axes = space.axes[[space.names.index(name) for name in given]]
    wanted = np.array([(value - space.scales[name][0]) / space.scales[name][1] for name, value in given.items()])
    # Both at once: age and sex are read from the same coordinates, so that moving one moves the other.
    along = space.covariance @ axes.T @ np.linalg.inv(axes @ space.covariance @ axes.T)
    return np.asarray(row + along @ (wanted - axes @ (row - space.mean)))


@cache
def _load(path: Path) -> KeptSpace:
    arrays, metadata = read_tensors(path)
    if metadata.get("kind") != "kept":
        raise EnvironmentFault(f"{path} holds no kept axes.", "Fit them: ganonym train kept")
    double = {name: array.astype(np.float64) for name, array in arrays.items()}
    scales = {
        name: (float(mean), float(sd))
        for name, (mean, sd) in zip(("tone", "age", "sex"), double["scales"], strict=True)
    }
    names = tuple(metadata["names"].split(","))
    return KeptSpace(
        names, double["axes"], np.ones(len(names)), double["mean"], double["covariance"], scales,
        int(metadata["lasting"]),
    )  # fmt: skip
