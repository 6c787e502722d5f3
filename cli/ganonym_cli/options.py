"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from ganonym.faces.cache import FaceCache

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, all else on stderr.", rich_help_panel="Common")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel="Common")]
_SEED = typer.Option("--seed", min=0, help="Same seed, same bytes.", rich_help_panel="Common")
Seed: TypeAlias = Annotated[int, _SEED]
SeedIfGiven: TypeAlias = Annotated[int | None, _SEED]
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


def cache_at(folder: Path | None) -> FaceCache | None:
    """The cache of `--cache`, made where there is none."""
    from ganonym.faces.cache import open_cache

    return None if folder is None else open_cache(folder)


Distinct: TypeAlias = Annotated[
    Path | None, typer.Option("--distinct", help="CSV: in each line, ids of different people who look like one.")
]
