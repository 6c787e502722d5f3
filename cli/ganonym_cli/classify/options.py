"""Options that the commands on cases share, and how rates and remarks are told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Output

if TYPE_CHECKING:
    from ganonym.classify.studies.study import Remark
    from ganonym.statistics.intervals import Estimate

RecipeName = Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.", show_default=False)]
Folds = Annotated[int, typer.Option("--folds", min=2, help="Folds over subjects.")]
Data = Annotated[
    Path,
    typer.Option("--data", help="A manifest, or GestaltMatcher's folder or a table of it.", show_default=False),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        help="Folder of the photographs.",
        show_default="photos or gmdb_images beside the table, or its folder",
    ),
]
Encoder = Annotated[
    Path | None,
    typer.Option("--encoder", help="A pretrained network (safetensors) to start from.", show_default="the bundled one"),
]
Digest = Annotated[str | None, typer.Option("--sha256", help="Digest of --encoder.", show_default=False)]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help="Secret key by which a model knows whom it learned from.",
        show_default="private/NAME.key beside the model's folder NAME",
    ),
]
Size = Annotated[str, typer.Option("--preset", help="small: two cores; full: as published, for a GPU.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Alter a setting; repeatable.", show_default=False),
]
Label = Annotated[
    str | None, typer.Option("--label", help="Column of --data to tell apart.", show_default="the disorder")
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Leave all other classes out; repeatable.", show_default="all classes"),
]
AtLeast = Annotated[int, typer.Option("--at-least", min=1, metavar="PEOPLE", help="Leave classes of fewer people out.")]
Positive = Annotated[
    str | None, typer.Option("--positive", help="Tell this disorder from all else.", show_default="all classes")
]


def say(output: Output, remarks: Iterable[Remark]) -> None:
    """Tell the person at the terminal what a study has to say: warnings with --quiet too."""
    for remark in remarks:
        (output.warn if remark.warning else output.note)(remark.text)


def workers(jobs: int | None) -> int:
    return jobs or os.cpu_count() or 1


def simulated(flag: bool) -> str:
    """What comes first where phantoms were among the people."""
    return "SIMULATED syndromes. " if flag else ""


def marked(rate: str, few: bool) -> str:
    """A rate with a star where fewer than ten people stand behind it."""
    return f"{rate}*" if few else rate


def with_interval(estimate: Estimate, few: bool = False) -> str:
    return marked(f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]", few)


def star(shown: bool) -> list[str]:
    """What the star says, where there is one."""
    return ["* Of fewer than 10 people: it says little, whatever its value."] if shown else []
