"""Options that the commands on cases share, and how a table of cases is read."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganonym_cli.console import Advance, Output

if TYPE_CHECKING:
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.recipe import Preset

Data = Annotated[
    Path,
    typer.Option("--data", help="A manifest, or a table of GestaltMatcher's.", show_default=False),
]
Images = Annotated[
    Path | None,
    typer.Option("--images", help="Folder of the photographs.", show_default="photos beside the table, or its folder"),
]
Encoder = Annotated[
    Path | None,
    typer.Option("--encoder", help="An iResNet (safetensors) to start from.", show_default="the bundled one"),
]
Digest = Annotated[str | None, typer.Option("--sha256", help="Digest of --encoder.", show_default=False)]
Size = Annotated[str, typer.Option("--preset", help="small: two cores; full: as published, for a GPU.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Alter a setting; repeatable.", show_default=False),
]
Positive = Annotated[
    str | None, typer.Option("--positive", help="Tell this disorder from all else.", show_default="all classes")
]


def cohort_of(
    data: Path,
    images: Path | None,
    positive: str | None,
    jobs: int | None,
    output: Output,
    advance: Advance,
    names: tuple[str, ...] | None = None,
    among: Collection[str] | None = None,
) -> Cohort:
    """What is left out is told. Of cases with a disorder that is not `among` those named nothing is looked at."""
    from ganonym.classify.cohort import gather
    from ganonym.classify.gestaltmatcher_csv import read_cases
    from ganonym.errors import UsageError

    beside = data.parent / "photos"
    cases = read_cases(data, images or (beside if beside.is_dir() else data.parent))
    if among is not None:
        known = sorted({case.disorder for case in cases if case.disorder is not None})
        unknown = sorted(set(among) - set(known))
        if unknown:
            raise UsageError(f"nobody has the disorder {unknown[0]!r}.", f"There are {', '.join(known)}.")
        cases = [case for case in cases if case.disorder in among]
    cohort = gather(cases, workers(jobs), names, positive, advance)
    for image, reason in cohort.left_out[:10]:
        output.warn(f"{image}: {reason}")
    if len(cohort.left_out) > 10:
        output.warn(f"… and {len(cohort.left_out) - 10} more photographs left out")
    return cohort


def settings_of(settings: dict[str, Any], changes: list[str] | None) -> dict[str, Any]:
    from ganonym.classify.recipe import altered

    return altered(settings, changes or [])


def preset_of(text: str) -> Preset:
    from typing import cast

    return cast("Preset", text)  # Recipe.settings refuses anything else


def workers(jobs: int | None) -> int:
    return jobs or os.cpu_count() or 1
