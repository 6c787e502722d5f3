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
from ganonym.classify.learner import Inputs
from ganonym.errors import UsageError
from ganonym.types import Floats

OLDEST = 100.0
FEWEST = 5
"""People of an ancestry that gets a column of its own: a rarer one would tell of them, and teach nothing."""
PHOTOS = 6
"""Of a case, at most."""
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
    hidden = metadata.clone()
    for item in items:
        rows = (torch.rand(len(hidden), generator=generator) < share).nonzero()[:, 0]
        hidden[rows[:, None], torch.tensor(item)] = 0
        hidden[rows, item[-1]] = 1
    return hidden


def unknown(width: int, items: Items) -> Tensor:
    """Metadata (width,) of whom nothing is known.

    >>> unknown(5, ITEMS).tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0]
    """
    row = torch.zeros(width)
    row[[item[-1] for item in items]] = 1
    return row


def pack(
    photos: Sequence[NDArray[np.generic]], metadata: Floats, ancestry: Sequence[str | None] | None = None
) -> Inputs:
    """Cases as one array (n,), to be indexed by case as the inputs of any classifier are.

    `photos[i]` (1 … 6, ...) are the embeddings or crops of case i, `metadata` (n, m) finite, `ancestry[i]` the group as
    the table states it, None where it does not. Fields: `photos` (6, ...), zeros where there is none; `shown` (6,) says
    which there are; `metadata` (m,); `ancestry`, a text, empty where unknown. Raises UsageError for a case with no or
    more than six photos, photos of different shapes, or metadata that do not fit.

    >>> cases = pack([np.ones((2, 4)), np.ones((1, 4))], np.zeros((2, 3)))
    >>> cases["photos"].shape, cases["shown"].sum(axis=1).tolist()
    ((2, 6, 4), [2, 1])
    """
    if len(metadata) != len(photos) or np.ndim(metadata) != 2 or not np.isfinite(metadata).all():
        raise UsageError(f"metadata of shape {np.shape(metadata)} are not finite rows of {len(photos)} cases.")
    for number, own in enumerate(photos):
        if not 1 <= len(own) <= PHOTOS:
            raise UsageError(f"case {number} has {len(own)} photos; it needs 1 to {PHOTOS}.")
        if own.shape[1:] != photos[0].shape[1:] or own.dtype != photos[0].dtype:
            raise UsageError(f"photos of case {number} are {own.dtype} {own.shape[1:]}, those of case 0 are not.")
    if ancestry is not None and len(ancestry) != len(photos):
        raise UsageError(f"there are {len(ancestry)} ancestries of {len(photos)} cases.")
    one = photos[0] if photos else np.zeros((1, 0), np.float32)
    groups = [spelled(group or "") for group in (ancestry or [None] * len(photos))]
    packed = np.zeros(
        len(photos),
        [
            ("photos", one.dtype, (PHOTOS, *one.shape[1:])),
            ("shown", np.bool_, (PHOTOS,)),
            ("metadata", np.float32, (np.shape(metadata)[1],)),
            ("ancestry", np.str_, max([1, *map(len, groups)])),
        ],
    )
    packed["metadata"], packed["ancestry"] = metadata, groups
    for number, own in enumerate(photos):
        packed["photos"][number, : len(own)] = own
        packed["shown"][number, : len(own)] = True
    return packed
