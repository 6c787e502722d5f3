"""A random forest as plain arrays: grown by scikit-learn, saved without its classes, asked without its code.

Neither pickle nor skops: pickle runs what is in a file, and a tree in a skops file holds indices into memory that
scikit-learn follows unchecked (so skops itself refuses to load one unless its maker is trusted). Here every index is
checked once, when the arrays are read, and files fit whatever version of scikit-learn there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.system import Arrays
from ganonym.types import Floats

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

NAMES = ("left", "right", "feature", "threshold", "value", "roots")


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees one after the other: of node i the children `left` and `right` (−1 in a leaf), `feature` and
    `threshold` (≤ goes left), and the share of each of k classes `value` (nodes, k). `roots` (trees,) are their firsts.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: Floats
    value: Floats
    roots: NDArray[np.int64]

    def __call__(self, features: Floats) -> Floats:
        """Mean over trees of the leaf that features (n, d) end in, (n, k). As single precision, like scikit-learn."""
        seen = features.astype(np.float32)
        photos = np.arange(len(seen))
        total = np.zeros((len(seen), self.value.shape[1]))
        for root in self.roots.tolist():
            node = np.full(len(seen), root)
            while (inner := self.left[node] >= 0).any():
                goes_left = seen[photos, np.maximum(self.feature[node], 0)] <= self.threshold[node]
                node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
            total += self.value[node]
        return total / len(self.roots)

    def fits(self, width: int, classes: int) -> bool:
        """Whether it can be asked of features (n, `width`) and answers for so many classes: every walk ends in a leaf.

        Children come after their parents, and no index leaves the arrays.
        """
        nodes, inner = len(self.left), self.left >= 0
        flat = (self.left, self.right, self.feature, self.threshold)
        if any(array.shape != (nodes,) for array in flat) or self.value.shape != (nodes, classes):
            return False
        if self.roots.ndim != 1 or not len(self.roots) or (self.roots < 0).any() or (self.roots >= nodes).any():
            return False
        for child in (self.left, self.right):
            if (child[inner] <= np.flatnonzero(inner)).any() or (child[inner] >= nodes).any():
                return False
        return not ((self.feature[inner] < 0).any() or (self.feature[inner] >= width).any())

    @property
    def arrays(self) -> Arrays:
        return {name: getattr(self, name) for name in NAMES}


def grown(model: RandomForestClassifier) -> Forest:
    """The trees of a fitted scikit-learn forest."""
    trees = [tree.tree_ for tree in model.estimators_]
    starts = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
    shift = np.repeat(starts[:-1], [tree.node_count for tree in trees])

    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(tree, name) for tree in trees])

    left, right = (joined(name).astype(np.int64) for name in ("children_left", "children_right"))
    value = joined("value")[:, 0, :]
    return Forest(
        np.where(left >= 0, left + shift, -1),
        np.where(right >= 0, right + shift, -1),
        joined("feature").astype(np.int64),
        joined("threshold"),
        np.ascontiguousarray(value / value.sum(axis=1, keepdims=True)),
        starts[:-1].astype(np.int64),
    )
