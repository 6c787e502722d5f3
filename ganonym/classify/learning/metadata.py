"""What is known of a person beside the photographs, as columns of numbers: age, sex, ancestry, HPO terms.

What is missing has a column of its own, for unknown is neither 0 nor the commonest.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganonym.classify.case import Case
from ganonym.types import Floats

OLDEST = 100.0
FEWEST = 5
"""People of an ancestry that gets a column of its own: a rarer one would tell of them, and teach nothing."""
Items: TypeAlias = tuple[tuple[int, ...], ...]
"""Columns that say one thing each, the last of them that it is unknown."""
ITEMS: Items = ((0, 1), (2, 3, 4))
"""Age and sex in `Vocabulary(()).encode`."""


def known_of(cases: Sequence[Case]) -> Case:
    """The first case of a person, with age, sex and ancestry of the first of all that tells them."""

    def first(name: str) -> Any:
        return next((getattr(case, name) for case in cases if getattr(case, name) is not None), None)

    return replace(cases[0], age=first("age"), sex=first("sex"), ancestry=first("ancestry"))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Columns of metadata: age, sex, and HPO `terms` that have a column of their own."""

    terms: tuple[str, ...]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Vocabulary:
        """All terms that the cases name, sorted. Take training cases only.

        Beware of terms that were written down by who knew the diagnosis: they tell it, and the photos then do not
        matter. So do those of simulated people, which are the very signs that were drawn.
        """
        return cls(tuple(sorted({term for case in cases for term in (*case.present, *case.absent)})))

    @property
    def columns(self) -> tuple[str, ...]:
        """What each column of `encode` says."""
        terms = [f"{term} {what}" for term in self.terms for what in ("present", "not assessed")]
        return ("age", "age unknown", "female", "male", "sex unknown", *terms)

    def encode(self, cases: Sequence[Case]) -> Floats:
        """Metadata (n, m) in 0 … 1, m = len(columns). What is missing has a column of its own: unknown is not 0.

        Age is in centuries, at most 1. A term that is neither present nor absent was not assessed.
        """
        rows = np.zeros((len(cases), len(self.columns)))
        place = {name: number for number, name in enumerate(self.columns)}
        for row, case in zip(rows, cases, strict=True):
            if case.age is None:
                row[place["age unknown"]] = 1
            else:
                row[place["age"]] = min(max(case.age, 0.0) / OLDEST, 1.0)
            row[place[case.sex or "sex unknown"]] = 1
            for term in self.terms:
                row[place[f"{term} present"]] = term in case.present
                row[place[f"{term} not assessed"]] = term not in case.present and term not in case.absent
        return rows


def spelled(group: str) -> str:
    """One spelling of an ancestry: case, width of letters and blanks do not matter.

    >>> spelled(" East  Asian")
    'east asian'
    """
    return " ".join(unicodedata.normalize("NFKC", group).casefold().split())


def ancestries(stated: NDArray[np.str_]) -> tuple[str, ...]:
    """Of the ancestries (n,) as `spelled`, empty where unknown, those of `FEWEST` people or more, sorted."""
    names, number = np.unique(stated[stated != ""], return_counts=True)
    return tuple(str(name) for name in names[number >= FEWEST])


def with_ancestry(metadata: Floats, stated: NDArray[np.str_], groups: tuple[str, ...]) -> Floats:
    """Metadata (n, m), and beside it, where there are groups, (n, g + 2): one column a group, another, unknown.

    >>> with_ancestry(np.zeros((3, 0)), np.array(["asian", "", "inuit"]), ("african", "asian")).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]
    """
    if not groups:
        return metadata
    own = np.stack([stated == group for group in groups], axis=1)
    rest = np.stack([~own.any(axis=1) & (stated != ""), stated == ""], axis=1)
    return np.hstack([metadata, own, rest])


def partly_unknown(metadata: Tensor, items: Items, share: float, generator: torch.Generator) -> Tensor:
    """Metadata (n, m) in which each item is made unknown in a `share` of the rows, by draws of its own."""
    told = metadata.clone()
    for item in items:
        rows = (torch.rand(len(told), generator=generator) < share).nonzero()[:, 0]
        told[rows[:, None], torch.tensor(item)] = 0
        told[rows, item[-1]] = 1
    return told


def unknown(width: int, items: Items) -> Tensor:
    """Metadata (width,) of whom nothing is known.

    >>> unknown(5, ITEMS).tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0]
    """
    row = torch.zeros(width)
    row[[item[-1] for item in items]] = 1
    return row
