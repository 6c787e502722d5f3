"""A recipe: one published system as a short TOML file, with its paper, its deviations and two sizes of everything.

Recipes are listed without importing any system; a recipe that is loaded is checked, and `chosen_system` makes of it
the system that is to learn.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from ganonym.checked import refusal
from ganonym.classify import systems
from ganonym.classify.learner import CPU, Arrays
from ganonym.classify.system import Configuration, System
from ganonym.errors import UsageError

if TYPE_CHECKING:
    from ganonym.classify.case import Classed

Preset: TypeAlias = Literal["small", "full"]
Words: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@dataclass(frozen=True, slots=True)
class Recipe:
    """`system` names the code (`systems`), `small` and `full` are its settings; `text` is the file itself.

    "full" is what the paper did, as far as it says so; "small" fits two cores and the reference phantom cohort. Every
    difference from the paper, of both, is one of the `deviations`.
    """

    name: str
    paper: str
    section: str
    system: str
    deviations: tuple[str, ...]
    small: Configuration
    full: Configuration
    text: str = field(repr=False)

    def preset(self, size: str) -> Configuration:
        """The settings of one size, "small" or "full". Raises UsageError for any other."""
        if size not in get_args(Preset):
            raise UsageError(f"there is no preset {size!r}.", f"There are {', '.join(get_args(Preset))}.")
        return self.small if size == "small" else self.full


class RecipeEntry(BaseModel):
    """What a list says of a recipe: the `name` of its system, `paper` and `section`, and its `deviations` from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Words
    paper: Words
    section: Words
    system: Words
    deviations: tuple[str, ...]


class _File(RecipeEntry):
    """The file as it is written."""

    small: dict[str, object]
    full: dict[str, object]


def recipe_names() -> tuple[str, ...]:
    """The recipes that come along, then the classifiers that other packages bring, each by the name to ask for.

    >>> "deepgestalt" in recipe_names()
    True
    """
    return (*_bundled(), *systems.foreign_names())


def recipe_entries() -> dict[str, RecipeEntry]:
    """What each of `recipe_names` is; its presets are not checked, so that no system is imported.

    Raises UsageError for a recipe whose file is not one, and for a name that is taken twice.

    >>> recipe_entries()["deepgestalt"].name
    'DeepGestalt'
    """
    return {name: RecipeEntry(**_file(*_text(name)).model_dump(exclude={"small", "full"})) for name in recipe_names()}


def load_recipe(name: str | Path) -> Recipe:
    """A recipe that comes along, a classifier of another package (`systems`), or one's own TOML file.

    Both presets are checked. Raises UsageError that says what is wrong, in which file, or which recipes there are.

    >>> recipe = load_recipe("deepgestalt")
    >>> recipe.name, recipe.small.network_of_faces, recipe.preset("full")
    ('DeepGestalt', True, DeepGestaltConfiguration(side=100, width=1.0, epochs=310, batch=280, ...))
    """
    return parse_recipe(*_text(name))


def parse_recipe(text: str, source: str) -> Recipe:
    """Read a recipe. Raises UsageError naming `source` and what is wrong in it, in its presets too.

    >>> parse_recipe('name = "x"', "x.toml")
    Traceback (most recent call last):
    ganonym.errors.UsageError: the recipe x.toml: paper is missing; section is missing; system is missing; ...
    """
    recipe, presets = _file(text, source), {}
    for size, settings in (("small", recipe.small), ("full", recipe.full)):
        try:
            presets[size] = systems.configured(recipe.system, settings)
        except UsageError as error:
            raise UsageError(f"the recipe {source}, preset {size}: {error.message}", error.remedy) from error
    small, full = presets["small"], presets["full"]
    return Recipe(recipe.name, recipe.paper, recipe.section, recipe.system, recipe.deviations, small, full, text)


def altered(configuration: Configuration, changes: Sequence[str]) -> Configuration:
    """`configuration` with changes such as "epochs=5" or "regions=[\\"full\\"]": values as TOML, or else as a word.

    Raises UsageError for a setting that there is not, a value that it cannot have, or a change that does nothing.

    >>> altered(load_recipe("fas-measurement").small, ["learner=forest", "trees=5"])
    MeasurementConfiguration(learner='forest', strength=0.05, trees=5)
    """
    settings: dict[str, object] = {name: getattr(configuration, name) for name in type(configuration).model_fields}
    changed = []
    for change in changes:
        name, given, value = (part.strip() for part in change.partition("="))
        if not settings:
            raise UsageError(f"the change {change} (--set) sets nothing: the system has no settings.", "Leave it out.")
        if not given or name not in settings:
            raise UsageError(
                f"the change {change} (--set): there is no such setting.", f"There are {', '.join(sorted(settings))}."
            )
        try:
            settings[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[name] = value  # a bare word
        changed.append(name)
    return type(configuration)(**settings).refuse_idle(changed)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A network of the user's (safetensors) and its SHA-256, hex; neither is the bundled one."""

    path: Path | None = None
    sha256: str | None = None


BUNDLED = Encoder()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A recipe, its configuration as altered, what its system starts from, and the system."""

    recipe: Recipe
    configuration: Configuration
    foundation: Arrays = field(repr=False)
    system: System

    def check(self, cohort: Classed) -> None:
        """Raises UsageError for classes that the system cannot learn."""
        self.configuration.check(cohort.classes, len(cohort.names))


def chosen_system(
    recipe: Recipe, configuration: Configuration, preset: str, encoder: Encoder = BUNDLED, device: str = CPU
) -> Chosen:
    """The system of a recipe with these settings, which began as its `preset`; its networks compute on `device`.

    Raises UsageError for an encoder that does nothing for this recipe, and for the full preset of one that starts from
    a recognizer, without one: with the bundled encoder it would not be what was published.
    """
    if not configuration.pretrained_start:
        refuse_encoder(encoder, recipe.name)
    elif preset == "full" and encoder.path is None:
        raise UsageError(
            f"the full preset of {recipe.name} starts from a network of yours: the bundled one is small and has seen "
            "virtual people only.",
            "Give its safetensors file as encoder and its digest as sha256, or take the small preset.",
        )
    from ganonym.classify.encoders import read_foundation  # needs torch

    starts = configuration.pretrained_start
    foundation = read_foundation(encoder.path, encoder.sha256, configuration.bundled_start) if starts else {}
    return Chosen(recipe, configuration, foundation, configuration.system(foundation, device))


def refuse_encoder(encoder: Encoder, name: str) -> None:
    """Raises UsageError for a network that the system called `name` does not start from."""
    options = (("encoder", encoder.path), ("sha256", encoder.sha256))
    if given := [option for option, value in options if value is not None]:
        raise UsageError(f"{' and '.join(given)}: {name} starts from no pretrained network.", "Leave it out.")


def _bundled() -> tuple[str, ...]:
    names = (file.name for file in files(systems).iterdir() if file.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in names))


def _text(name: str | Path) -> tuple[str, str]:
    """The text of a recipe, and what errors call it. Raises UsageError as `load_recipe`."""
    bundled, foreign = _bundled(), systems.foreign_names()
    if (name in bundled or name in systems.SYSTEMS) and name in foreign:
        raise UsageError(
            f"{systems.maker_of(str(name))} offers a classifier {name!r}: that name comes along.", "Remove it."
        )
    if name in bundled:
        return (files(systems) / f"{name}.toml").read_text("utf-8"), f"{name}.toml"
    if name in foreign:
        return _foreign(str(name)), f"of the classifier {name}"
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"there is no recipe {str(name)!r}.", f"There are {', '.join((*bundled, *foreign))}, or give a TOML file."
        )
    try:
        return path.read_text("utf-8"), str(name)
    except UnicodeDecodeError as error:
        raise UsageError(f"the recipe {name} is not UTF-8.") from error


def _foreign(name: str) -> str:
    """What there is to say of a classifier of another package, written down as any other recipe."""
    lines = [f"name = '{name}'", "paper = 'none given'", "section = 'none'", f"system = '{name}'", "deviations = []"]
    return "\n".join([*lines, "[small]", "[full]"]) + "\n"


def _file(text: str, source: str) -> _File:
    """The file in its parts, whose presets are not checked. Raises UsageError naming `source` and its faults."""
    try:
        return _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {source} is no TOML: {error}.") from error
    except ValidationError as error:
        raise refusal(error, f"the recipe {source}", "Compare it with a recipe that comes along.") from None
