"""Networks that end in a margin, and the study of Shen et al. (Postgrad Med J 2024, qgae095) that compares them.

Shen et al. tell Williams-Beuren, Noonan and Alagille syndrome from other children's faces with a ResNet-100, trained
from nothing or from a face recognizer, under ArcFace and CosFace, in five folds. Only the abstract could be read:
rates, passes and augmentation here are ours (SGD as arcface_torch has it, mirrored crops), and cross-entropy is added
as the arm to compare with. They split photographs; here children are split, so that no child is in training and test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganonym.classify.encoders import checked
from ganonym.classify.learning.fit import Schedule, fit, seeded
from ganonym.classify.learning.heads import WEIGHTS, ArcFace, CosFace, Head, Softmax
from ganonym.classify.networks.iresnet import (
    IResNet,
    IResNetForm,
    embeddings,
    form_of,
    iresnet_of,
    normalised,
    published,
)
from ganonym.classify.system import Arrays, Inputs, Published
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Floats

SCHEDULE = Schedule(epochs=30, batch=64, optimizer="sgd", rate=0.01, momentum=0.9, decay=5e-4)
HEADS: tuple[Head, ...] = (ArcFace(), CosFace(), Softmax())
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
            found: Tensor = loss(seen, labels[rows])
            return found

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

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.network.form.embedding

    @property
    def arrays(self) -> Arrays:
        own = {NETWORK + name: value.numpy(force=True) for name, value in self.network.state_dict().items()}
        return own | {HEAD + WEIGHTS: self.weights.numpy(force=True)}


@dataclass(frozen=True, slots=True)
class Arm:
    """What one head reaches in each fold, (folds,), from a recognizer (`pretrained`) or from nothing.

    `accuracy` is the share of photos called right; `precision`, `recall` and `f1` are means over the classes that the
    fold's test part holds, each counting alike (`recall` is the macro accuracy of GestaltMatcher).
    """

    head: str
    pretrained: bool
    accuracy: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def study(
    inputs: Inputs,
    classes: NDArray[np.intp],
    subjects: NDArray[np.intp],
    foundation: Arrays,
    schedule: Schedule = SCHEDULE,
    heads: Sequence[Head] = HEADS,
    folds: int = 5,
    seed: int = 0,
) -> tuple[Arm, ...]:
    """Each head from `foundation` and from nothing, in the same folds: {pretrained, scratch} × heads, in this order.

    `subjects` (n,) of the photos (n, side, side, 3); classes 0 … max. Give each photo a subject of its own to split
    photographs as Shen et al. do, and see what children in both parts are worth. Networks from nothing have the form
    of `foundation`. Raises UsageError when a class has fewer subjects than there are folds, and as `learn` does.
    """
    parts = list(split(classes, subjects, folds, seed))
    count = int(classes.max()) + 1
    starts: list[tuple[bool, IResNetForm | Arrays]] = [(True, foundation), (False, form_of(foundation))]
    arms = []
    for pretrained, start in starts:
        for head in heads:
            method = MarginNetwork(head, start, schedule)
            rates = np.array([fold_rates(method, inputs, classes, count, train, test, seed) for train, test in parts])
            arms.append(Arm(head.name, pretrained, *rates.T))
    return tuple(arms)


def split(
    classes: NDArray[np.intp], subjects: NDArray[np.intp], folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Photos of training and test, fold by fold: no subject in both, each photo in one test, classes shared out alike.

    Raises UsageError when a class has fewer subjects than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    for label in np.unique(classes):
        people = len(np.unique(subjects[classes == label]))
        if people < folds:
            raise UsageError(
                f"class {label} has {people} subjects, too few for {folds} folds.", "Fewer folds, or more."
            )
    yield from StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32).split(classes, classes, subjects)


def fold_rates(
    method: Published,
    inputs: Inputs,
    classes: NDArray[np.intp],
    count: int,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    seed: int,
) -> tuple[float, float, float, float]:
    """Accuracy, precision, recall and F1 in photos `test` of what `method` learns from photos `train`, as of `Arm`."""
    from sklearn.metrics import precision_recall_fscore_support

    called = method.learn(inputs[train], classes[train], count, seed)(inputs[test]).argmax(axis=1)
    truth = classes[test]
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, called, labels=np.unique(truth), average="macro", zero_division=0.0
    )
    return float((called == truth).mean()), float(precision), float(recall), float(f1)


def _weights(loss: nn.Module) -> Tensor:
    return loss.get_parameter(WEIGHTS).detach().clone()
