"""Classifiers of rows of numbers, kept as plain arrays: linear discriminant analysis and a random forest.

The discriminant needs the fewest people. Both are fitted by scikit-learn, but saved without its classes and asked
without its code. Neither pickle nor skops: pickle runs what is in a file, and a tree in a skops file holds indices into
memory that scikit-learn follows unchecked (so skops itself refuses to load one unless its maker is trusted). Here every
index of a tree is checked once, when the arrays are read, and files fit whatever version of scikit-learn there is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ganonym.classify.learner import Arrays, Inputs, Trained
from ganonym.errors import EnvironmentFault
from ganonym.types import Floats
from ganonym.weights import read_tensors, verified_path

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier


@dataclass(frozen=True, slots=True)
class Discriminant:
    """Linear discriminant analysis with a covariance shrunk by Ledoit and Wolf (2004).

    All classes are equally likely a priori, as macro rates want it, or else (`alike` False) as likely as in training.
    """

    alike: bool = True

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedDiscriminant:  # noqa: ARG002
        """Of inputs (n, d); nothing is drawn, so `seed` plays no part."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        present = np.unique(classes)
        priors = np.full(len(present), 1 / len(present)) if self.alike else None
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        model.fit(inputs, classes)
        weights, bias = model.coef_, model.intercept_
        if len(weights) == 1:  # of two classes scikit-learn keeps the second's score over the first's
            weights, bias = np.vstack([np.zeros_like(weights), weights]), np.concatenate([[0.0], bias])
        return TrainedDiscriminant(weights.copy(), bias.copy(), present.astype(np.int64), count)

    def restore(self, arrays: Arrays, count: int) -> TrainedDiscriminant:
        """Raises EnvironmentFault when `arrays` are of another system or of other classes."""
        shapes = {name: array.shape for name, array in arrays.items()}
        number, width = shapes.get("weights", (0, 0)) if len(shapes.get("weights", ())) == 2 else (0, 0)
        if shapes != {"weights": (number, width), "bias": (number,), "known": (number,)} or not number:
            raise EnvironmentFault(f"{shapes} are no linear discriminant.", "Train it anew.")
        known = np.asarray(arrays["known"], np.int64)
        if not (np.diff(known) > 0).all() or known[0] < 0 or known[-1] >= count:
            raise EnvironmentFault(f"these are not discriminants of {count} classes.", "Train them anew.")
        return TrainedDiscriminant(
            np.asarray(arrays["weights"], np.float64), np.asarray(arrays["bias"], np.float64), known, count
        )


@dataclass(frozen=True, slots=True, eq=False)
class TrainedDiscriminant:
    """`weights` (k, d) and `bias` (k,) of the `known` (k,) of `count` classes."""

    weights: Floats
    bias: Floats
    known: NDArray[np.int64]
    count: int

    def __call__(self, inputs: Inputs) -> Floats:
        """Inputs (n, d) → probabilities (n, count); 0 of classes that were not learned."""
        from scipy.special import softmax

        chances = np.zeros((len(inputs), self.count))
        # Row by row: a matrix product may round a row differently in other company.
        scores = [(self.weights * row).sum(axis=1) + self.bias for row in np.asarray(inputs, np.float64)]
        if scores:
            chances[:, self.known] = softmax(np.stack(scores), axis=1)
        return chances

    @property
    def arrays(self) -> Arrays:
        return {"weights": self.weights, "bias": self.bias, "known": self.known}


WEIGHTS_NAME = "reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """`names` of simulated syndromes, in the order of the probabilities (n, c) of `trained`."""

    names: tuple[str, ...]
    trained: Trained


def load_reference(path: Path | None = None) -> Reference:
    """The bundled one, verified, or the weights at `path`. Raises EnvironmentFault."""
    file = path or verified_path(WEIGHTS_NAME)
    arrays, metadata = read_tensors(file)
    try:
        names = tuple(str(name) for name in json.loads(metadata["names"]))
    except (KeyError, ValueError, TypeError) as error:
        raise EnvironmentFault(f"{file} does not say which classes it knows.", "Train it anew.") from error
    return Reference(names, Discriminant().restore(arrays, len(names)))


def save_reference(path: Path, names: Sequence[str], trained: Trained) -> None:
    """Write a safetensors file with `names` in its metadata; the same input gives the same bytes."""
    arrays = {name: np.asarray(array, order="C") for name, array in trained.arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(arrays, {"names": json.dumps(list(names))}))  # of two entries the order would vary


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
