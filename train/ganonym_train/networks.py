"""The fixed networks that look at whole synthesized faces during training, as plain differentiable functions."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from torch import Tensor

from ganonym_train.terms import FaceNetwork, Landmarker


def landmarker_of(path: Path) -> Landmarker:
    """Pictures (n, 3, 256, 256) in −1…1 → landmarks (n, 68, 2) in canvas pixels, by the landmark network at `path`.

    Raises EnvironmentFault for weights of anything else.
    """
    from ganonym.faces.landmark_network import load_landmark_network, points_on_canvas

    network = deepcopy(load_landmark_network(path))
    return lambda pictures: points_on_canvas(network.to(pictures.device), pictures)


def face_network_of(path: Path) -> FaceNetwork:
    """The encoder whose weights are at `path`, for the identity terms. Raises EnvironmentFault for anything else.

    Not the bundled weights, which judge the results: train others with another seed.
    """
    from ganonym.faces.encoder import load_encoder, to_input

    network = deepcopy(load_encoder(path))

    def embed(pictures: Tensor) -> Tensor:
        vectors: Tensor = network.to(pictures.device)(to_input(pictures))
        return vectors

    def features(pictures: Tensor) -> list[Tensor]:
        network.to(pictures.device)
        x, maps = to_input(pictures), []
        for layer in (network.stem, network.at28, network.at14, network.at7):
            x = layer(x)
            maps.append(x)
        return maps

    return FaceNetwork(embed, features)
