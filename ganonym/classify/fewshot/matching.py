"""Matching networks: every remembered photo votes for its class, as strongly as it resembles the new one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ganonym.classify.classifier import Arrays, Inputs
from ganonym.classify.fewshot.scores import attention
from ganonym.errors import EnvironmentFault
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class MatchingNetwork:
    """Attention over a support set of embeddings (n, d) (Vinyals et al. 2016, arXiv 1606.04080, section 2.1).

    Deviation: no full-context embeddings (the paper's LSTMs over the support set); each photo is embedded by itself.
    `sharpness` 1 is the paper's. Cosines lie in −1 … 1, so a remembered photo outweighs another by e² at most: with
    support sets of unequal classes the larger wins, unless `sharpness` is higher (Meta-Baseline's scale is 10).

    What is saved is an embedding of every photo learned from: such a file is about patients, as the photos are.
    """

    sharpness: float = 1.0

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Memory:  # noqa: ARG002
        """Nothing is drawn, so `seed` plays no part. A class without photos gets probability 0."""
        return Memory(np.asarray(inputs, np.float64), classes.astype(np.int64), count, self.sharpness)

    def restore(self, arrays: Arrays, count: int) -> Memory:
        """Raises EnvironmentFault when `arrays` are not a support set of `count` classes."""
        support, classes = arrays.get("support"), arrays.get("classes")
        if len(arrays) != 2 or support is None or classes is None or len(support) != len(classes):
            raise EnvironmentFault("these arrays are no support set.", "Choose the method that wrote the file.")
        if not len(classes) or classes.min() < 0 or classes.max() >= count:
            raise EnvironmentFault(f"the support set is not of {count} classes.", "Restore the file, or learn anew.")
        return Memory(np.asarray(support, np.float64), np.asarray(classes, np.int64), count, self.sharpness)


@dataclass(frozen=True, slots=True)
class Memory:
    """The support set: embeddings (n, d) and their classes (n,)."""

    support: Floats
    classes: NDArray[np.int64]
    count: int
    sharpness: float

    def __call__(self, inputs: Inputs) -> Floats:
        support, query = torch.from_numpy(self.support), torch.from_numpy(np.asarray(inputs, np.float64))
        shares = attention(support, torch.from_numpy(self.classes), query, self.count, self.sharpness)
        return np.asarray(shares.numpy())

    @property
    def arrays(self) -> Arrays:
        return {"support": self.support, "classes": self.classes}
