"""Grading into ordered levels, and how well grades agree: risk as low, high, dangerous (after Zhao et al. 2019).

The source (J Med Syst 43:283, risk grading of skin tumours) is known here by its title only: an Xception network and
three levels. Which loss it took is not known; an ordinal head is our choice. No simulated face is dangerous: on
phantoms, levels are made of how many signs a face shows (`levels_by_signs`), which tests the method and no medicine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganonym.classify.explain.gradcam import Sight, through_embeddings
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.fit import Schedule, fit, inverse_weights, seeded
from ganonym.classify.learning.heads import OrdinalHead, coral_loss, level_probabilities
from ganonym.classify.look import by_photo
from ganonym.classify.look import embedded as embedding
from ganonym.classify.networks.light import (
    Factory,
    Light,
    Projection,
    embedded,
    features_of,
    learned,
    restored,
    state,
    tensor_shape,
    to_tensor,
    training,
)
from ganonym.classify.system import Configuration, Epochs, System, Width
from ganonym.errors import EnvironmentFault
from ganonym.statistics.intervals import Statistic
from ganonym.types import RGB, Floats, Points


@dataclass(frozen=True, slots=True)
class OrdinalGrading:
    """An `encoder` and an `OrdinalHead`: of embeddings (n, d), or crops (n, h, w, 3) uint8; classes are the levels.

    Levels weigh alike in the loss, however rare. Embeddings are brought to mean 0 and deviation 1 of what is learned
    from.
    """

    encoder: Factory = field(default_factory=Light)
    schedule: Schedule = field(default_factory=lambda: Schedule(60, 32, "adamw", 2e-3, decay=1e-2))

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedGrading:
        """Levels 0 … `count` − 1, of which some may not occur: their share of the scale then shrinks to nothing."""
        shape = tensor_shape(inputs)
        network = seeded(lambda: _Grader(self.encoder, shape, count), seed)
        assert isinstance(network, _Grader)
        if len(shape) == 1:
            seen = to_tensor(inputs).double()
            network.centre.copy_(seen.mean(dim=0))
            network.spread.copy_(seen.std(dim=0, unbiased=False).clamp(min=1e-6))
        levels = torch.from_numpy(classes.astype(np.int64))
        weights = torch.from_numpy(inverse_weights(classes, count)).float()

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG001
            return coral_loss(network(to_tensor(inputs[rows.numpy()])), levels[rows], weights[levels[rows]])

        with training(network, seed):
            fit(learned(network), loss_of, len(inputs), self.schedule, seed)
        return TrainedGrading(network, shape)

    def restore(self, arrays: Arrays, count: int) -> TrainedGrading:
        """Raises EnvironmentFault when `arrays` are not of this encoder and `count` levels."""
        if "shape" not in arrays:
            raise EnvironmentFault("these arrays grade nothing.", "Choose the method that wrote the file.")
        shape = tuple(int(side) for side in arrays["shape"])
        return TrainedGrading(restored(seeded(lambda: _Grader(self.encoder, shape, count), 0), arrays), shape)


class _Grader(nn.Module):
    centre: Tensor
    spread: Tensor

    def __init__(self, encoder: Factory, shape: tuple[int, ...], levels: int) -> None:
        super().__init__()
        self.encoder = encoder(shape)
        self.head = OrdinalHead(features_of(self.encoder, shape), levels)
        side = shape if len(shape) == 1 else (1,)
        self.register_buffer("centre", torch.zeros(side))
        self.register_buffer("spread", torch.ones(side))

    def forward(self, inputs: Tensor) -> Tensor:
        above: Tensor = self.head(self.encoder((inputs - self.centre) / self.spread))
        return above


@dataclass(frozen=True, slots=True)
class TrainedGrading:
    """`shape` is one input's, as the network takes it."""

    network: nn.Module
    shape: tuple[int, ...]

    def __call__(self, inputs: Inputs) -> Floats:
        """Probabilities (n, k) of levels. The likeliest level and the median (`median_level`) may differ."""
        return np.asarray(level_probabilities(embedded(self.network, inputs)).numpy())

    def logits(self, vectors: Tensor) -> Tensor:
        """Logarithms (n, k) of the probabilities of embeddings (n, d), differentiable."""
        above: Tensor = self.network(vectors.float())
        return level_probabilities(above.double()).clamp(min=1e-12).log()

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """Through the recognizer that makes the embeddings."""
        return through_embeddings(self.logits, foundation, rgb, points)

    @property
    def arrays(self) -> Arrays:
        return state(self.network) | {"shape": np.array(self.shape, np.int64)}


def median_level(probabilities: Floats) -> NDArray[np.intp]:
    """Levels (n,): how many thresholds are more likely passed than not (CORAL, eq. 1), the median of each row (n, k).

    >>> median_level(np.array([[0.4, 0.25, 0.35], [0.6, 0.1, 0.3]])).tolist()
    [1, 0]
    """
    above = probabilities[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    return np.asarray((above > 0.5).sum(axis=1), np.intp)


def quadratic_kappa(predicted: NDArray[np.intp], levels: NDArray[np.intp], count: int) -> Statistic:
    """Cohen's kappa with quadratic weights (Cohen 1968) of calls (n,) with true levels (n,), of `count` levels.

    −1, no call, is as far from every level as the lowest is from the highest. NaN where chance alone agrees fully.
    """
    steps = np.arange(count)
    weights = np.column_stack([((steps[:, None] - steps) / max(count - 1, 1)) ** 2, np.ones(count)])

    def statistic(photos: NDArray[np.intp]) -> float:
        truth = np.bincount(levels[photos], minlength=count) / len(photos)
        called = np.where(predicted[photos] < 0, count, predicted[photos])
        by_chance = float(truth @ weights @ (np.bincount(called, minlength=count + 1) / len(photos)))
        return 1 - float(weights[levels[photos], called].mean()) / by_chance if by_chance > 0 else float("nan")

    return statistic


@dataclass(frozen=True, slots=True)
class LevelRates:
    """Of one level against all others: share of its photos called so, share of the others not; NaN without any."""

    sensitivity: float
    specificity: float
    photos: int


def level_rates(predicted: NDArray[np.intp], levels: NDArray[np.intp], count: int) -> tuple[LevelRates, ...]:
    """Sensitivity and specificity of each level, from calls (n,) and true levels (n,); −1, no call, is never right.

    A photo that was not called counts against the sensitivity of its level, and against the specificity of no level.

    >>> [rate.sensitivity for rate in level_rates(np.array([0, 1, 1, -1]), np.array([0, 0, 1, 2]), 3)]
    [0.5, 1.0, 0.0]
    """
    rates = []
    for level in range(count):
        own, called = levels == level, predicted == level
        sensitivity = float(called[own].mean()) if own.any() else float("nan")
        specificity = float((~called[~own]).mean()) if (~own).any() else float("nan")
        rates.append(LevelRates(sensitivity, specificity, int(own.sum())))
    return tuple(rates)


def levels_by_signs(present: Sequence[Sequence[str]], starts: Sequence[int] = (1, 5)) -> NDArray[np.intp]:
    """Levels (n,) by the number of different signs shown: level i from `starts[i − 1]` signs on, level 0 below.

    >>> levels_by_signs([[], ["HP:0000316"], ["HP:0000316"] * 9, list("abcdef")]).tolist()
    [0, 1, 1, 2]
    """
    return np.asarray(np.digitize([len(set(signs)) for signs in present], list(starts)), np.intp)


class OrdinalConfiguration(Configuration):
    """A projection to `width` features under an ordinal head."""

    kind = "ordinal"
    width: Width
    epochs: Epochs

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        schedule = Schedule(self.epochs, 32, "adamw", 2e-3, decay=1e-2)
        return System(by_photo(embedding(foundation, device)), OrdinalGrading(Projection(self.width), schedule))
