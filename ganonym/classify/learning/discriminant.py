"""Linear discriminant analysis, the classifier that needs the fewest people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ganonym.classify.system import Arrays, Inputs, Trained
from ganonym.errors import EnvironmentFault
from ganonym.types import Floats
from ganonym.weights import read_tensors, verified_path


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
