"""The published systems that come along, a TOML file each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ganonym.classify.recipe import Recipe, parse_recipe
from ganonym.errors import UsageError


def bundled() -> dict[str, Recipe]:
    """All recipes that come along, by the name to ask for."""
    found = sorted((each.name, each) for each in files(__name__).iterdir() if each.name.endswith(".toml"))
    return {name.removesuffix(".toml"): parse_recipe(each.read_text("utf-8"), name) for name, each in found}


def find_recipe(name: str) -> Recipe:
    """A recipe that comes along, or one's own TOML file. Raises UsageError.

    >>> find_recipe("deepgestalt").name
    'DeepGestalt'
    """
    known = bundled()
    if name in known:
        return known[name]
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"there is no recipe {name!r}.", f"There are {', '.join(known)}, or give a TOML file.")
    try:
        return parse_recipe(path.read_text("utf-8"), name)
    except UnicodeDecodeError as error:
        raise UsageError(f"the recipe {name} is not UTF-8.") from error
