"""A trained classifier as a folder: model.safetensors, model.toml and the recipe. Nothing is pickled."""

from __future__ import annotations

import hashlib
import hmac
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.numpy import save

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.metrics.rates import logits, scaled
from ganonym.classify.recipe import Recipe, parse_recipe
from ganonym.classify.system import CPU, Arrays, Configuration, Look, Trained, TrainedSystem, asked
from ganonym.classify.systems import configured
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.subjects import canonical_id
from ganonym.types import Floats
from ganonym.weights import read_tensors, sha256_file

FORMAT = 3
"""1 held digests of photographs that anybody could compare with those of a guessed photograph; 2 knew no people."""
WEIGHTS, CARD, RECIPE = "model.safetensors", "model.toml", "recipe.toml"
PRIVATE, KEY = "private", ".key"
_RESTORE = "Restore it, or train anew."


Setting: TypeAlias = bool | int | float | str | Annotated[tuple[str, ...], Field(strict=False)]
Mark: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
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
    seen: tuple[Mark, ...]
    people: tuple[Mark, ...]
    key: Mark
    temperature: Annotated[float, Field(gt=0)] = 1.0


class _File(Card):
    """The card as it is written, with the digest of the weights and names beside it."""

    temperature: Annotated[float, Field(gt=0)]
    weights: Sha256


@dataclass(frozen=True, slots=True)
class Key:
    """Secret bytes, kept outside the model's folder (`key_place`), by which it knows again whom it learned from."""

    secret: bytes = field(repr=False)

    def digest_of(self, case: Case) -> str:
        """HMAC-SHA256 of a photograph's file, 32 hex digits. Raises OSError."""
        return self._mac("seen", sha256_file(case.path))

    def person_of(self, case: Case) -> str | None:
        """HMAC-SHA256 of a subject in whatever spelling (`canonical_id`), 32 hex digits.

        None where nobody gave the photograph a subject, so that it is called by its own file: that says of nobody who
        it is.
        """
        if case.subject in (str(case.path), case.path.name):
            return None
        return self._mac("subject", canonical_id(case.subject))

    @property
    def mark(self) -> str:
        """A name for the key, of which the key cannot be guessed, 32 hex digits."""
        return self._mac("key", "")

    def _mac(self, use: str, text: str) -> str:
        return hmac.new(self.secret, f"ganonym/classifier/{use}\0{text}".encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Learned:
    """Of what is to be tested: the images of `photos` that a model has learned from, and one image each of `people` of
    whom it has learned from other photographs."""

    photos: tuple[str, ...]
    people: tuple[str, ...]

    def words(self, tested: str) -> str:
        """What it has learned from, of what is `tested`; "" where nothing.

        >>> Learned((), ("a/1.png",)).words("these photographs")
        'other photographs of 1 of the people on these photographs, of who is on a/1.png among them'
        """
        parts = [f"{len(self.photos)} of {tested}, {self.photos[0]} among them"] if self.photos else []
        if self.people:
            parts.append(
                f"other photographs of {len(self.people)} of the people on {tested}, "
                f"of who is on {self.people[0]} among them"
            )
        return ", and from ".join(parts)


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
            raise UsageError("this is not the key with which the model was trained.", "Give the right --key-file.")
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


def key_place(folder: Path) -> Path:
    """Where the key of the model in `folder` is kept: beside the folder, never in it, so that it is not shared too.

    >>> key_place(Path("/data/model")).as_posix()
    '/data/private/model.key'
    """
    whole = folder.absolute()
    return whole.parent / PRIVATE / f"{whole.name}{KEY}"


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
    lines = [
        f"format = {FORMAT}",
        f"seed = {card.seed}",
        f"names = {_toml(list(card.names))}",
        f"photos = {card.photos}",
        f"subjects = {card.subjects}",
        f"simulated = {_toml(card.simulated)}",
        f"temperature = {card.temperature!r}",
        f"foundation = {_toml(card.foundation)}",
        f"weights = {_toml(_sealed(arrays, card.names))}",
        f"key = {_toml(card.key)}",
        f"seen = {_toml(sorted(card.seen))}",
        f"people = {_toml(sorted(card.people))}",
        "",
        "[settings]",
        *(f"{name} = {_toml(value)}" for name, value in sorted(card.settings.items())),
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).write_bytes(save(arrays))
        (folder / RECIPE).write_text(recipe.text, "utf-8")
        (folder / CARD).write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        raise EnvironmentFault(f"cannot write {folder}: {error.strerror}.", "Check space and permissions.") from error


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
            f"the model in {folder} started from another recognizer.", "Give its file with --encoder and --sha256."
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
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}" for fault in error.errors()]
        raise EnvironmentFault(f"{folder / CARD} is damaged ({'; '.join(faults[:10])}).", _RESTORE) from None
    if len(set(card.names)) < len(card.names):
        raise EnvironmentFault(f"{folder / CARD} is damaged (names: a class is there twice).", _RESTORE)
    return card, text


def _sealed(arrays: Arrays, names: Sequence[str]) -> str:
    """The digest of weights and of the classes that they tell apart: with other names they would call other classes."""
    return digest({**arrays, "": np.frombuffer(_toml(list(names)).encode(), np.uint8)})


def _toml(value: object) -> str:
    """JSON's booleans, numbers, texts and lists of them are TOML's; text outside ASCII is escaped."""
    return json.dumps(value)
