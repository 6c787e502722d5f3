"""Six convolutional networks that syndrome and skin studies compare, from timm, never with downloaded weights.

Wu et al. (IEEE Access 2019) compare the five of ResNet-50 (He et al. 2016), Inception-v3 (Szegedy et al. 2016),
DenseNet-121 (Huang et al. 2017), Xception (Chollet 2017) and Inception-ResNet-v2 (Szegedy et al. 2017); Inception-v4
(Szegedy et al. 2017) is that of Liu et al. (Nat Med 2020). All end in global average pooling and one linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import read_tensors, sha256_file

Architecture: TypeAlias = Literal[
    "resnet50", "inception_v3", "inception_v4", "densenet121", "xception", "inception_resnet_v2"
]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
NARROWINGS = (1, 2, 4, 8)  # 8 divides every number of channels inside the six, 16 does not (Xception has 728)
_IN_TIMM = {"xception": "legacy_xception"}  # timm's xception41/65/71 are the aligned ones of DeepLab
_COUNTER = "num_batches_tracked"  # of batch normalisation; nothing is computed from it


@dataclass(frozen=True, slots=True)
class Look:
    """How a network wants pictures: `side` in pixels, then (x / 255 − `mean`) / `std` of red, green and blue."""

    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that the user brings: a safetensors file in timm's naming, and the hex SHA-256 it must have."""

    path: Path
    sha256: str


def look(architecture: Architecture) -> Look:
    """What the network was published with, from timm: 224 px and ImageNet's means, or 299 px and −1…1.

    Raises EnvironmentFault without timm, UsageError for another name.

    >>> look("xception")
    Look(side=299, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    """
    published = _timm().get_pretrained_cfg(_name(architecture))
    return Look(published.input_size[-1], tuple(published.mean), tuple(published.std))


def prepared(crops: NDArray[np.uint8], side: int, look: Look) -> Tensor:
    """RGB crops (n, h, w, 3) uint8 → (n, 3, side, side) float32, resized by the cubic and normalised as `look` says.

    Raises UsageError for anything that is no stack of uint8 colour crops.
    """
    if crops.ndim != 4 or crops.shape[-1] != 3 or crops.dtype != np.uint8:
        raise UsageError(f"crops are {crops.dtype} {crops.shape}, not uint8 (n, h, w, 3).", "Give RGB crops, 0…255.")
    pictures = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float()
    if crops.shape[1:3] != (side, side):
        pictures = functional.interpolate(pictures, (side, side), mode="bicubic", antialias=True).clamp(0, 255)
    mean, std = (torch.tensor(channel).view(3, 1, 1) for channel in (look.mean, look.std))
    return (pictures / 255 - mean) / std


def network(architecture: Architecture, classes: int, narrowing: int = 1) -> nn.Module:
    """The network with a head for `classes`: pictures (n, 3, s, s) → scores (n, classes). Weights are random.

    Draws first weights from torch's global generator: call it through `fit.seeded`. `narrowing` divides the channels
    of every layer (the width multiplier of Howard et al. 2017, MobileNets), depth and wiring unchanged: at 8 a network
    has about 1/64 of the weights and trains on two cores. The narrow ones are ours, published nowhere, and start from
    He's weights (fan out) whatever the full one starts from. Raises EnvironmentFault without timm, UsageError for an
    unknown name or narrowing.
    """
    if narrowing == 1:
        full: nn.Module = _timm().create_model(
            _name(architecture), pretrained=False, num_classes=classes, global_pool="avg"
        )
        return full
    narrow = skeleton(architecture, classes, narrowing).to_empty(device="cpu")
    for module in narrow.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm2d, nn.Linear)):
            module.reset_parameters()
    for module in narrow.modules():
        start = getattr(module, "zero_init_last", None)  # ResNet's blocks start as the identity (Goyal et al. 2017)
        if callable(start):
            start()
    return narrow


def skeleton(architecture: Architecture, classes: int, narrowing: int = 1) -> nn.Module:
    """The network of `network` on torch's meta device: layers and shapes, no numbers, no memory."""
    if narrowing not in NARROWINGS:
        raise UsageError(f"a network cannot be narrowed by {narrowing}.", f"Choose one of {NARROWINGS}.")
    with torch.device("meta"):
        whole = network(architecture, classes)
    if narrowing > 1:
        for module in whole.modules():
            _narrow(module, narrowing)
        whole.num_features = whole.head_hidden_size = whole.num_features // narrowing  # type: ignore[assignment, operator]
    return whole


def last_maps(network: nn.Module) -> nn.Module:
    """The layer whose output (n, d, h, w) is pooled: the one that Grad-CAM is published for."""
    features = cast("Sequence[Mapping[str, str]]", network.feature_info)  # to torch an attribute is a tensor or module
    return network.get_submodule(features[-1]["module"])


def adopt(network: nn.Module, start: Pretrained) -> None:
    """Put the user's weights into a network of `network`; the head, made for other classes, stays as it is.

    Raises EnvironmentFault when the file is not the one declared, no safetensors, or of another network.
    """
    digest = sha256_file(start.path) if start.path.is_file() else None
    if digest is not None and digest != start.sha256.lower():
        raise EnvironmentFault(
            f"{start.path} has SHA-256 {digest}, declared was {start.sha256}.", "Give the digest of the file you mean."
        )
    arrays = read_tensors(start.path)[0]
    head = f"{network.pretrained_cfg['classifier']}."  # type: ignore[index]
    own = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    # Published files may hold a second head, for training only, and may lack the counters of batches.
    given = {name: array for name, array in arrays.items() if not name.startswith((head, "AuxLogits."))}
    kept = {name: array for name, array in own.items() if name.startswith(head) or name.endswith(_COUNTER)}
    fill(network, {**kept, **given}, str(start.path))


def fill(network: nn.Module, arrays: Mapping[str, NDArray[np.generic]], origin: str) -> None:
    """Put `arrays`, by name, into a network or its skeleton. Raises EnvironmentFault when they are of another one."""
    own = network.state_dict()
    for name in sorted(own.keys() | arrays.keys()):
        wanted = tuple(own[name].shape) if name in own else None
        given = arrays[name].shape if name in arrays else None
        if wanted != given:
            raise EnvironmentFault(
                f"{origin} does not fit the network: {name} is {given or 'absent'}, should be {wanted or 'absent'}.",
                "Check the architecture, its narrowing and the number of classes.",
            )
    network.load_state_dict(
        {name: torch.from_numpy(np.array(arrays[name])).to(own[name].dtype) for name in own}, assign=True
    )


def _narrow(module: nn.Module, by: int) -> None:
    if isinstance(module, nn.Conv2d):
        module.groups = max(module.groups // by, 1)  # depthwise stays depthwise
        module.in_channels = module.in_channels if module.in_channels == 3 else module.in_channels // by
        module.out_channels //= by
        shape = (module.out_channels, module.in_channels // module.groups, *module.kernel_size)
        module.weight = nn.Parameter(module.weight.new_empty(shape))
        if module.bias is not None:
            module.bias = nn.Parameter(module.bias.new_empty(module.out_channels))
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features //= by
        for name, kind in (("weight", nn.Parameter), ("bias", nn.Parameter), ("running_mean", Tensor)):
            setattr(module, name, kind(getattr(module, name).new_empty(module.num_features)))
        module.running_var = module.running_mean.new_empty(module.num_features)  # type: ignore[union-attr]
    elif isinstance(module, nn.Linear):
        module.in_features //= by
        module.weight = nn.Parameter(module.weight.new_empty(module.out_features, module.in_features))


def _name(architecture: str) -> str:
    if architecture not in ARCHITECTURES:
        raise UsageError(f"there is no network {architecture!r} here.", f"Choose one of {', '.join(ARCHITECTURES)}.")
    return _IN_TIMM.get(architecture, architecture)


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise EnvironmentFault("these networks need timm.", "Install it: pip install 'ganonym[classify]'") from error
    return timm
