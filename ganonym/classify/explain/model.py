"""Grad-CAM of a trained model on the photograph: which network, which layer and which crop, by published system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, portrait_at
from ganonym.classify.crops import ArcFaceCrop, RegionCrops, arcface_matrix
from ganonym.classify.explain.gradcam import REGIONS, drawn_on_photo, grad_cam, region_mass
from ganonym.classify.model_folder import Model
from ganonym.classify.networks.iresnet import IResNet, iresnet_of, normalised
from ganonym.classify.networks.zoo import last_maps
from ganonym.classify.system import OnEmbeddings
from ganonym.classify.systems.cnn import TrainedNetwork
from ganonym.classify.systems.deepgestalt import DeepGestaltTrained, stretched
from ganonym.classify.systems.gestaltmatcher import TrainedGestalt
from ganonym.classify.systems.margin import TrainedMargin
from ganonym.errors import UsageError
from ganonym.faces.align import apply
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.types import RGB, Floats, Points

EXPLAINED = (
    *("deepgestalt", "cnn", "gestaltmatcher", "margin"),
    *("screening", "prototypes", "meta-baseline", "ordinal", "photo-set"),
)
"""Systems whose trained networks, or the recognizer in front of them, end in a map."""


@dataclass(frozen=True, slots=True)
class Explained:
    """`picture` (h, w, 3) the photograph with the map of class `name` over it; `shares` of the map by region, sum 1."""

    name: str
    picture: RGB
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Sight:
    """A network of scores, its last map, one picture as it takes it, cut by `matrix` (photograph → crop of `side`)."""

    network: nn.Module
    layer: nn.Module
    picture: Tensor
    matrix: Floats
    side: int


def explained(model: Model, photo: Path, name: str | None = None, cache: FaceCache | None = None) -> Explained:
    """Where `model` sees the class `name` in a photograph, by default the likeliest one.

    The largest face is looked at. Raises PhotoError when the file cannot be read, UsageError when it shows no face, the
    class is unknown, nothing in the picture speaks for it, or the system has no network that ends in a map.
    """
    names = model.card.names
    if name is not None and name not in names:
        raise UsageError(f"the model knows no class {name!r}.", f"It knows {', '.join(names)}.")
    rgb, faces = read_faces(photo, cache)
    if not faces:
        raise UsageError(f"no face was found in {photo.name}.", "Use a frontal photograph of one person.")
    points = faces[0].points
    face = portrait_at(rgb, points, model.look.crops)
    # Nothing is known of the person: some class or other.
    one = Case(photo.name, photo, photo.name, names[0])
    _, chances = model.chances(Cohort((one,), (face,), names, np.zeros(1, np.intp), ()))
    wanted = int(chances[0].argmax()) if name is None else names.index(name)
    sight = _sight(model, rgb, points)
    maps = grad_cam(sight.network, sight.layer, sight.picture, wanted, (sight.side, sight.side))
    shares = region_mass(maps, apply(sight.matrix, points)[None])[0]
    if np.isnan(shares).any():
        raise UsageError(f"nothing in {photo.name} speaks for {names[wanted]!r}.", "Explain another class.")
    picture = drawn_on_photo(rgb, maps[0], sight.matrix)
    return Explained(names[wanted], picture, dict(zip(REGIONS, shares.tolist(), strict=True)))


def _sight(model: Model, rgb: RGB, points: Points) -> _Sight:
    trained = model.trained
    if isinstance(trained, DeepGestaltTrained):
        if "full" not in trained.networks:
            raise UsageError("this model does not look at the full face.", "Train one with the region full.")
        crops, network = RegionCrops(trained.method.side), trained.networks["full"]
        seen = stretched(crops(rgb, points)[None, :1])
        return _Sight(network, network.base[-1], seen, crops.matrices(points)[0], crops.side)
    if isinstance(trained, TrainedNetwork):
        side = trained.side
        seen = trained.pictures(ArcFaceCrop(side)(rgb, points)[None])
        return _Sight(trained.network, last_maps(trained.network), seen, arcface_matrix(points, side), side)
    if isinstance(trained, (TrainedGestalt, TrainedMargin)):
        return _recognizer(_Scores(trained), trained.network, rgb, points)
    if isinstance(trained, OnEmbeddings):
        recognizer = iresnet_of(model.foundation)
        return _recognizer(_OfEmbeddings(trained, recognizer), recognizer, rgb, points)
    raise UsageError(
        f"{model.recipe.name} looks at landmarks, not at pictures: no map of the face explains it.",
        f"Models of {', '.join(EXPLAINED)} can be explained.",
    )


def _recognizer(scores: nn.Module, network: IResNet, rgb: RGB, points: Points) -> _Sight:
    side = network.form.side
    seen = normalised(ArcFaceCrop(side)(rgb, points)[None])
    return _Sight(scores, network.get_submodule("layer4"), seen, arcface_matrix(points, side), side)


class _Scores(nn.Module):
    """Pictures → scores of classes, through a recognizer and what was trained on top of it."""

    def __init__(self, trained: TrainedGestalt | TrainedMargin) -> None:
        super().__init__()
        self.trained, self.network = trained, trained.network

    def forward(self, pictures: Tensor) -> Tensor:
        if isinstance(self.trained, TrainedGestalt):
            return self.trained.neck.scores(self.network.feature_map(pictures))
        return self.trained.head.logits(self.network(pictures), self.trained.weights)


class _OfEmbeddings(nn.Module):
    """Pictures → scores of classes, through the recognizer that a system starts from and does not train."""

    def __init__(self, trained: OnEmbeddings, network: IResNet) -> None:
        super().__init__()
        self.trained, self.network = trained, network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.trained.logits(functional.normalize(self.network(pictures), dim=1))
