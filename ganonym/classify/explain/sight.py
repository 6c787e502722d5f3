"""What Grad-CAM needs of a trained system: a network, the layer of its last map, and a picture as it is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.crops import ArcFaceCrop, arcface_matrix
from ganonym.classify.networks.iresnet import IResNet, iresnet_of, normalised
from ganonym.classify.system import Arrays
from ganonym.errors import UsageError
from ganonym.types import RGB, Floats, Points

Scores: TypeAlias = Callable[[Tensor], Tensor]
"""Pictures, or embeddings of unit length (n, ...) → scores (n, c), of which the higher speaks more for its class."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`network` gives scores of `picture` (1, ...), cut by `matrix` (photo → crop of `side` px); `layer` is its map."""

    network: nn.Module
    layer: nn.Module
    picture: Tensor = field(repr=False)
    matrix: Floats
    side: int


def through_recognizer(scores: Scores, network: IResNet, rgb: RGB, points: Points) -> Sight:
    """Of a system whose `scores` of pictures are made by way of the recognizer `network`."""
    side = network.form.side
    picture = normalised(ArcFaceCrop(side)(rgb, points)[None])
    return Sight(_Scored(scores, network), network.get_submodule("layer4"), picture, arcface_matrix(points, side), side)


def through_embeddings(scores: Scores, foundation: Arrays, rgb: RGB, points: Points) -> Sight:
    """Of a system whose `scores` are of embeddings by the recognizer that it starts from and does not train."""
    recognizer = iresnet_of(foundation)
    return through_recognizer(
        lambda pictures: scores(functional.normalize(recognizer(pictures), dim=1)), recognizer, rgb, points
    )


def no_sight(what: str) -> UsageError:
    """The error of a system that looks at `what`, of which there is no map."""
    return UsageError(f"this system looks at {what}, not at pictures: no map of the face explains it.")


class _Scored(nn.Module):
    """Pictures → scores; `network`, through which they go, is a part of it, so that its layers are found."""

    def __init__(self, scores: Scores, network: nn.Module) -> None:
        super().__init__()
        self.scores, self.network = scores, network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.scores(pictures)
