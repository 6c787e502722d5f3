"""A trained model that is asked: the folder and the key beside it, what it says of photographs, and where it looks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ganonym.classify.case import Case
from ganonym.classify.chosen import BUNDLED, Encoder, refuse_encoder
from ganonym.classify.cohort import gather
from ganonym.classify.encoders import read_foundation
from ganonym.classify.metrics.rates import ranked
from ganonym.classify.model_folder import Model, load_model
from ganonym.classify.model_key import Key, key_place
from ganonym.classify.studies.study import Remark, device_of, reasons_of
from ganonym.errors import UsageError
from ganonym.faces.cache import FaceCache
from ganonym.pseudonym import read_key


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

    def payload(self) -> dict[str, Any]:
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
        raise UsageError(f"no key can be written to {place}: {there} is no folder to write in.", "Give --key-file.")


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
        "Whoever trained it has one; give it with --key-file. If it has, the rates say nothing."
    )
    return Remark(text, warning=True)
