"""Nearest class means of centred embeddings: SimpleShot (Wang et al. 2019, arXiv 1911.04623). Nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ganonym.classify.explain.gradcam import Sight, through_embeddings
from ganonym.classify.fewshot.episodes import class_means, cosines
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.look import by_photo
from ganonym.classify.look import embedded as embedding
from ganonym.classify.system import Configuration, System
from ganonym.errors import EnvironmentFault
from ganonym.types import RGB, Floats, Points


def prototypes(embeddings: Floats, classes: NDArray[np.intp], count: int) -> Floats:
    """Mean embeddings (c, d) of classes (n,); rows of zeros for classes that do not occur."""
    vectors, labels = np.asarray(embeddings, np.float64), classes.astype(np.int64)
    return np.asarray(class_means(torch.from_numpy(vectors), torch.from_numpy(labels), count).numpy())


def centred_unit(embeddings: Floats, centre: Floats) -> Floats:
    """SimpleShot's "CL2N" (Wang et al. 2019, arXiv 1911.04623): less the mean of base classes (d,), to length 1.

    >>> centred_unit(np.array([[4.0, 5.0]]), np.array([1.0, 1.0])).tolist()
    [[0.6, 0.8]]
    """
    moved = np.asarray(embeddings, np.float64) - centre
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12))


@dataclass(frozen=True, slots=True)
class SimpleShot:
    """Softmax of `scale` times the cosine similarity to class means of centred embeddings of length 1 (`centred_unit`).

    `base` (d,) is the mean embedding of classes other than those to tell apart, as the paper centres; None: the mean
    of what is learned from, which in an episode of few shots says little. Deviation from Wang et al. 2019: they call
    the class of the nearest mean by Euclidean distance and give no probabilities; here means get length 1 too (equal
    for one shot) and `scale` is Meta-Baseline's 10.
    """

    base: Floats | None = field(default=None, compare=False)
    scale: float = 10.0

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> NearestMean:  # noqa: ARG002
        """Nothing is drawn, so `seed` plays no part. A class without photos gets probability 0."""
        centre = np.asarray(inputs, np.float64).mean(axis=0) if self.base is None else np.asarray(self.base, np.float64)
        means = prototypes(centred_unit(inputs, centre), classes, count)
        return NearestMean(means, _known(classes, count), centre, self.scale)

    def restore(self, arrays: Arrays, count: int) -> NearestMean:
        """Raises EnvironmentFault when `arrays` are not the means of `count` classes and a centre."""
        if set(arrays) != {"means", "known", "centre"} or arrays["means"].ndim != 2 or len(arrays["means"]) != count:
            raise EnvironmentFault(
                f"these are not the means of {count} classes.", "Choose the method that wrote the file."
            )
        means, centre = (np.asarray(arrays[name], np.float64) for name in ("means", "centre"))
        return NearestMean(means, np.asarray(arrays["known"], np.bool_), centre, self.scale)


@dataclass(frozen=True, slots=True)
class NearestMean:
    """`means` (c, d) of the classes `known` (c,), compared by cosine with an input less `centre` (d,)."""

    means: Floats
    known: NDArray[np.bool_]
    centre: Floats
    scale: float

    def __call__(self, inputs: Inputs) -> Floats:
        return softmax_of(self.scale * self.scores(inputs), self.known)

    def scores(self, inputs: Inputs) -> Floats:
        """Cosines (n, c) of inputs (n, d) with the means."""
        return np.asarray(
            cosines(torch.from_numpy(centred_unit(inputs, self.centre)), torch.from_numpy(self.means)).numpy()
        )

    def logits(self, vectors: Tensor) -> Tensor:
        """`scale` times the scores (n, c) of embeddings (n, d), differentiable."""
        moved = functional.normalize(vectors.double() - torch.from_numpy(self.centre), dim=1)
        return self.scale * cosines(moved, torch.from_numpy(self.means))

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """Through the recognizer that makes the embeddings."""
        return through_embeddings(self.logits, foundation, rgb, points)

    @property
    def arrays(self) -> Arrays:
        return {"means": self.means, "known": self.known, "centre": self.centre}


def softmax_of(scores: Floats, known: NDArray[np.bool_]) -> Floats:
    """Probabilities (n, c) by softmax over the classes `known` (c,); 0 for the others."""
    scores = np.where(known, scores, -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _known(classes: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    return np.bincount(classes, minlength=count) > 0


class PrototypesConfiguration(Configuration):
    """Nothing to set."""

    kind = "prototypes"

    @property
    def keeps_means(self) -> bool:
        return True

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        return System(by_photo(embedding(foundation, device)), SimpleShot())
