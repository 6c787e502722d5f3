"""Options that several commands share, and those that are made from the fields of a settings model."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_origin

import typer
from annotated_types import Ge
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ganonym_cli.console import Output

if TYPE_CHECKING:
    from ganonym.faces.cache import FaceCache
    from ganonym.settings import Settings

Given: TypeAlias = Mapping[str, object]
"""What the command line said of the settings, by their names; what it did not say is not there."""

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, all else on stderr.", rich_help_panel="Common")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel="Common")]
Seed: TypeAlias = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.", rich_help_panel="Common")]
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Worker processes.", show_default="all cores", rich_help_panel="Common"),
]
Profile: TypeAlias = Annotated[
    str | None,
    typer.Option("--profile", help="Settings to start from: a name or a TOML file.", rich_help_panel="Common"),
]
Cache: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="FOLDER",
        help="Keep where faces were found, so that they are found once. PERSONAL DATA, as private as the photographs.",
        show_default=False,
        rich_help_panel="Common",
    ),
]
OutFolder: TypeAlias = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", show_default=False)]


Device: TypeAlias = Annotated[
    str, typer.Option("--device", help="Where networks compute: cpu, cuda, or auto, a GPU where there is one.")
]


def cache_at(folder: Path | None) -> FaceCache | None:
    """The cache of `--cache`, made where there is none."""
    from ganonym.faces.cache import open_cache

    return None if folder is None else open_cache(folder)


Distinct: TypeAlias = Annotated[
    Path | None, typer.Option("--distinct", help="CSV: in each line, ids of different people who look like one.")
]


ANONYMIZE = {
    "Privacy": (
        *("mechanism", "policy", "k", "keep", "small_classes", "link", "epsilon", "verify", "i_understand"),
        *("output", "background", "text"),
    ),
    "Batch": ("subject_face", "resume"),
    "Common": ("seed", "jobs"),
}
"""Settings that are options of `anonymize`, by their panel in its help; profiles and files may say the others, too."""


def settings_options(
    model: type[BaseModel], panels: Mapping[str, Sequence[str]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that takes fields of `model` as options in place of its parameter `given`: what was said of them.

    Type, choices, least value, default and help are the field's own. A field that is true by default becomes
    `--no-NAME`, one that is false `--NAME`; a tuple is given with commas.
    """

    def offer(command: Callable[..., None]) -> Callable[..., None]:
        options = [_option(model.model_fields[name], name, panel) for panel, names in panels.items() for name in names]

        @functools.wraps(command)
        def called(**values: Any) -> None:
            said = {option.name: values.pop(option.name) for option in options}
            given = {name: value for name, value in said.items() if value is not None}
            command(**values, given={name: _value(model.model_fields[name], value) for name, value in given.items()})

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [new for parameter in own for new in (options if parameter.name == "given" else [parameter])]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return called

    return offer


def _option(field: FieldInfo, name: str, panel: str) -> inspect.Parameter:
    flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
    switch = field.annotation is bool
    if switch:
        flag = f" /--no-{flag.removeprefix('--')}" if field.default else flag
    least = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    option = typer.Option(
        flag,
        min=least,  # type: ignore[arg-type]  # annotated_types is wider
        help=field.description,
        show_default=False if switch else _shown(field),
        rich_help_panel=panel,
    )
    kind: Any = str if _is_list(field) else field.annotation
    annotation = getitem(Annotated, (kind | None, option))  # a type that is known at run time only
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _value(field: FieldInfo, given: Any) -> Any:
    return tuple(name.strip() for name in given.split(",")) if _is_list(field) else given


def _shown(field: FieldInfo) -> str:
    """The default in words: a field may have its own, where the value does not speak for itself."""
    extra = field.json_schema_extra
    return str(extra["shown"] if isinstance(extra, dict) and "shown" in extra else field.default)


def settings_from(given: Given, profile: str | None) -> Settings:
    """Settings from what the command line gave on top of a profile's name or TOML file."""
    from ganonym.configuration import load_settings

    return load_settings(given, *sources_of(profile))


def sources_of(profile: str | None) -> tuple[Path | None, str | None]:
    """The TOML file and the name of a profile that `--profile` means: one of them, or neither.

    >>> sources_of("strict"), sources_of("ours.toml")
    ((None, 'strict'), (PosixPath('ours.toml'), None))
    """
    if profile is not None and (profile.endswith(".toml") or Path(profile).is_file()):
        return Path(profile), None
    return None, profile


def device_of(text: str, output: Output) -> str:
    """As torch names it. Raises UsageError for an unknown one, EnvironmentFault for a GPU that is not there."""
    from ganonym.classify.studies.study import device_of as place_of

    place, remarks = place_of(text)
    for remark in remarks:
        output.note(remark.text)
    return place
