"""A published system to use from Python: learn from photos, ask, explain, keep, read again.

Model folders are those of `ganonym classify`: what was trained here can be asked there, and the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from ganonym.classify.case import Case, check_two, roster
from ganonym.classify.cohort import Cohort, Crop, Portrait, portrait_at, portraits, seen_cohort
from ganonym.classify.encoders import read_foundation
from ganonym.classify.learner import CPU
from ganonym.classify.model_folder import Model, keep_model, learned_model, load_model
from ganonym.classify.model_key import key_place
from ganonym.classify.recipe import Chosen, Encoder, Preset, chosen_system, load_recipe
from ganonym.classify.studies.model import Explained, explained, explained_face
from ganonym.classify.system import Configuration
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.find import find_faces, reading_backends
from ganonym.types import RGB

Photo: TypeAlias = str | Path | RGB | Image.Image
"""A file, an RGB array (h, w, 3) uint8 or a picture of PIL."""


class Classifier:
    """A published facial-syndrome classifier, or one that another package brings (`systems`).

    `recipe`: its name (`recipe.recipe_names`) or one's own TOML file. `preset`: "small" for two cores, or "full" as
    published. `changes` are settings of the recipe by name, such as epochs=5. `encoder`: the safetensors file of a
    pretrained network to start from, with its `sha256`; by default the bundled one, which has seen virtual people only,
    so that the full preset asks for one. `device`: where networks of faces compute, as torch names it.

    Raises UsageError for a recipe, preset or setting that cannot be, or a choice that does nothing for this recipe;
    EnvironmentFault for a file that is not the one declared.

    >>> from ganonym.phantom.cohort import phantom_cohort
    >>> photos = [photo.rgb for photo in phantom_cohort(4, photos=1, seed=0)]  # drawn faces of nobody
    >>> model = Classifier("fas-measurement", strength=0.1).fit(photos, ["patient", "control"] * 2)
    >>> [name for name, probability in model.predict(photos[:1])[0]]
    ['patient', 'control']
    >>> model.predict([np.zeros((90, 90, 3), np.uint8)])  # nobody
    [None]

    What a model says is no diagnosis, but a similarity to what it learned from. A model may be as private as the
    photos that it learned from.
    """

    def __init__(
        self,
        recipe: str | Path = "deepgestalt",
        preset: Preset = "small",
        *,
        encoder: str | Path | None = None,
        sha256: str | None = None,
        device: str = CPU,
        **changes: bool | int | float | str | Sequence[str],
    ) -> None:
        self.recipe = load_recipe(recipe)
        usual = self.recipe.preset(preset)
        self.configuration: Configuration = usual.changed(**changes).refuse_idle(tuple(changes))
        network = Encoder(None if encoder is None else Path(encoder), sha256)
        self._chosen = chosen_system(self.recipe, self.configuration, preset, network, device)
        self._model: Model | None = None
        self._files: tuple[Case, ...] = ()
        self._in_memory: tuple[Case, ...] = ()
        self.left_out: tuple[tuple[str, str], ...] = ()

    @property
    def model(self) -> Model:
        """What was learned. Raises UsageError before `fit` or `load`."""
        if self._model is None:
            raise UsageError(f"this {self.recipe.name} has learned nothing yet.", "Call fit first, or load a model.")
        return self._model

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that it knows, in alphabetical order. Raises UsageError before `fit` or `load`."""
        return self.model.card.names

    def fit(
        self,
        photos: Sequence[Photo],
        labels: Sequence[str],
        people: Sequence[str] | None = None,
        seed: int = 0,
        jobs: int = 1,
    ) -> Self:
        """Learn `labels` (n,) from the largest faces of `photos` (n,), whose subjects are `people` (n,).

        Without `people` every photo is of somebody else. The same `seed` gives the same weights. Files are read by
        `jobs` processes. Photos without a face, or that cannot be read, are in `left_out` with the reason. Raises
        UsageError where the lengths differ, all labels are one, nobody is left, or training diverges; EnvironmentFault
        without weights or libraries.
        """
        cases = _cases(photos, labels, people)
        listed = roster(cases)
        check_two(listed)
        self._chosen.check(listed)
        system = self._chosen.system
        cohort = seen_cohort(cases, listed, _portraits(photos, system.look.crops, jobs))
        check_two(cohort)
        self._chosen.check(cohort)
        self._model = learned_model(self._chosen, cohort, system.look(cohort), seed)
        files = {str(photo) for photo in photos if isinstance(photo, str | Path)}
        self._files = tuple(case for case in cohort.cases if case.image in files)
        self._in_memory = tuple(case for case in cohort.cases if case.image not in files)
        self.left_out = cohort.left_out
        return self

    def predict(self, photos: Sequence[Photo], jobs: int = 1) -> list[list[tuple[str, float]] | None]:
        """The classes of each photo's largest face, likeliest first, each with its probability 0 … 1 (they sum to 1).

        None for a photo without a face. Raises PhotoError for a file that cannot be read, UsageError before `fit`.
        """
        model, names = self.model, self.classes
        # Nothing is known of them: every photo is a person of its own, of some class or other.
        cases = [Case(str(row), Path(str(row)), str(row), names[0]) for row in range(len(photos))]
        faces = _portraits(photos, model.look.crops, jobs)
        shown: list[tuple[Case, Portrait]] = []
        for case, face in zip(cases, faces, strict=True):
            if isinstance(face, PhotoError):
                raise face
            if face is not None:
                shown.append((case, face))
        answers: dict[str, list[tuple[str, float]]] = {}
        if shown:
            asked_of, looks = zip(*shown, strict=True)
            cohort = Cohort(tuple(asked_of), tuple(looks), names, np.zeros(len(shown), np.intp), ())
            seen, chances = model.chances(cohort)
            for image, row in zip(seen.images, chances, strict=True):
                order = np.argsort(-row, kind="stable").tolist()
                answers[image] = [(names[place], float(row[place])) for place in order]
        return [answers.get(case.image) for case in cases]

    def explain(self, photo: Photo, label: str | None = None) -> Explained:
        """Where on the face of a photo the network saw the class `label`, by default the likeliest (Grad-CAM).

        Raises PhotoError for a file that cannot be read, UsageError for a photo without a face, an unknown label, a
        system that looks at no picture, or when nothing in it speaks for the class.
        """
        if isinstance(photo, str | Path):
            return explained(self.model, Path(photo), label)
        rgb = _rgb(photo)
        faces = find_faces(rgb, *reading_backends())
        if not faces:
            raise UsageError("no face was found in the photo.", "Use a frontal photograph of one person.")
        return explained_face(self.model, rgb, faces[0].points, "the photo", label)

    def save(self, folder: str | Path, key_file: str | Path | None = None) -> Path:
        """Write what was learned to a new `folder`: weights, card and recipe. Nothing is pickled.

        The key by which the model knows again whom it learned from is kept at `key_file`, by default in `private`
        beside the folder, and made there when there is none: never share it. Photos that were given as arrays are not
        known again. Raises UsageError before `fit`, for a folder that holds a model, or for a model that was read from
        a folder (copy that); EnvironmentFault when nothing can be written, and then leaves no new key.
        """
        model, place = self.model, Path(folder)
        if not (self._files or self._in_memory):
            raise UsageError("this model was read from a folder.", "Copy that folder.")
        secret = key_place(place) if key_file is None else Path(key_file)
        keep_model(place, secret, model, self._files, self._in_memory)
        return place

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        encoder: str | Path | None = None,
        sha256: str | None = None,
        device: str = CPU,
    ) -> Self:
        """The model in a folder that `save` or `ganonym classify train` wrote; `encoder` is what it started from.

        Raises EnvironmentFault when a file lacks, is damaged, or the model started from another network.
        """
        start = None if encoder is None else Path(encoder)
        model = load_model(Path(folder), partial(read_foundation, start, sha256), device)
        read = cls.__new__(cls)
        read.recipe, read.configuration = model.recipe, model.configuration
        system = model.configuration.system(model.foundation, device)
        read._chosen = Chosen(model.recipe, model.configuration, model.foundation, system)
        read._model, read._files, read._in_memory, read.left_out = model, (), (), ()
        return read


def _cases(photos: Sequence[Photo], labels: Sequence[str], people: Sequence[str] | None) -> list[Case]:
    """Each photo as a case; without `people` a subject of its own, who is called like the photo."""
    for what, given in (("labels", labels), ("people", people)):
        if given is not None and len(given) != len(photos):
            raise UsageError(f"there are {len(photos)} photos, but {len(given)} {what}.", "Give one of each photo.")
    names = [str(photo) if isinstance(photo, str | Path) else f"photo {row}" for row, photo in enumerate(photos)]
    if len(set(names)) < len(names):
        raise UsageError("a file is given twice.", "Give each once.")
    subjects = names if people is None else people
    return [
        Case(name, Path(name), str(subject), str(label))
        for name, subject, label in zip(names, subjects, labels, strict=True)
    ]


def _portraits(photos: Sequence[Photo], crops: tuple[Crop, ...], jobs: int) -> list[Portrait | PhotoError | None]:
    """The largest face of each photo: files in other processes, which may die of them; pictures here."""
    files = [Path(photo) for photo in photos if isinstance(photo, str | Path)]
    read = iter(portraits(files, crops, jobs) if files else [])
    return [next(read) if isinstance(photo, str | Path) else _portrait(_rgb(photo), crops) for photo in photos]


def _portrait(rgb: RGB, crops: tuple[Crop, ...]) -> Portrait | None:
    faces = find_faces(rgb, *reading_backends())
    return portrait_at(rgb, faces[0].points, crops) if faces else None


def _rgb(photo: RGB | Image.Image) -> RGB:
    if isinstance(photo, Image.Image):
        return np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
    if not (isinstance(photo, np.ndarray) and photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3):
        form = f"an array {photo.shape} of {photo.dtype}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise UsageError(f"{form} is no photo.", "Give a file, RGB (h, w, 3) uint8, or a picture of PIL.")
    return photo
