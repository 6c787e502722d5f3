"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
OutFolder: TypeAlias = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", show_default=False)]
