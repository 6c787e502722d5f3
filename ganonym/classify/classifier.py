"""What every classifier offers, so that one harness can train, test, save and explain them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

Inputs: TypeAlias = NDArray[Any]
"""What a classifier sees, (n, ...), one entry a photo."""
Predictor: TypeAlias = Callable[[Inputs], Floats]
"""Inputs (n, ...) → probabilities (n, c)."""
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""What was learned, by name: what goes into a safetensors file."""


class Classifier(Protocol):
    """Learns classes 0 … `count` − 1 (n,) from inputs (n, ...); not every class need occur."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor: ...


class Trained(Protocol):
    """A predictor that can be written to a file."""

    def __call__(self, inputs: Inputs) -> Floats:
        """Inputs (n, ...) → probabilities (n, c), rows sum to 1. One photo's do not depend on the others'."""
        ...

    @property
    def arrays(self) -> Arrays:
        """All that was learned; `Published.restore` makes the same predictor of it, to the last bit."""
        ...


@runtime_checkable
class OnEmbeddings(Protocol):
    """What was trained on embeddings, as a function that can be differentiated: maps of the face can explain it."""

    def logits(self, vectors: Tensor) -> Tensor:
        """Embeddings (n, d) of unit length → scores (n, c), of which the higher speaks more for its class."""
        ...


class Published(Protocol):
    """A published system, as a frozen dataclass of its hyper-parameters: a `Classifier` whose result can be saved."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Trained:
        """As `Classifier`. Deterministic by `seed`; no global random state is touched."""
        ...

    def restore(self, arrays: Arrays, count: int) -> Trained:
        """Raises EnvironmentFault when `arrays` are not of this system."""
        ...


@runtime_checkable
class Choosy(Protocol):
    """A system that cannot learn whatever classes there are, so that a table alone may show that it will fail."""

    def check(self, classes: NDArray[np.intp], count: int) -> None:
        """Raises UsageError for photos of `classes` (n,), of `count`, that `learn` would refuse."""
        ...


def asked(trained: Predictor, inputs: Inputs) -> Floats:
    """What a trained classifier says of inputs (n, ...), (n, c). Raises UsageError when that is no probability."""
    chances = trained(inputs)
    if not np.isfinite(chances).all():
        raise UsageError("the classifier gives no numbers: its training diverged.", "Train it at a lower rate.")
    return chances
