"""Learning an encoder for few-shot use: Classifier-Baseline, then Meta-Baseline (Chen et al., ICCV 2021).

Sümer et al. 2022 (arXiv 2210.12705) follow this course for rare syndromes: an encoder of healthy people's faces, cross-
entropy on frequent syndromes, episodes. Figures of the published recipe are those of the authors' configuration for
miniImageNet. Deviations: no augmentation; cosine course in place of one step at epoch 90 in the first stage; an
encoder of any kind (by default a linear projection of cached embeddings) in place of ResNet-12; episodes by subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.explain.gradcam import Sight, through_embeddings
from ganonym.classify.fewshot.episodes import (
    EpisodeScore,
    Pool,
    Shape,
    class_means,
    cosine_to_means,
    cosines,
    draw,
    pool,
)
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.fit import Schedule, fit, seeded
from ganonym.classify.look import by_photo
from ganonym.classify.look import embedded as embedding
from ganonym.classify.networks.light import (
    Factory,
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
from ganonym.classify.systems.prototypes import softmax_of
from ganonym.errors import EnvironmentFault
from ganonym.types import RGB, Floats, Points

TEMPERATURE = 10.0


@dataclass(frozen=True, slots=True)
class ClassifierBaseline:
    """Cross-entropy on the classes learned from; then the last layer is dropped and the nearest class mean called.

    `encoder` makes a network for inputs of a shape: of embeddings (n, d), or of crops (n, h, w, 3) uint8.
    """

    encoder: Factory = field(default_factory=Projection)
    schedule: Schedule = field(default_factory=lambda: Schedule(100, 128, "sgd", 0.1, decay=5e-4))

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> MetricClassifier:
        """The probabilities of a class without photos are 0."""
        shape = tensor_shape(inputs)
        network = seeded(lambda: self.encoder(shape), seed)
        width = features_of(network, shape)
        head = seeded(lambda: nn.Linear(width, count), seed + 1)
        labels = torch.from_numpy(classes.astype(np.int64))

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG001
            return functional.cross_entropy(head(network(to_tensor(inputs[rows.numpy()]))), labels[rows])

        with training(network, seed):
            fit([*learned(network), *head.parameters()], loss_of, len(inputs), self.schedule, seed)
        return classifier_on(network, TEMPERATURE, inputs, classes, count)

    def restore(self, arrays: Arrays, count: int) -> MetricClassifier:
        return _restored(self.encoder, arrays, count)


@dataclass(frozen=True, slots=True)
class MetaBaseline:
    """`baseline`, then `steps` of `tasks` episodes each: cosine to class means, times a temperature learned from 10.

    `course` says how the steps are taken (its batch is `tasks`, its epochs 1). Episodes of the paper are 5-way, 1-shot
    with 15 queries; with as few people as rare disorders have, ask for fewer queries.
    """

    baseline: ClassifierBaseline = field(default_factory=ClassifierBaseline)
    shape: Shape = field(default_factory=lambda: Shape(5, 1, 15))
    steps: int = 4000
    tasks: int = 4
    course: Schedule = field(default_factory=lambda: Schedule(1, 4, "sgd", 1e-3, decay=5e-4, course="constant"))

    def learn(
        self,
        inputs: Inputs,
        classes: NDArray[np.intp],
        count: int,
        seed: int,
        subjects: Sequence[str] | None = None,
    ) -> MetricClassifier:
        """`subjects` (n) keep support and query apart; without them every photo counts as a person of its own.

        Classes of too few subjects are in no episode, but have a mean. Raises UsageError when fewer than `shape.ways`
        classes have enough.
        """
        drawn_from = pool(
            classes, _alone(classes) if subjects is None else subjects, self.shape
        )  # before the long work
        first = self.baseline.learn(inputs, classes, count, seed)
        temperature = nn.Parameter(torch.tensor(TEMPERATURE))
        lessons = Lessons(drawn_from, cosine_to_means, self.steps, self.tasks, self.course)
        episodes_on(first.network, inputs, lessons, seed, temperature)
        return classifier_on(first.network, float(temperature.detach()), inputs, classes, count)

    def restore(self, arrays: Arrays, count: int) -> MetricClassifier:
        return _restored(self.baseline.encoder, arrays, count)


def _alone(classes: NDArray[np.intp]) -> list[str]:
    """Every photo as a person of its own."""
    return [f"{row:09d}" for row in range(len(classes))]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Episodes to train by: in each of `steps` the mean loss of `tasks` episodes of `pool`, scored by `score`.

    `course`: how the steps are taken; its own batch and epochs play no part.
    """

    pool: Pool
    score: EpisodeScore
    steps: int
    tasks: int
    course: Schedule


def episodes_on(
    network: nn.Module, inputs: Inputs, lessons: Lessons, seed: int, temperature: Tensor | None = None
) -> None:
    """Train `network` in place by episodes of inputs (n, ...): cross-entropy of the queries.

    With the score `prototypical` a prototypical network, with `matching` a matching network, with `cosine_to_means` and
    a `temperature` to be learned Meta-Baseline. Deterministic by `seed`.
    """
    course = lessons.course
    rng = np.random.default_rng(seed % 2**63)
    scale = torch.tensor(1.0) if temperature is None else temperature

    def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG001
        losses = []
        for _ in rows:
            one = draw(lessons.pool, rng)
            features = network(to_tensor(inputs[np.concatenate([one.support, one.query])]))
            support, query = features[: len(one.support)], features[len(one.support) :]
            ways, truth = torch.from_numpy(one.support_ways), torch.from_numpy(one.query_ways)
            losses.append(
                functional.cross_entropy(scale * lessons.score(support, ways, query, len(one.classes)), truth)
            )
        return torch.stack(losses).mean()

    parameters = [*learned(network), *([] if temperature is None else [temperature])]
    plan = Schedule(
        1, lessons.tasks, course.optimizer, course.rate, course.momentum, course.decay, course.clip, course.course
    )
    with training(network, seed):
        fit(parameters, loss_of, lessons.steps * lessons.tasks, plan, seed)


@dataclass(frozen=True, slots=True)
class MetricClassifier:
    """Softmax of `temperature` times the cosine similarity to class `means` (c, features) of what `network` makes.

    `shape` is one input's, as the network takes it; `known` (c,) classes have photos.
    """

    network: nn.Module
    shape: tuple[int, ...]
    means: Floats
    known: NDArray[np.bool_]
    temperature: float

    def __call__(self, inputs: Inputs) -> Floats:
        scores = cosines(embedded(self.network, inputs), torch.from_numpy(self.means)).numpy()
        return softmax_of(self.temperature * scores, self.known)

    def logits(self, vectors: Tensor) -> Tensor:
        """Scores (n, c) of embeddings (n, d), differentiable."""
        features: Tensor = self.network(vectors.float())
        return self.temperature * cosines(features.double(), torch.from_numpy(self.means))

    def embed(self, inputs: Inputs) -> Floats:
        """Features (n, features) of inputs (n, ...), of classes never trained on too."""
        return np.asarray(embedded(self.network, inputs).numpy())

    def taught(self, inputs: Inputs, classes: NDArray[np.intp], count: int) -> MetricClassifier:
        """The same encoder for other classes, of which a few photos are enough: nothing is trained."""
        return classifier_on(self.network, self.temperature, inputs, classes, count)

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """Through the recognizer that makes the embeddings."""
        return through_embeddings(self.logits, foundation, rgb, points)

    @property
    def arrays(self) -> Arrays:
        return state(self.network) | {
            "shape": np.array(self.shape, np.int64),
            "means": self.means,
            "known": self.known,
            "temperature": np.array([self.temperature]),
        }


def classifier_on(
    network: nn.Module, temperature: float, inputs: Inputs, classes: NDArray[np.intp], count: int
) -> MetricClassifier:
    """The classifier that `network` and the mean features of `classes` (n,) are, without training."""
    means = class_means(embedded(network, inputs), torch.from_numpy(classes.astype(np.int64)), count).numpy()
    known = np.bincount(classes, minlength=count) > 0
    return MetricClassifier(network, tensor_shape(inputs), np.asarray(means), known, temperature)


def _restored(encoder: Factory, arrays: Arrays, count: int) -> MetricClassifier:
    """Raises EnvironmentFault when `arrays` are not of this encoder and number of classes."""
    if not {"shape", "means", "known", "temperature"} <= set(arrays) or len(arrays["means"]) != count:
        raise EnvironmentFault(f"these are not the means of {count} classes.", "Choose the method that wrote the file.")
    shape = tuple(int(side) for side in arrays["shape"])
    network = restored(seeded(lambda: encoder(shape), 0), arrays)
    means, known = np.asarray(arrays["means"], np.float64), np.asarray(arrays["known"], np.bool_)
    return MetricClassifier(network, shape, means, known, float(arrays["temperature"][0]))


class MetaBaselineConfiguration(Configuration):
    """A projection to `width`, `epochs` on all classes, then `steps` of episodes."""

    kind = "meta-baseline"
    width: Width
    epochs: Epochs
    ways: Annotated[int, Field(ge=2, le=1000)]
    shots: Annotated[int, Field(ge=1, le=1000)]
    queries: Annotated[int, Field(ge=1, le=1000)]
    steps: Annotated[int, Field(ge=1, le=1_000_000)]

    @property
    def keeps_means(self) -> bool:
        return True

    @property
    def shape(self) -> Shape:
        """Of an episode."""
        return Shape(self.ways, self.shots, self.queries)

    def check(self, classes: NDArray[np.intp], count: int) -> None:  # noqa: ARG002
        """Raises UsageError when fewer than `ways` classes have photos enough for an episode."""
        pool(classes, _alone(classes), self.shape)

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        baseline = ClassifierBaseline(Projection(self.width), Schedule(self.epochs, 128, "sgd", 0.1, decay=5e-4))
        return System(by_photo(embedding(foundation, device)), MetaBaseline(baseline, self.shape, self.steps))
