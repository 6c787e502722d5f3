"""GestaltMatcher-Arc (Hustinx et al., WACV 2023, arXiv 2211.06764): a face recognizer whose end learns syndromes.

The recognizer's convolutions stay as they are; only its last fully connected layer, the normalisation after it and a
linear classifier are trained, by weighted cross-entropy (the "Arc" is in the recognizer's own training, not here). What
the normalisation gives is the gestalt descriptor that galleries compare (`TrainedGestalt.embed`).

Three things differ from the published code on purpose: colours are RGB in training as in use; classes are weighted by
their own numbers; the frozen part is in evaluation mode always, so that its running statistics stay the recognizer's.
Deviations: a cosine takes the place of the schedule that waits for a plateau of a validation score (`fit.Schedule`),
and with `draws` photos are altered a fixed number of times, so that the frozen part sees each only once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.encoders import checked
from ganonym.classify.explain.gradcam import Sight, through_recognizer
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.fit import Schedule, altered_photos, dropped, fit, gestalt_weights, home, seeded
from ganonym.classify.look import by_photo, pictured
from ganonym.classify.networks.iresnet import IResNet, form_of, iresnet_of, normalised
from ganonym.classify.progress import report
from ganonym.classify.system import Configuration, Epochs, System
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points

DROPOUT = 0.5
BATCH = 64
DIGEST = "base.sha256"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Batch, learning rate and weight decay of the last layer (`rate`, `decay`) and of the classifier (`head_…`)."""

    batch: int
    rate: float
    decay: float
    head_rate: float = 1e-3
    head_decay: float = 5e-4


MODEL_A = Tuning(batch=64, rate=5e-4, decay=5e-5)
"""Of the published iResNet-50."""
MODEL_B = Tuning(batch=128, rate=1e-3, decay=0.0)
"""Of the published iResNet-100."""


@dataclass(frozen=True, slots=True)
class GestaltMatcher:
    """A recognizer `base` (parameters of an iResNet), tuned on crops of `crops.ArcFaceCrop` in `epochs` passes.

    `draws`: None, as published, alters and encodes each photo anew in every pass; a number keeps so many altered
    versions of each, encoded once; 0 keeps the photo as it is. `device` as in `Schedule`.
    """

    base: Arrays = field(repr=False, compare=False)
    tuning: Tuning = MODEL_A
    epochs: int = 50
    draws: int | None = None
    device: str = CPU

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedGestalt:
        """Of crops (n, side, side, 3) uint8 RGB, side 112 for published networks.

        Raises UsageError with fewer than two photos or other crops, EnvironmentFault when `base` is no iResNet, or
        torchvision is missing and photos are to be altered.
        """
        network, neck = _parts(self.base, count, seed, self.device)
        crops = checked(inputs, network.form.side)
        if len(crops) < 2:
            raise UsageError(f"{len(crops)} photos are too few to learn from.", "Two are the least.")
        maps_of = _maps(network, crops, self.draws, seed)
        labels = torch.from_numpy(classes.astype(np.int64)).to(self.device)
        weights = torch.from_numpy(gestalt_weights(classes, count)).float().to(self.device)

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            return functional.cross_entropy(neck.scores(maps_of(rows, generator), generator), labels[rows], weights)

        tuning = self.tuning
        # The third published group, the frozen part's, has nothing to train.
        last = [*neck.fc.parameters(), *neck.features.parameters()]
        groups = [
            {"params": last, "lr": tuning.rate, "weight_decay": tuning.decay},
            {"params": [*neck.classifier.parameters()], "lr": tuning.head_rate, "weight_decay": tuning.head_decay},
        ]
        neck.train()
        fit(groups, loss_of, len(crops), Schedule(self.epochs, tuning.batch, rate=tuning.rate), seed)
        neck.eval()
        return TrainedGestalt(network, neck, digest(self.base))

    def restore(self, arrays: Arrays, count: int) -> TrainedGestalt:
        """Raises EnvironmentFault when `arrays` are of another system, another recognizer or other classes."""
        wanted, kept = digest(self.base), dict(arrays)
        base = kept.pop(DIGEST, None)
        if base is None or not np.array_equal(base, wanted):
            raise EnvironmentFault(
                "these weights were not tuned on this recognizer.", "Give the base file they were trained with."
            )
        network, neck = _parts(self.base, count, 0, self.device)
        try:
            neck.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in kept.items()})
        except RuntimeError as error:
            raise EnvironmentFault(
                f"these are not the weights of a GestaltMatcher of {count} classes ({error}).", "Train it anew."
            ) from error
        return TrainedGestalt(network, neck.eval(), wanted)


class Neck(nn.Module):
    """All that is trained: the recognizer's own last layer and normalisation, and a classifier of what they give."""

    def __init__(self, fc: nn.Linear, features: nn.BatchNorm1d, count: int) -> None:
        super().__init__()
        self.fc, self.features = fc, features.requires_grad_(True)
        self.classifier = nn.Linear(fc.out_features, count)

    def forward(self, maps: Tensor) -> Tensor:
        """Flattened maps (n, d) → gestalt descriptors (n, 512), not of unit length."""
        descriptors: Tensor = self.features(self.fc(maps))
        return descriptors

    def scores(self, maps: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(n, c); with a generator half of each descriptor is dropped, as in training."""
        descriptors = self(maps)
        if generator is not None:
            descriptors = dropped(descriptors, DROPOUT, generator)
        scores: Tensor = self.classifier(descriptors)
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class TrainedGestalt:
    """The frozen recognizer and what was trained on it. `arrays` hold the latter only, so none of its licence."""

    network: IResNet = field(repr=False)
    neck: Neck = field(repr=False)
    base: NDArray[np.uint8] = field(repr=False)

    def __call__(self, inputs: Inputs) -> Floats:
        """Crops (n, side, side, 3) uint8 RGB → probabilities (n, c). Raises UsageError on other crops."""
        return self._each(inputs, lambda maps: self.neck.scores(maps).double().softmax(dim=1))

    def embed(self, crops: NDArray[np.uint8]) -> Floats:
        """Gestalt descriptors (n, 512), not of unit length. Raises UsageError on other crops."""
        return self._each(crops, self.neck)

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:  # noqa: ARG002
        """Through the recognizer and the neck on it."""
        return through_recognizer(
            lambda pictures: self.neck.scores(self.network.feature_map(pictures)), self.network, rgb, points
        )

    @property
    def width(self) -> int:
        """Length of a descriptor."""
        return self.neck.fc.out_features

    @property
    def arrays(self) -> Arrays:
        return {name: value.numpy(force=True) for name, value in self.neck.state_dict().items()} | {DIGEST: self.base}

    def _each(self, crops: Inputs, answer: Callable[[Tensor], Tensor]) -> Floats:
        crops = checked(crops, self.network.form.side)
        with torch.inference_mode():
            parts = [
                answer(feature_maps(self.network, crops[start : start + BATCH])).double()
                for start in range(0, max(len(crops), 1), BATCH)
            ]
        return np.asarray(torch.cat(parts).numpy(force=True))


def feature_maps(network: IResNet, crops: NDArray[np.uint8]) -> Tensor:
    """What the frozen part gives, (n, features) float32, of crops (n, side, side, 3) uint8 RGB; without gradients."""
    parts = []
    with torch.no_grad():
        for start in range(0, max(len(crops), 1), BATCH):
            parts.append(network.feature_map(normalised(crops[start : start + BATCH]).to(home(network))))
            if len(crops) > BATCH:
                report("feature maps", min(start + BATCH, len(crops)), len(crops))
    return torch.cat(parts)


def digest(arrays: Arrays) -> NDArray[np.uint8]:
    """SHA-256 (32,) of names, kinds, shapes and values, whatever their order."""
    hashed = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        hashed.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        hashed.update(array.tobytes())
    return np.frombuffer(hashed.digest(), np.uint8)


def _parts(base: Arrays, count: int, seed: int, device: str) -> tuple[IResNet, Neck]:
    network = iresnet_of(base).requires_grad_(False)
    neck = seeded(lambda: Neck(network.fc.requires_grad_(True), network.features, count), seed)
    assert isinstance(neck, Neck)
    return network.to(device), neck.to(device)


def _maps(
    network: IResNet, crops: NDArray[np.uint8], draws: int | None, seed: int
) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Rows (b,) → the maps of these photos as training sees them this time."""
    if draws is None:
        return lambda rows, generator: feature_maps(network, altered_photos(crops[rows.numpy()], generator))
    if draws == 0:
        once = feature_maps(network, crops)
        return lambda rows, _: once[rows]
    own = torch.Generator().manual_seed((seed + 2**32) % 2**63)  # another stream than that of the training loop
    kept = torch.stack([feature_maps(network, altered_photos(crops, own)) for _ in range(draws)])
    return lambda rows, generator: kept[torch.randint(draws, rows.shape, generator=generator), rows]


class GestaltMatcherConfiguration(Configuration):
    """`model` a is tuned as the published iResNet-50, b as the iResNet-100.

    `draws`: so many altered versions of each photo, encoded once; "anew" in every epoch, as published; "none".
    """

    kind = "gestaltmatcher"
    model: Literal["a", "b"]
    epochs: Epochs
    draws: Annotated[int, Field(ge=1, le=1000)] | Literal["anew", "none"]

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        draws = None if self.draws == "anew" else 0 if self.draws == "none" else self.draws
        method = GestaltMatcher(foundation, MODEL_A if self.model == "a" else MODEL_B, self.epochs, draws, device)
        return System(by_photo(pictured(ArcFaceCrop(form_of(foundation).side))), method)
