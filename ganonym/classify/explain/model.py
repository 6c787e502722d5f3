"""Grad-CAM of a trained model on a photo: where on the face it saw a class. What a system looks at, its file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, portrait_at
from ganonym.classify.explain.gradcam import REGIONS, drawn_on_photo, grad_cam, region_mass
from ganonym.classify.model_folder import Model
from ganonym.classify.systems import SYSTEMS, configuration_of
from ganonym.errors import UsageError
from ganonym.faces.align import apply
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.types import RGB, Points


@dataclass(frozen=True, slots=True)
class Explained:
    """`picture` (h, w, 3) the photograph with the map of class `name` over it; `shares` of the map by region, sum 1."""

    name: str
    picture: RGB
    shares: Mapping[str, float]


def explained(model: Model, photo: Path, name: str | None = None, cache: FaceCache | None = None) -> Explained:
    """Where `model` sees the class `name` in a photograph, by default the likeliest one.

    The largest face is looked at. Raises PhotoError when the file cannot be read, UsageError when it shows no face, the
    class is unknown, nothing in the picture speaks for it, or the system has no network that ends in a map.
    """
    rgb, faces = read_faces(photo, cache)
    if not faces:
        raise UsageError(f"no face was found in {photo.name}.", "Use a frontal photograph of one person.")
    return explained_face(model, rgb, faces[0].points, photo.name, name)


def explained_face(model: Model, rgb: RGB, points: Points, photo: str, name: str | None = None) -> Explained:
    """As `explained`, of the face with landmarks `points` (68, 2) in `rgb` (h, w, 3); `photo` is its name in errors."""
    names = model.card.names
    if name is not None and name not in names:
        raise UsageError(f"the model knows no class {name!r}.", f"It knows {', '.join(names)}.")
    if not model.configuration.network_of_faces:
        others = [kind for kind in SYSTEMS if configuration_of(kind).network_of_faces]
        raise UsageError(
            f"{model.recipe.name} looks at landmarks, not at pictures: no map of the face explains it.",
            f"Models of {', '.join(others)} can be explained.",
        )
    portrait = portrait_at(rgb, points, model.look.crops)
    # Nothing is known of the person: some class or other.
    case = Case(photo, Path(photo), photo, names[0])
    _, chances = model.chances(Cohort((case,), (portrait,), names, np.zeros(1, np.intp), ()))
    wanted = int(chances[0].argmax()) if name is None else names.index(name)
    sight = model.trained.sight(rgb, points, model.foundation)
    maps = grad_cam(sight.network, sight.layer, sight.picture, wanted, (sight.side, sight.side))
    shares = region_mass(maps, apply(sight.matrix, points)[None])[0]
    if np.isnan(shares).any():
        raise UsageError(f"nothing in {photo} speaks for {names[wanted]!r}.", "Explain another class.")
    picture = drawn_on_photo(rgb, maps[0], sight.matrix)
    return Explained(names[wanted], picture, dict(zip(REGIONS, shares.tolist(), strict=True)))
