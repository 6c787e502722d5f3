"""Networks that end in a margin, as Shen et al. compare them (Postgrad Med J 2024, qgae095).

Shen et al. tell Williams-Beuren, Noonan and Alagille syndrome from other children's faces with a ResNet-100, trained
from nothing or from a face recognizer, under ArcFace and CosFace, in five folds. Only the abstract could be read:
rates, passes and augmentation here are ours (SGD as arcface_torch has it, mirrored crops), and cross-entropy is added
as the arm to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator
from torch import Tensor, nn

from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.encoders import checked
from ganonym.classify.explain.gradcam import Sight, through_recognizer
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.fit import Schedule, fit, seeded
from ganonym.classify.learning.heads import WEIGHTS, ArcFace, CosFace, Head, Softmax
from ganonym.classify.look import by_photo, pictured
from ganonym.classify.networks.iresnet import (
    IResNet,
    IResNetForm,
    embeddings,
    form_of,
    iresnet_of,
    normalised,
    published,
)
from ganonym.classify.system import Batch, Configuration, Epochs, Rate, System, whole
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points

SCHEDULE = Schedule(epochs=30, batch=64, optimizer="sgd", rate=0.01, momentum=0.9, decay=5e-4)
HEADS: Mapping[str, Head] = {head.name: head for head in (ArcFace(), CosFace(), Softmax())}
HASTE = 10.0
NETWORK, HEAD = "network.", "head."


@dataclass(frozen=True, slots=True)
class MarginNetwork:
    """An iResNet trained as a whole under `head`.

    `start` is where it starts from: a form, drawn anew, or the parameters of a face recognizer. The weights of classes
    are drawn anew in any case and learn `HASTE` times as fast as the network.
    """

    head: Head = field(default_factory=CosFace)
    start: IResNetForm | Arrays = field(default=published(100), repr=False, compare=False)
    schedule: Schedule = SCHEDULE

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedMargin:
        """Of crops (n, side, side, 3) uint8 RGB, side 112 for published networks; half are mirrored in training.

        Raises UsageError with fewer than two photos or other crops, EnvironmentFault when `start` is of no iResNet or
        pytorch-metric-learning is missing.
        """
        network = self._network(seed)
        crops = checked(inputs, network.form.side)
        if len(crops) < 2:
            raise UsageError(f"{len(crops)} photos are too few to learn from.", "Two are the least.")
        device = self.schedule.device
        loss = seeded(lambda: self.head.loss(network.form.embedding, count), seed + 1).to(device)
        labels = torch.from_numpy(classes.astype(np.int64)).to(device)

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            images = normalised(crops[rows.numpy()])
            mirror = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
            seen = network(torch.where(mirror, images.flip(3), images).to(device), generator)
            value: Tensor = loss(seen, labels[rows])
            return value

        trained = [weight for weight in network.parameters() if weight.requires_grad]
        rate = self.schedule.rate
        groups = [{"params": trained, "lr": rate}, {"params": [*loss.parameters()], "lr": HASTE * rate}]
        network.train()
        fit(groups, loss_of, len(crops), self.schedule, seed)
        return TrainedMargin(self.head, network.eval(), _weights(loss))

    def restore(self, arrays: Arrays, count: int) -> TrainedMargin:
        """Raises EnvironmentFault when `arrays` are of another system or of other classes."""
        own = {name[len(NETWORK) :]: array for name, array in arrays.items() if name.startswith(NETWORK)}
        network = iresnet_of(own).to(self.schedule.device)
        weights = arrays.get(HEAD + WEIGHTS)
        if weights is None or weights.shape != (network.form.embedding, count):
            raise EnvironmentFault(
                f"these are not the weights of a margin network of {count} classes.", "Train it anew."
            )
        return TrainedMargin(self.head, network, torch.from_numpy(np.array(weights)))

    def _network(self, seed: int) -> IResNet:
        start = self.start
        if not isinstance(start, IResNetForm):
            return iresnet_of(start).to(self.schedule.device)
        drawn = seeded(lambda: IResNet(start), seed)
        assert isinstance(drawn, IResNet)
        return drawn.to(self.schedule.device)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedMargin:
    """The network and the weights (d, c) of classes, scored without the margin."""

    head: Head
    network: IResNet = field(repr=False)
    weights: Tensor = field(repr=False)

    def __call__(self, inputs: Inputs) -> Floats:
        """Crops (n, side, side, 3) uint8 RGB → probabilities (n, c). Raises UsageError on other crops."""
        with torch.inference_mode():
            chances = self.head.logits(torch.from_numpy(self.embed(inputs)), self.weights.double().cpu()).softmax(dim=1)
        return np.asarray(chances.numpy())

    def embed(self, crops: NDArray[np.uint8]) -> Floats:
        """Embeddings (n, d), not of unit length. Raises UsageError on other crops."""
        return embeddings(self.network, checked(crops, self.network.form.side), unit=False).astype(np.float64)

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:  # noqa: ARG002
        """Through the trained network and its head."""
        return through_recognizer(
            lambda pictures: self.head.logits(self.network(pictures), self.weights), self.network, rgb, points
        )

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.network.form.embedding

    @property
    def arrays(self) -> Arrays:
        own = {NETWORK + name: value.numpy(force=True) for name, value in self.network.state_dict().items()}
        return own | {HEAD + WEIGHTS: self.weights.numpy(force=True)}


def _weights(loss: nn.Module) -> Tensor:
    return loss.get_parameter(WEIGHTS).detach().clone()


class MarginConfiguration(Configuration):
    """From the foundation when `pretrained`, else from nothing, in the form of a published `depth`.

    `depth` "encoder": in the form of the foundation.
    """

    kind = "margin"
    head: Literal["arcface", "cosface", "softmax"]
    pretrained: bool
    depth: Annotated[Literal[18, 34, 50, 100, 200, "encoder"], BeforeValidator(whole)]
    epochs: Epochs
    batch: Batch
    rate: Rate

    @property
    def pretrained_start(self) -> bool:
        return self.pretrained or self.depth == "encoder"

    @property
    def idle(self) -> dict[str, str]:
        return {"depth": "with pretrained = true the encoder has its own depth"} if self.pretrained else {}

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        schedule = Schedule(self.epochs, self.batch, "sgd", self.rate, decay=5e-4, device=device)
        form = form_of(foundation) if self.pretrained or self.depth == "encoder" else published(self.depth)
        method = MarginNetwork(HEADS[self.head], foundation if self.pretrained else form, schedule)
        return System(by_photo(pictured(ArcFaceCrop(form.side))), method)
