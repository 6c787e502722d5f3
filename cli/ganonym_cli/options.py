"""Options that several commands share; those that are fields of the settings are in `settings_options`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

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
