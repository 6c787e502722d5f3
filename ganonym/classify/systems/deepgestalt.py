"""DeepGestalt: a network a face region, whose opinions are averaged (Gurovich et al., Nature Medicine 25:60, 2019).

What the paper leaves open is taken from the reimplementation of its authors' successors (igsb/GestaltMatcher): the
optimizer, weights of classes and min-max normalisation. Two deviations: colours are not jittered, because crops are
grey and normalised anyway; and pretraining on CASIA-WebFace is the user's (`DeepGestalt.pretrain` on any identities),
since no such weights may be shipped.

The paper's other experiments are the same method with other classes: one syndrome against all others (Cornelia de
Lange, Angelman), or the genotypes of one syndrome as classes (five Noonan genes).
The ranked list of syndromes is the order of the probabilities; which are first, `calls.record` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn import functional

from ganonym.classify.crops import REGIONS, RegionCrops
from ganonym.classify.explain.gradcam import Sight
from ganonym.classify.learner import CPU, Arrays, Course, Inputs
from ganonym.classify.learning.fit import Augmentation, Schedule, altered_regions, fit, gestalt_weights, home, seeded
from ganonym.classify.look import by_photo, pictured
from ganonym.classify.networks.casia import Casia
from ganonym.classify.system import Batch, Configuration, Epochs, Rate, System
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points

PUBLISHED = Schedule(
    epochs=500, batch=280, optimizer="sgd", rate=5e-3, momentum=0.9, clip=0.1, course="constant", decay=0.0
)
"""GestaltMatcher's; its released weights are of epoch 310."""
QUICK = Schedule(epochs=35, batch=16, optimizer="sgd", rate=5e-2, momentum=0.9, clip=0.1, course="cosine")
"""Ours, for a few hundred photographs on a processor: a tenth of the epochs, ten times the rate, smaller batches."""
AUGMENTATION = Augmentation()
TOGETHER = 256
Region: TypeAlias = Literal["full", "upper", "middle", "lower"]


@dataclass(frozen=True, slots=True)
class DeepGestalt:
    """Learns from the four grey crops of `crops.RegionCrops`, (n, 4, side, side) uint8.

    `regions` selects which of them; ("full",) is the first GestaltMatcher's classifier. `width` multiplies the
    channels of every network. `weighted`: classes weigh 0.5 + 0.5 · min(n) / n_c in the cross-entropy. `pretrained`
    is what `pretrain` gave: networks start from it, their heads anew. The defaults are the published system, `small()`
    is for machines without an accelerator.
    """

    regions: tuple[str, ...] = REGIONS
    side: int = 100
    width: float = 1.0
    schedule: Schedule = PUBLISHED
    augmentation: Augmentation = AUGMENTATION
    weighted: bool = True
    pretrained: Arrays | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.regions or len(set(self.regions)) < len(self.regions) or not set(self.regions) <= set(REGIONS):
            raise UsageError(f"regions {self.regions} are not some of {REGIONS}, each once.")

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> DeepGestaltTrained:
        """One network a region; what one learns does not depend on which others there are.

        Raises UsageError when inputs are not of the shape above or there are none, EnvironmentFault when `pretrained`
        is of other networks.
        """
        crops = self._crops(inputs)
        if not len(crops):
            raise UsageError("there are no photographs to learn from.")
        weights = gestalt_weights(classes, count) if self.weighted else np.ones(count)
        loss_weights, labels = torch.from_numpy(weights).float(), torch.from_numpy(classes.astype(np.int64))
        networks = {}
        for region in self.regions:
            place = REGIONS.index(region)
            networks[region] = self._network(region, count, seed=_seed(seed, place))
            _learn(networks[region], crops[:, place, None], labels, loss_weights, self, _seed(seed, place))
        return DeepGestaltTrained(self, networks)

    def pretrain(self, inputs: Inputs, identities: NDArray[np.intp], count: int, seed: int) -> Arrays:
        """Learn to tell `count` people apart, 0 … count − 1 (n,); what all networks but their heads then are.

        As the paper does with CASIA-WebFace: `replace(method, pretrained=method.pretrain(...))` starts from it.
        """
        arrays = replace(self, weighted=False, pretrained=None).learn(inputs, identities, count, seed).arrays
        return {name: array for name, array in arrays.items() if ".classifier." not in name}

    def restore(self, arrays: Arrays, count: int) -> DeepGestaltTrained:
        """Raises EnvironmentFault when `arrays` are not of these regions, this width or this many classes."""
        networks = {}
        for region in self.regions:
            networks[region] = _network(count, self.width, 0, self.schedule.device)
            _load(networks[region], _of(arrays, region), f"DeepGestalt's network {region!r} of {count} classes")
        extra = sorted({name.split(".")[0] for name in arrays} - set(self.regions))
        if extra:
            raise EnvironmentFault(
                f"the weights are of {', '.join(extra)} too, the method of {', '.join(self.regions)} only.",
                "Name the regions that were learned.",
            )
        return DeepGestaltTrained(self, networks)

    def _network(self, region: str, count: int, seed: int) -> Casia:
        network = _network(count, self.width, seed, self.schedule.device)
        if self.pretrained is not None:
            head = {
                name: tensor.numpy(force=True)
                for name, tensor in network.classifier.state_dict(prefix="classifier.").items()
            }
            body = {name: tensor for name, tensor in _of(self.pretrained, region).items() if name not in head}
            _load(network, body | head, f"a pretrained network {region!r}")
        return network

    def _crops(self, inputs: Inputs) -> NDArray[np.uint8]:
        wanted = (len(REGIONS), self.side, self.side)
        if inputs.shape[1:] != wanted or inputs.dtype != np.uint8:
            raise UsageError(
                f"DeepGestalt learns from uint8 crops (n, {', '.join(map(str, wanted))}), "
                f"these are {inputs.dtype} {inputs.shape}.",
                f"Cut them with RegionCrops({self.side}).",
            )
        return inputs


@dataclass(frozen=True, slots=True)
class DeepGestaltTrained:
    """Networks by region, in evaluation mode, and the method that they are of."""

    method: DeepGestalt
    networks: Mapping[str, Casia]

    def __call__(self, inputs: Inputs) -> Floats:
        """Crops (n, 4, side, side) uint8 → the plain mean of the regions' softmax, (n, count)."""
        crops = self.method._crops(inputs)
        return np.asarray(np.mean([self.by_region(crops, region) for region in self.networks], axis=0))

    def by_region(self, inputs: Inputs, region: str) -> Floats:
        """What the network of one region says, probabilities (n, count)."""
        crops, network = self.method._crops(inputs)[:, REGIONS.index(region), None], self.networks[region]
        chances = np.zeros((len(crops), network.count))
        with torch.inference_mode():
            for start in range(0, len(crops), TOGETHER):
                scores = network(stretched(crops[start : start + TOGETHER]).to(home(network)))
                chances[start : start + TOGETHER] = scores.double().softmax(dim=1).numpy(force=True)
        return chances

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:  # noqa: ARG002
        """Of the full face. Raises UsageError when no network looks at it."""
        if "full" not in self.networks:
            raise UsageError("this model does not look at the full face.", "Train one with the region full.")
        crops, network = RegionCrops(self.method.side), self.networks["full"]
        picture = stretched(crops(rgb, points)[None, :1])
        return Sight(network, network.base[-1], picture, crops.matrices(points)[0], crops.side)

    @property
    def arrays(self) -> Arrays:
        return {
            f"{region}.{name}": tensor.numpy(force=True).copy()
            for region, network in self.networks.items()
            for name, tensor in network.state_dict().items()
        }


def small(regions: tuple[str, ...] = REGIONS) -> DeepGestalt:
    """48 px crops, a quarter of the channels, few epochs: minutes on a processor. Not the published system."""
    return DeepGestalt(regions=regions, side=48, width=0.25, schedule=QUICK)


def descriptors(method: DeepGestalt, inputs: Inputs, region: str) -> Floats:
    """What a `pretrained` network of one region sees in crops (n, 4, side, side) before any class: (n, features)."""
    if method.pretrained is None:
        raise UsageError("a network that learned nothing describes nothing.", "Give `pretrained`.")
    network, crops = method._network(region, 1, 0), method._crops(inputs)[:, REGIONS.index(region), None]
    with torch.inference_mode():
        parts = [
            network.features(stretched(crops[start : start + TOGETHER]).to(home(network)))
            for start in range(0, max(len(crops), 1), TOGETHER)
        ]
    return np.asarray(torch.cat(parts).double().numpy(force=True))


def stretched(crops: NDArray[np.uint8]) -> Tensor:
    """Crops (n, 1, s, s) uint8 → float32, each stretched so that its darkest pixel is 0 and its lightest 1.

    A crop of one grey becomes 0.

    >>> stretched(np.array([[[[10, 20], [30, 30]]]], np.uint8)).flatten().tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    values = torch.from_numpy(np.ascontiguousarray(crops)).float()
    low = values.amin(dim=(1, 2, 3), keepdim=True)
    return (values - low) / (values.amax(dim=(1, 2, 3), keepdim=True) - low).clamp(min=1.0)


def _learn(
    network: Casia, crops: NDArray[np.uint8], labels: Tensor, weights: Tensor, method: DeepGestalt, seed: int
) -> None:
    images, device = stretched(crops), home(network)

    def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
        varied = altered_regions(images[rows], generator, method.augmentation).to(device)
        return functional.cross_entropy(network(varied, generator), labels[rows].to(device), weights.to(device))

    network.train()
    fit(network.parameters(), loss_of, len(images), method.schedule, seed)
    network.eval()


def _network(count: int, width: float, seed: int, device: str = CPU) -> Casia:
    network = seeded(lambda: Casia(count, width), seed)
    assert isinstance(network, Casia)
    # Channels last in memory: a third to a half faster on a processor, where channels are few.
    return network.eval().to(device).to(memory_format=torch.channels_last)


def _load(network: Casia, arrays: Arrays, what: str) -> None:
    try:
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    except RuntimeError as error:
        raise EnvironmentFault(f"these are not the weights of {what} ({error}).") from error


def _of(arrays: Arrays, region: str) -> dict[str, NDArray[np.generic]]:
    return {name.removeprefix(f"{region}."): array for name, array in arrays.items() if name.startswith(f"{region}.")}


def _seed(seed: int, place: int) -> int:
    return int(np.random.SeedSequence([seed, place]).generate_state(1, np.uint64)[0])


def _once(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    if len(set(regions)) < len(regions):
        raise ValueError("something is there twice")
    return regions


class DeepGestaltConfiguration(Configuration):
    """Crops of `side` px of the `regions`, `width` times the published channels."""

    kind = "deepgestalt"
    bundled_start = "regions"
    side: Annotated[int, Field(ge=32, le=512)]
    width: Annotated[float, Field(gt=0, le=8)]
    epochs: Epochs
    batch: Batch
    rate: Rate
    course: Course
    regions: Annotated[tuple[Region, ...], Field(strict=False, min_length=1), AfterValidator(_once)]
    pretrained: bool

    @property
    def pretrained_start(self) -> bool:
        return self.pretrained

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        schedule = Schedule(self.epochs, self.batch, "sgd", self.rate, clip=0.1, course=self.course, device=device)
        start = foundation if self.pretrained else None
        method = DeepGestalt(self.regions, self.side, self.width, schedule, pretrained=start)
        return System(by_photo(pictured(RegionCrops(self.side))), method)
