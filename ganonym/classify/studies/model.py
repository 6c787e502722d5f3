"""A trained model that is asked: the folder and the key beside it, what it says of photographs, and where it looks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, gather, portrait_at
from ganonym.classify.encoders import read_foundation
from ganonym.classify.explain.gradcam import REGIONS, drawn_on_photo, grad_cam, region_mass
from ganonym.classify.metrics.rates import ranked
from ganonym.classify.model_folder import Model, load_model
from ganonym.classify.model_key import Key, key_place
from ganonym.classify.recipe import BUNDLED, Encoder, refuse_encoder
from ganonym.classify.studies.study import Remark, device_of, reasons_of
from ganonym.classify.systems import SYSTEMS, configuration_of
from ganonym.errors import UsageError
from ganonym.faces.align import apply
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.pseudonym import read_key
from ganonym.types import RGB, Payload, Points


@dataclass(frozen=True, slots=True)
class Opened:
    """A trained model, and a word on where it computes."""

    model: Model
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Predictions:
    """The likeliest classes (name, probability) of each photograph, by its path, the first the likeliest.

    `left_out`: (path, reason) of those without; `simulated`: the model learned from phantoms.
    """

    photos: dict[str, list[tuple[str, float]]]
    left_out: tuple[tuple[str, str], ...]
    simulated: bool

    @property
    def remarks(self) -> list[Remark]:
        remarks = [Remark(f"{image}: {reason}", warning=True) for image, reason in self.left_out]
        return remarks + [Remark("The model learned from SIMULATED syndromes.")] * self.simulated

    def payload(self) -> Payload:
        """For JSON."""
        photos = {
            image: [{"name": name, "probability": chance} for name, chance in classes]
            for image, classes in self.photos.items()
        }
        return {"simulated": self.simulated, "photos": photos, "left_out": reasons_of(self.left_out, "photo")}


def opened(folder: Path, encoder: Encoder = BUNDLED, device: str = "auto") -> Opened:
    """A trained model. Raises UsageError for a network that it does not start from, and as `load_model` does."""
    place, remarks = device_of(device)
    model = load_model(folder, partial(read_foundation, encoder.path, encoder.sha256), place)
    if not model.foundation:
        refuse_encoder(encoder, model.recipe.name)
    return Opened(model, remarks)


def predict(
    model: Model, photos: Sequence[Path], top: int = 5, jobs: int = 1, cache: FaceCache | None = None
) -> Predictions:
    """The `top` classes of each photograph. No diagnosis: a similarity to what the model learned from.

    Raises UsageError when no photograph can be used.
    """
    names = model.card.names
    # Nothing is known of them: every photo is a person of its own, of some class or other.
    cases = [Case(str(path), path, str(path), names[0]) for path in photos]
    cohort = gather(cases, jobs, names, crops=model.look.crops, cache=cache)
    seen, chances = model.chances(cohort)
    listed = {
        image: [(names[index], float(row[index])) for index in order[:top]]
        for image, row, order in zip(seen.images, chances, ranked(chances), strict=True)
    }
    return Predictions(listed, cohort.left_out, model.card.simulated)


def check_photos(photos: Sequence[Path]) -> None:
    """Raises UsageError for a photograph that is not there."""
    absent = [path for path in photos if path.is_dir() or not path.exists()]
    if absent:
        more = f" (nor {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise UsageError(f"there is no photo {absent[0]}{more}.", "Check the path; of a folder, give its files.")


def check_key(place: Path) -> None:
    """Raises UsageError for a key that is there and cannot be one, or a place where none can be made.

    Before long work, which must not be lost for want of a key.
    """
    if place.exists():
        read_key(place)
        return
    there = next(folder for folder in place.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"no key can be written to {place}: {there} is no folder to write in.",
            "Name another key file (--key-file).",
        )


def key_of(folder: Path, key_file: Path | None = None) -> Key | None:
    """The key by which the model in `folder` knows whom it learned from; None where it is not there.

    Raises UsageError when `key_file` is not there, or cannot be a key.
    """
    place = key_file or key_place(folder)
    if key_file is None and not place.exists():
        return None
    return Key(read_key(place))


def unchecked(folder: Path) -> Remark:
    """The warning that a test may be on what a model has learned from."""
    text = (
        f"Nobody checked whether {folder} has learned from these photographs or people: there is no key "
        f"{key_place(folder)}. "
        "Whoever trained it has one; give it as key file (--key-file). If it has, the rates say nothing."
    )
    return Remark(text, warning=True)


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
