"""Grad-CAM of a trained model: which network, which layer and which crop, by published system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ganonym.classify.case import Case
from ganonym.classify.classifier import Trained
from ganonym.classify.cohort import gather
from ganonym.classify.crops.arcface import arcface_crop, arcface_matrix
from ganonym.classify.crops.regions import region_boxes, region_crops
from ganonym.classify.explain.gradcam import grad_cam
from ganonym.classify.explain.region_mass import REGIONS, overlay, region_mass
from ganonym.classify.methods.cnn import TrainedNetwork
from ganonym.classify.methods.deepgestalt import DeepGestaltTrained, stretched
from ganonym.classify.methods.gestaltmatcher import TrainedGestalt
from ganonym.classify.methods.margin import TrainedMargin
from ganonym.classify.model_folder import Model
from ganonym.classify.networks.iresnet import normalised
from ganonym.classify.networks.zoo import last_maps
from ganonym.classify.portrait import Portrait
from ganonym.errors import UsageError
from ganonym.faces.align import apply
from ganonym.types import RGB, Points

CROP = 112


@dataclass(frozen=True, slots=True)
class Explained:
    """`picture` (h, w, 3) the crop with the map of class `name` over it; `shares` of the map by region, sum 1."""

    name: str
    picture: RGB
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Sight:
    """A network of scores, its last map, one picture as it takes it, and the crop (h, w, 3) with landmarks on it."""

    network: nn.Module
    layer: nn.Module
    picture: Tensor
    crop: RGB
    points: Points


def explained(model: Model, photo: Path, name: str | None = None) -> Explained:
    """Where `model` sees the class `name` in a photograph, by default the likeliest one.

    Raises UsageError when the photograph cannot be used, the class is unknown, nothing in the picture speaks for it, or
    the system has no network that ends in a map.
    """
    names = model.card.names
    cohort = gather([Case(photo.name, photo, photo.name, names[0])], names=names)
    if name is not None and name not in names:
        raise UsageError(f"the model knows no class {name!r}.", f"It knows {', '.join(names)}.")
    _, chances = model.chances(cohort)
    wanted = int(chances[0].argmax()) if name is None else names.index(name)
    sight = _sight(model.trained, cohort.portraits[0])
    maps = grad_cam(sight.network, sight.layer, sight.picture, wanted, sight.crop.shape[:2])
    shares = region_mass(maps, sight.points[None])[0]
    if np.isnan(shares).any():
        raise UsageError(f"nothing in {photo.name} speaks for {names[wanted]!r}.", "Explain another class.")
    return Explained(names[wanted], overlay(sight.crop, maps[0]), dict(zip(REGIONS, shares.tolist(), strict=True)))


def _sight(trained: Trained, face: Portrait) -> _Sight:
    if isinstance(trained, DeepGestaltTrained):
        if "full" not in trained.networks:
            raise UsageError("this model does not look at the full face.", "Train one with the region full.")
        side, network = trained.method.side, trained.networks["full"]
        left, top, right, _ = region_boxes(face.points)[0]
        crop = region_crops(face, side)[0]
        points = (face.points + 0.5 - [left + 0.5, top + 0.5]) * (side / (right - left)) - 0.5
        return _Sight(network, network.base[-1], stretched(crop[None, None]), np.stack([crop] * 3, axis=-1), points)
    if isinstance(trained, TrainedNetwork):
        crop = arcface_crop(face, CROP)
        seen = trained.pictures(crop[None])
        return _Sight(trained.network, last_maps(trained.network), seen, crop, _on_crop(face, CROP))
    if isinstance(trained, (TrainedGestalt, TrainedMargin)):
        side = trained.network.form.side
        crop = arcface_crop(face, side)
        scores = _Scores(trained)
        return _Sight(
            scores, trained.network.get_submodule("layer4"), normalised(crop[None]), crop, _on_crop(face, side)
        )
    raise UsageError("this system has no network that could be explained by maps.", "Explain a network of pictures.")


def _on_crop(face: Portrait, side: int) -> Points:
    return apply(arcface_matrix(face.points, side), face.points)


class _Scores(nn.Module):
    """Pictures → scores of classes, through a recognizer and what was trained on top of it."""

    def __init__(self, trained: TrainedGestalt | TrainedMargin) -> None:
        super().__init__()
        self.trained, self.network = trained, trained.network

    def forward(self, pictures: Tensor) -> Tensor:
        if isinstance(self.trained, TrainedGestalt):
            return self.trained.neck.scores(self.network.feature_map(pictures))
        return self.trained.head.logits(self.network(pictures), self.trained.weights)
