"""What learns from arrays and what it then says: the part of a classifier that knows nothing of photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import Floats

CPU = "cpu"
Inputs: TypeAlias = NDArray[Any]
"""What a classifier sees, (n, ...), one entry a photo."""
Predictor: TypeAlias = Callable[[Inputs], Floats]
"""Inputs (n, ...) → probabilities (n, c)."""
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""What was learned, by name: what goes into a safetensors file."""
Course: TypeAlias = Literal["constant", "cosine"]
"""How the rate of learning goes on."""


class Learner(Protocol):
    """Learns classes 0 … `count` − 1 (n,) from inputs (n, ...); not every class need occur."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor: ...


class Trained(Protocol):
    """A predictor that can be written to a file."""

    def __call__(self, inputs: Inputs) -> Floats:
        """Inputs (n, ...) → probabilities (n, c), rows sum to 1. One photo's do not depend on the others'."""
        ...

    @property
    def arrays(self) -> Arrays:
        """All that was learned; `Method.restore` makes the same predictor of it, to the last bit."""
        ...


class Method(Protocol):
    """A `Learner` whose result can be saved: a frozen dataclass of its hyper-parameters."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Trained:
        """As `Learner`. Deterministic by `seed`; no global random state is touched."""
        ...

    def restore(self, arrays: Arrays, count: int) -> Trained:
        """Raises EnvironmentFault when `arrays` are not of this system."""
        ...


def asked(trained: Predictor, inputs: Inputs) -> Floats:
    """What a trained classifier says of inputs (n, ...), (n, c). Raises UsageError when that is no probability."""
    chances = trained(inputs)
    if not np.isfinite(chances).all():
        raise UsageError("the classifier gives no numbers: its training diverged.", "Train it at a lower rate.")
    return chances


@dataclass(frozen=True, slots=True)
class Calls:
    """What a classifier says of n photos.

    `predicted` (n,) class, −1 where there was nothing to look at; `rank` (n,) place of the true class, 1 = first, one
    more than there are classes where there was nothing to look at or the class was not learned; `confidence` (n,)
    probability of the class called, NaN without a call.
    """

    predicted: NDArray[np.intp]
    rank: NDArray[np.intp]
    confidence: Floats

    def right(self, within: int = 1) -> NDArray[np.bool_]:
        """Whether the true class is among the first `within`, (n,)."""
        return self.rank <= within


def record(
    calls: Calls, photos: NDArray[np.intp], chances: Floats, truth: NDArray[np.intp], learned: NDArray[np.bool_]
) -> None:
    chances = np.where(learned, chances, -1.0)
    own = chances[np.arange(len(truth)), truth]
    best = chances.argmax(axis=1)
    # Of equal chances the first is called; the true class comes after all that are at least as likely and earlier.
    ahead = (chances > own[:, None]) | ((chances == own[:, None]) & (np.arange(chances.shape[1]) < truth[:, None]))
    calls.predicted[photos] = best
    calls.confidence[photos] = chances[np.arange(len(truth)), best]
    calls.rank[photos] = np.where(learned[truth], ahead.sum(axis=1) + 1, chances.shape[1] + 1)
