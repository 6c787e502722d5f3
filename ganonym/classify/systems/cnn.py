"""Comparison of convolutional networks on face crops, with classes weighted by how rare they are (Wu Z. et al. 2019).

Wu et al. (Studies on different CNN algorithms for face skin disease classification, IEEE Access 7, 2019) train five
networks on photographs of six diseases, n / (c · n_c) as the weight of a class with n_c of n photos, and report recall
and precision of every class and their means. One network is one `ConvolutionalNetwork`; whoever compares them learns
one after the other on the same folds.

Deviations: crops are mirrored at random and the schedule is ours (the abstract gives neither); six networks are
offered, Inception-v4 of Liu et al. 2020 among them; `narrow` networks are no one's but ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.crops import ArcFaceCrop, arcface_matrix
from ganonym.classify.explain.gradcam import Sight
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.fit import Schedule, fit, home, inverse_weights, seeded
from ganonym.classify.look import by_photo, pictured
from ganonym.classify.networks.zoo import (
    Architecture,
    Pretrained,
    adopt,
    fill,
    last_maps,
    look,
    network,
    prepared,
    skeleton,
)
from ganonym.classify.system import Configuration, Epochs, Rate, System, whole
from ganonym.errors import UsageError
from ganonym.types import RGB, Floats, Points

AT_ONCE = 16
SCHEDULE = Schedule(epochs=30, batch=32, optimizer="adam", rate=1e-4, decay=1e-4)


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """Crops (n, h, w, 3) uint8 → probabilities (n, c). `network` is in evaluation mode, for Grad-CAM too."""

    network: nn.Module
    architecture: Architecture
    side: int

    def pictures(self, inputs: Inputs) -> Tensor:
        """Crops (n, h, w, 3) uint8 as `network` sees them, where it is: float32 (n, 3, side, side)."""
        return prepared(inputs, self.side, look(self.architecture)).to(home(self.network))

    def __call__(self, inputs: Inputs) -> Floats:
        with torch.inference_mode():
            parts = [
                self.network(self.pictures(inputs[start : start + AT_ONCE])).double().softmax(dim=1)
                for start in range(0, len(inputs), AT_ONCE)
            ]
        return np.asarray(torch.cat(parts).numpy(force=True)) if parts else np.zeros((0, self._classes))

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:  # noqa: ARG002
        """The layer that is pooled."""
        picture = self.pictures(ArcFaceCrop(self.side)(rgb, points)[None])
        matrix = arcface_matrix(points, self.side)
        return Sight(self.network, last_maps(self.network), picture, matrix, self.side)

    @property
    def _classes(self) -> int:
        return int(self.network.num_classes)  # type: ignore[arg-type]

    @property
    def arrays(self) -> Arrays:
        return {name: tensor.numpy(force=True).copy() for name, tensor in self.network.state_dict().items()}


@dataclass(frozen=True, slots=True)
class ConvolutionalNetwork:
    """One network of the comparison, on RGB crops (n, h, w, 3) uint8, best cut at `input_side`.

    `side` None is what the network was published with (224 or 299 px); crops of another side are resized. `weighted`
    False drops the class weights, to see what they are good for. `start`: weights of the user's instead of random ones,
    except in the head. `narrowing` as in `networks.zoo.network`.
    """

    architecture: Architecture = "resnet50"
    narrowing: int = 1
    side: int | None = None
    weighted: bool = True
    start: Pretrained | None = None
    schedule: Schedule = SCHEDULE

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedNetwork:
        """Cross-entropy, weighted by class. Raises UsageError for fewer than two photos (batch normalisation)."""
        if len(inputs) < 2:
            raise UsageError(f"a network cannot learn from {len(inputs)} photo(s).", "Give two at least.")
        learner = seeded(lambda: network(self.architecture, count, self.narrowing), seed)
        if self.start is not None:
            adopt(learner, self.start)
        device = self.schedule.device
        learner.to(device)
        trained = TrainedNetwork(learner, self.architecture, self.input_side)
        labels = torch.from_numpy(classes.astype(np.int64)).to(device)
        weights = torch.from_numpy(inverse_weights(classes, count)).float().to(device) if self.weighted else None

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            pictures = trained.pictures(inputs[rows.numpy()])
            mirrored = (torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.5).to(device)
            scores = learner(torch.where(mirrored, pictures.flip(3), pictures))
            return functional.cross_entropy(scores, labels[rows], weights)

        learner.train()
        fit(learner.parameters(), loss_of, len(inputs), self.schedule, seed)
        learner.eval()
        return trained

    def restore(self, arrays: Arrays, count: int) -> TrainedNetwork:
        """Raises EnvironmentFault when `arrays` are not of this architecture, narrowing and number of classes."""
        bare = skeleton(self.architecture, count, self.narrowing)
        fill(bare, arrays, f"the saved {self.architecture}")
        return TrainedNetwork(bare.eval().to(self.schedule.device), self.architecture, self.input_side)

    @property
    def input_side(self) -> int:
        """Of the pictures that the network sees, px."""
        return self.side or look(self.architecture).side


def narrow(architecture: Architecture, epochs: int = 20, weighted: bool = True) -> ConvolutionalNetwork:
    """The network at an eighth of its width on 112 px, from nothing: about 10 ms a photo and epoch on one core."""
    schedule = Schedule(epochs=epochs, batch=32, optimizer="adam", rate=3e-3, decay=1e-4)
    return ConvolutionalNetwork(architecture, narrowing=8, side=112, weighted=weighted, schedule=schedule)


class CnnConfiguration(Configuration):
    """Channels divided by `narrowing`, crops of `side` px or of the size the network was published with.

    `weighted`: classes count alike, however rare. Nothing pretrained is taken.
    """

    kind = "cnn"
    architecture: Architecture
    narrowing: Annotated[Literal[1, 2, 4, 8], BeforeValidator(whole)]
    side: Annotated[int, Field(ge=96, le=1024)] | Literal["published"]
    epochs: Epochs
    rate: Rate
    weighted: bool

    @property
    def pretrained_start(self) -> bool:
        return False

    def system(self, foundation: Arrays, device: str = CPU) -> System:  # noqa: ARG002
        schedule = Schedule(self.epochs, 32, "adam", self.rate, decay=1e-4, device=device)
        side = None if self.side == "published" else self.side
        method = ConvolutionalNetwork(self.architecture, self.narrowing, side, self.weighted, None, schedule)
        return System(by_photo(pictured(ArcFaceCrop(method.input_side))), method)
