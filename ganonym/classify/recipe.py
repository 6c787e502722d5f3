"""A recipe: one published system as a short TOML file, with its paper, its deviations and two sizes of everything."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ganonym.errors import UsageError

Preset: TypeAlias = Literal["small", "full"]
_WORDS = ("name", "paper", "section", "system")


@dataclass(frozen=True, slots=True)
class Recipe:
    """`system` names the code (`systems.system_of`), `small` and `full` its settings; `text` is the file itself.

    "full" is what the paper did, as far as it says so; "small" fits two cores and the reference phantom cohort. Every
    difference from the paper, of both, is one of the `deviations`.
    """

    name: str
    paper: str
    section: str
    system: str
    deviations: tuple[str, ...]
    small: Mapping[str, Any]
    full: Mapping[str, Any]
    text: str

    def settings(self, preset: Preset) -> dict[str, Any]:
        """The settings of one size. Raises UsageError for any other."""
        if preset not in get_args(Preset):
            raise UsageError(f"there is no preset {preset!r}.", f"There are {', '.join(get_args(Preset))}.")
        return dict(self.small if preset == "small" else self.full)


def parse_recipe(text: str, source: str) -> Recipe:
    """Read a recipe. Raises UsageError naming `source` and what is wrong in it.

    >>> parse_recipe('name = "x"', "x.toml")
    Traceback (most recent call last):
    ganonym.errors.UsageError: the recipe x.toml lacks paper, section, system, deviations, small, full. ...
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {source} is no TOML: {error}.") from error
    wanted = (*_WORDS, "deviations", "small", "full")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UsageError(
            f"the recipe {source} lacks {', '.join(missing)}.", "Compare it with a recipe that comes along."
        )
    extra = sorted(set(found) - set(wanted))
    if extra:
        raise UsageError(f"the recipe {source} has {', '.join(extra)}, which means nothing.", "Is it misspelt?")
    faults = [name for name in _WORDS if not (isinstance(found[name], str) and found[name].strip())]
    faults += [name for name in ("small", "full") if not isinstance(found[name], dict)]
    told = found["deviations"]
    if not (isinstance(told, list) and all(isinstance(each, str) for each in told)):
        faults.append("deviations")
    if faults:
        raise UsageError(f"the recipe {source} has no proper {', '.join(faults)}.", "Texts, tables, a list of texts.")
    words = {name: found[name].strip() for name in _WORDS}
    return Recipe(**words, deviations=tuple(told), small=found["small"], full=found["full"], text=text)


def altered(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """`settings` with changes such as "epochs=5" or "regions=[\\"full\\"]", values as TOML, or else as a word.

    Raises UsageError for a setting that there is not; what it may be, `systems.configured` knows.

    >>> altered({"epochs": 30, "head": "cosface"}, ["epochs=5", "head=arcface"])
    {'epochs': 5, 'head': 'arcface'}
    """
    out = dict(settings)
    for change in changes:
        name, given, value = (part.strip() for part in change.partition("="))
        if not out:
            raise UsageError(f"--set {change} sets nothing: it has no settings.", "Leave it out.")
        if not given or name not in out:
            raise UsageError(f"--set {change}: there is no such setting.", f"There are {', '.join(sorted(out))}.")
        try:
            out[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            out[name] = value  # a bare word
    return out


def changed(changes: Sequence[str]) -> tuple[str, ...]:
    """The settings that changes name, as `altered` reads them.

    >>> changed(["epochs=5", "head = arcface"])
    ('epochs', 'head')
    """
    return tuple(change.partition("=")[0].strip() for change in changes)
