"""A trained classifier as a folder: model.safetensors, model.toml and the recipe. Nothing is pickled."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.numpy import save

from ganonym.checked import refusal
from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.learner import CPU, Arrays, Trained, asked
from ganonym.classify.look import Look
from ganonym.classify.metrics.rates import logits, scaled
from ganonym.classify.model_key import NO_KEY, Key, Learned, Mark
from ganonym.classify.recipe import Chosen, Recipe, parse_recipe
from ganonym.classify.system import Configuration, TrainedSystem
from ganonym.classify.systems import configured
from ganonym.errors import EnvironmentFault, GanonymError, UsageError
from ganonym.files import discard, make_folder
from ganonym.pseudonym import read_or_create_key
from ganonym.types import Floats
from ganonym.weights import read_tensors

FORMAT = 3
"""1 held digests of photographs that anybody could compare with those of a guessed photograph; 2 knew no people."""
WEIGHTS, CARD, RECIPE = "model.safetensors", "model.toml", "recipe.toml"
_RESTORE = "Restore it, or train anew."


Setting: TypeAlias = bool | int | float | str | Annotated[tuple[str, ...], Field(strict=False)]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Card(BaseModel):
    """What a model is: of which `settings` and `seed`, whom it knows, and of whom it learned.

    `names` of its classes in order; `photos` and `subjects` learned from; `simulated`: phantoms were among them.
    `temperature`: what its scores are divided by, 1 as learned. `foundation`: SHA-256 over the parameters of the
    network it started from. `seen` and `people`: keyed digests of the photographs (`Key.digest_of`) and of the subjects
    (`Key.person_of`), so that whoever has the key notices a test on any of them; `key` says which key it was. The
    digests tell nothing to whoever has no key. The weights beside them may: the mean of a class of one person is that
    person's embedding, so that a model is as private as the photographs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    settings: Mapping[str, Setting]
    seed: int
    names: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=2)]
    photos: Annotated[int, Field(ge=1)]
    subjects: Annotated[int, Field(ge=1)]
    simulated: bool
    foundation: Sha256
    temperature: Annotated[float, Field(gt=0)] = 1.0
    seen: tuple[Mark, ...] = ()
    people: tuple[Mark, ...] = ()
    key: Mark = NO_KEY


class _File(Card):
    """The card as it is written, with the digest of the weights and names beside it."""

    temperature: Annotated[float, Field(gt=0)]
    seen: tuple[Mark, ...]
    people: tuple[Mark, ...]
    key: Mark
    weights: Sha256


@dataclass(frozen=True, slots=True)
class Model:
    """A classifier that is ready for portraits. `foundation`: the network it started from, empty where from none."""

    recipe: Recipe
    card: Card
    configuration: Configuration
    look: Look
    trained: TrainedSystem
    foundation: Arrays = field(repr=False, compare=False)

    def chances(self, cohort: Cohort) -> tuple[Seen, Floats]:
        """What the model sees of a cohort, and its probabilities (m, c) of the classes `card.names`."""
        seen = self.look(cohort)
        chances = asked(self.trained, seen.inputs)
        return seen, chances if self.card.temperature == 1.0 else scaled(logits(chances), self.card.temperature)

    def learned_from(self, cases: Sequence[Case], key: Key) -> Learned:
        """Which photographs and which people the model has learned from: a test on them proves nothing.

        Raises UsageError when `key` is another than that of its training, and OSError.
        """
        if key.mark != self.card.key:
            raise UsageError("this is not the key with which the model was trained.", "Give the right key file.")
        seen, people = set(self.card.seen), set(self.card.people)
        photos: list[str] = []
        others: dict[str, str] = {}
        for case in cases:
            person = key.person_of(case)
            if key.digest_of(case) in seen:
                photos.append(case.image)
            elif person is not None and person in people:
                others.setdefault(person, case.image)
        return Learned(tuple(photos), tuple(others.values()))


def learned_model(chosen: Chosen, cohort: Cohort, seen: Seen, seed: int) -> Model:
    """What the system learns from a cohort that it has `seen`, ready to be asked. UsageError when training diverged."""
    trained = chosen.system.method.learn(seen.inputs, seen.classes, len(cohort.names), seed)
    asked(trained, seen.inputs[:16])  # what says nothing is not kept
    card = Card(
        settings=chosen.configuration.model_dump(),
        seed=seed,
        names=cohort.names,
        photos=len(cohort.cases),
        subjects=len(set(cohort.subjects)),
        simulated=cohort.simulated,
        foundation=digest(chosen.foundation),
    )
    return Model(chosen.recipe, card, chosen.configuration, chosen.system.look, trained, chosen.foundation)


def digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and values, hex."""
    hashed = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        hashed.update(f"{name} {array.dtype} {array.shape}\0".encode())
        hashed.update(array.tobytes())  # row by row, however it lies in memory
    return hashed.hexdigest()


def check_new(folder: Path) -> None:
    """Raises UsageError for a folder that cannot be made, or that holds a model already."""
    if (folder / CARD).exists():
        raise UsageError(f"{folder} already holds a model.", "Choose another folder.")
    if any(path.exists() and not path.is_dir() for path in (folder, *folder.parents)):
        raise UsageError(f"{folder} cannot be a folder: there is a file in its place.", "Choose another.")


def save_model(folder: Path, recipe: Recipe, card: Card, trained: Trained) -> None:
    """Write a new folder. Raises as `check_new` does, and EnvironmentFault when it cannot be written."""
    check_new(folder)
    # Not ascontiguousarray, which makes a row of one of a number (NumPy: "ndim >= 1"): such a file fits no network.
    arrays = {name: np.asarray(array, order="C") for name, array in trained.arrays.items()}
    fields = card.model_dump(exclude={"settings"}) | {"seen": sorted(card.seen), "people": sorted(card.people)}
    sealed = {"format": FORMAT, **fields, "weights": _sealed(arrays, card.names)}
    text = tomli_w.dumps(sealed | {"settings": dict(sorted(card.settings.items()))})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).write_bytes(save(arrays))
        (folder / RECIPE).write_text(recipe.text, "utf-8")
        (folder / CARD).write_text(text, "utf-8")
    except OSError as error:
        raise EnvironmentFault(f"cannot write {folder}: {error.strerror}.", "Check space and permissions.") from error


def keep_model(
    folder: Path, key_file: Path, model: Model, cases: Sequence[Case], in_memory: Sequence[Case] = ()
) -> Card:
    """Write `model` to a new folder, with digests of who is on `cases` in its card; return the card as written.

    The key of the digests is in `key_file`; it is made where there is none, and goes again when nothing can be written.
    Of photographs that were `in_memory` only the people are known again. Raises as `save_model` and
    `read_or_create_key` do, UsageError for a key inside the folder, and OSError for a photograph that has gone.
    """
    check_new(folder)
    if folder.absolute() in key_file.absolute().parents:
        raise UsageError(f"the key {key_file} would be shared with the model.", "Keep it outside of the folder.")
    new = not key_file.exists()
    make_folder(key_file.parent, 0o700)
    key = Key(read_or_create_key(key_file))
    try:
        marks = {
            "seen": tuple(key.digest_of(case) for case in cases),
            "people": tuple({person for case in (*cases, *in_memory) if (person := key.person_of(case)) is not None}),
            "key": key.mark,
        }
        written = model.card.model_copy(update=marks)
        save_model(folder, model.recipe, written, model.trained)
    except (GanonymError, OSError):
        if new:  # a key of no model
            discard(key_file)
        raise
    return written


def load_model(folder: Path, find_foundation: Callable[[str], Arrays], device: str = CPU) -> Model:
    """Read a folder that `save_model` wrote. Raises EnvironmentFault when a file lacks, is damaged, or is of another
    pretrained network than `find_foundation` gives by the name of the bundled one (`encoders.read_foundation`), which
    is asked only where the system starts from one. `device`: where its networks compute.
    """
    file, text = _read(folder)
    card = Card(**file.model_dump(exclude={"weights"}))
    try:
        recipe = parse_recipe(text, str(folder / RECIPE))
        configuration = configured(recipe.system, card.settings)
    except UsageError as error:
        raise EnvironmentFault(f"the model in {folder} is damaged: {error.message}", _RESTORE) from error
    foundation = find_foundation(configuration.bundled_start) if configuration.pretrained_start else {}
    if card.foundation != digest(foundation):
        raise EnvironmentFault(
            f"the model in {folder} started from another recognizer.", "Give its file as encoder, and its sha256."
        )
    arrays, _ = read_tensors(folder / WEIGHTS)
    if _sealed(arrays, card.names) != file.weights:
        raise EnvironmentFault(f"{folder / WEIGHTS} is not what the model's card says, or its names are not.", _RESTORE)
    system = configuration.system(foundation, device)
    return Model(recipe, card, configuration, system.look, system.method.restore(arrays, len(card.names)), foundation)


def foundation_of(folder: Path) -> str:
    """The digest of the network that the model in `folder` started from. EnvironmentFault without a whole card."""
    return _read(folder)[0].foundation


def _read(folder: Path) -> tuple[_File, str]:
    """Card and recipe."""
    try:
        fields = tomllib.loads((folder / CARD).read_text("utf-8"))
        text = (folder / RECIPE).read_text("utf-8")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EnvironmentFault(f"{folder} holds no model ({error}).", "Train one: ganonym classify train") from error
    if (version := fields.pop("format", None)) != FORMAT:
        advice = " Its card tells who holds it which photographs it learned from: delete it." * (version == 1)
        raise EnvironmentFault(
            f"{folder} is a model of format {version}; this version reads {FORMAT}.{advice}", "Train it anew."
        )
    # TOML has lists only.
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    try:
        card = _File.model_validate(fields)
    except ValidationError as error:
        damage = refusal(error, f"{folder / CARD} is damaged")
        raise EnvironmentFault(damage.message, _RESTORE) from None
    if len(set(card.names)) < len(card.names):
        raise EnvironmentFault(f"{folder / CARD} is damaged: names: a class is there twice.", _RESTORE)
    return card, text


def _sealed(arrays: Arrays, names: Sequence[str]) -> str:
    """The digest of weights and of the classes that they tell apart: with other names they would call other classes."""
    return digest({**arrays, "": np.frombuffer(json.dumps(list(names)).encode(), np.uint8)})
