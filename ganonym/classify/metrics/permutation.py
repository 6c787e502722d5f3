"""Could the macro recall have come about by chance? Classes are permuted among subjects, not photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.statistics.intervals import ROUNDS


@dataclass(frozen=True, slots=True)
class Permuted:
    """Macro recall `value`, its mean `chance` under permutation, and the p-value that it is no better than chance."""

    value: float
    chance: float
    p: float
    rounds: int


def permutation_test(
    predicted: NDArray[np.intp],
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> Permuted:
    """One-sided: in how many of `rounds` permutations is the macro recall of `predicted` (n,) as high as it is?

    All photos of a subject keep a common class; permuting photos would call recognition of people a finding. p counts
    the given order among the permutations (Phipson and Smyth 2010), so it is never 0. −1 in `predicted` is no call and
    never right. The calls are held fixed: they must be of people that were not trained on. Raises ValueError for a
    subject of two classes or without photos.
    """
    names, owner = np.unique(np.array(subjects), return_inverse=True)
    if not len(names):
        raise ValueError("there is nobody to permute")
    label = np.zeros(len(names), np.intp)
    label[owner] = classes
    if (label[owner] != classes).any():
        wrong = names[owner[np.flatnonzero(label[owner] != classes)[0]]]
        raise ValueError(f"subject {wrong!r} has photos of two classes: they cannot be permuted together")
    count = int(max(classes.max(), predicted.max())) + 1
    calls = np.zeros((len(names), count))
    np.add.at(calls, (owner[predicted >= 0], predicted[predicted >= 0]), 1)
    photos = np.bincount(owner).astype(float)

    def recall(of: NDArray[np.intp]) -> float:
        total = np.bincount(of, weights=photos, minlength=count)
        hits = np.bincount(of, weights=calls[np.arange(len(of)), of], minlength=count)
        return float((hits[total > 0] / total[total > 0]).mean())

    value = recall(label)
    drawn = np.array([recall(rng.permutation(label)) for _ in range(rounds)])
    as_high = int((drawn >= value - 1e-12).sum())
    return Permuted(value, float(drawn.mean()) if rounds else value, (1 + as_high) / (1 + rounds), rounds)
