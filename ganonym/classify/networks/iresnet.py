"""iResNet, the network of ArcFace (Deng et al., CVPR 2019) and of GestaltMatcher-Arc (Hustinx et al., WACV 2023).

A residual network for small face crops (Duta et al., "Improved residual networks", ICPR 2020): the stem keeps the full
resolution, each block is BN – conv – BN – PReLU – conv – BN with a plain sum after it, and the last map is not pooled
but flattened into one fully connected layer. Parameters carry the names that insightface's `arcface_torch` gives them,
so that its checkpoints load as they are once they are safetensors (weights that are for non-commercial research are
never bundled).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.learner import Arrays
from ganonym.classify.learning.fit import dropped
from ganonym.classify.progress import report
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import read_tensors

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}
"""Blocks of the four stages, by the depth in a network's name."""
STAGES = len(BLOCKS[50])
SHRINK = 2**STAGES


@dataclass(frozen=True, slots=True)
class IResNetForm:
    """How large a network is: the published ones differ in `blocks` only (`published`).

    `widths` are the channels of the four stages (the stem has those of the first), `embedding` the length of what
    comes out, `side` that of the crops in pixels, at most 16 times the side of the last map.
    """

    blocks: tuple[int, ...] = BLOCKS[50]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    embedding: int = 512
    side: int = 112

    @property
    def features(self) -> int:
        """Length of the flattened last map: 25,088 = 512 · 7 · 7 in the published networks."""
        last: int = self.widths[-1] * math.ceil(self.side / SHRINK) ** 2
        return last


def published(depth: int) -> IResNetForm:
    """iResNet-18, 34, 50, 100 or 200 of 112 px crops. Raises UsageError for any other depth.

    >>> published(50).features
    25088
    """
    if depth not in BLOCKS:
        raise UsageError(f"there is no iResNet-{depth}.", f"There are {', '.join(map(str, BLOCKS))}.")
    return IResNetForm(BLOCKS[depth])


SMALL = IResNetForm(blocks=(1, 1, 1, 1), widths=(8, 16, 32, 64), embedding=64, side=64)
"""A form of our own for machines without an accelerator and for tests; not a published network."""


class IResNet(nn.Module):
    """RGB crops (n, 3, side, side) in −1 … 1 (`normalised`) → embeddings (n, embedding), not of unit length.

    First weights are the published ones: convolutions N(0, 0.1²), PReLU slopes 0.25, from torch's global generator, so
    build it within `learning.fit.seeded`. The weight of the last normalisation, `features`, is frozen at 1.
    """

    def __init__(self, form: IResNetForm, dropout: float = 0.0) -> None:
        """`dropout` is the share of the flattened map left out in training (0 in the published configurations)."""
        super().__init__()
        self.form, self.dropout = form, dropout
        before = form.widths[0]
        self.conv1 = nn.Conv2d(3, before, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(before)
        self.prelu = nn.PReLU(before)
        for stage, (blocks, width) in enumerate(zip(form.blocks, form.widths, strict=True), start=1):
            layer = [_Block(before, width, 2)] + [_Block(width, width, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(*layer))
            before = width
        self.bn2 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(form.features, form.embedding)
        self.features = nn.BatchNorm1d(form.embedding)
        self.features.weight.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.1)

    def feature_map(self, images: Tensor) -> Tensor:
        """The last map, normalised and flattened, (n, form.features): what GestaltMatcher-Arc keeps frozen.

        Channel by channel, then row by row, as `fc` expects it: `head(feature_map(x))` is `forward(x)`.
        """
        maps = self.prelu(self.bn1(self.conv1(images)))
        for stage in range(1, STAGES + 1):
            maps = self.get_submodule(f"layer{stage}")(maps)
        flat: Tensor = self.bn2(maps).flatten(1)
        return flat

    def head(self, flat: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """`fc` and the last normalisation: feature maps (n, form.features) → embeddings (n, embedding).

        With a generator the share `dropout` of features is left out, as in training.
        """
        if generator is not None and self.dropout > 0:
            flat = dropped(flat, self.dropout, generator)
        embedding: Tensor = self.features(self.fc(flat))
        return embedding

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.head(self.feature_map(images), generator)


class _Block(nn.Module):
    """BN – conv – BN – PReLU – conv (which strides) – BN, plus its input, projected where the size changes."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        projected = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.downsample = projected if stride != 1 else None

    def forward(self, maps: Tensor) -> Tensor:
        deep: Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(maps))))))
        return deep + (maps if self.downsample is None else self.downsample(maps))


def normalised(crops: NDArray[np.uint8]) -> Tensor:
    """RGB crops (n, h, w, 3) uint8 → (n, 3, h, w) float32 in −1 … 1, (x / 255 − 0.5) / 0.5 as the networks expect it.

    Always RGB: GestaltMatcher-Arc trained on BGR and predicts on RGB, which costs accuracy.

    >>> normalised(np.array([[[[0, 255, 51]]]], np.uint8))[0, :, 0, 0].tolist()
    [-1.0, 1.0, -0.6000000238418579]
    """
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.5)


def form_of(arrays: Arrays) -> IResNetForm:
    """The form of the iResNet whose parameters are `arrays`. Raises EnvironmentFault when they are of none.

    A last map of k × k is taken as from crops of 16 k px.
    """
    try:
        blocks = tuple(
            len({key.split(".")[1] for key in arrays if key.startswith(f"layer{stage}.")})
            for stage in range(1, STAGES + 1)
        )
        widths = tuple(len(arrays[f"layer{stage}.0.conv2.weight"]) for stage in range(1, STAGES + 1))
        embedding, features = arrays["fc.weight"].shape
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise _foreign(repr(error)) from error
    return IResNetForm(blocks, widths, embedding, SHRINK * math.isqrt(features // widths[-1]))


def iresnet_of(arrays: Arrays) -> IResNet:
    """The iResNet with parameters `arrays`, in evaluation mode; its form is read off them.

    Weights of half precision become float32. Raises EnvironmentFault when a parameter lacks, is one too many or has
    another shape than its network wants, so that nothing is left as it was drawn.
    """
    with torch.random.fork_rng(devices=[]):
        network = IResNet(form_of(arrays))
    state = {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise _foreign(str(error)) from error
    return network.eval()


def _foreign(reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"these are not the weights of an iResNet ({reason}).", "Convert a backbone of insightface's arcface_torch."
    )


def load_iresnet(path: Path) -> IResNet:
    """The iResNet in the safetensors file at `path`, in evaluation mode. Raises EnvironmentFault.

    Pickles are never read. Convert a downloaded `backbone.pth` once, in a process you can afford to lose:
    `safetensors.torch.save_file(torch.load("backbone.pth", weights_only=True), "backbone.safetensors")`.
    """
    arrays, _ = read_tensors(path)
    try:
        return iresnet_of(arrays)
    except EnvironmentFault as error:
        raise EnvironmentFault(f"{path}: {error.message}", error.remedy) from error


def embeddings(network: IResNet, crops: NDArray[np.uint8], batch: int = 64, unit: bool = True) -> NDArray[np.float32]:
    """Embeddings (n, embedding) float32 of RGB crops (n, side, side, 3) uint8, of unit length when `unit`.

    `network` must be in evaluation mode (as `load_iresnet` gives it); raises UsageError otherwise, because a network
    in training mode would mix the crops of a batch and change itself.
    """
    if network.training:
        raise UsageError("the network is in training mode.", "Call network.eval() first.")
    vectors = np.zeros((len(crops), network.form.embedding), np.float32)
    with torch.inference_mode():
        for start in range(0, len(crops), batch):
            part = network(normalised(crops[start : start + batch]).to(network.fc.weight.device))
            vectors[start : start + batch] = (functional.normalize(part) if unit else part).numpy(force=True)
            if len(crops) > batch:
                report("embed", min(start + batch, len(crops)), len(crops))
    return vectors
