"""Options that the commands on cases share, and how a table of cases is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganonym_cli.console import Advance, Output

if TYPE_CHECKING:
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.recipe import Preset, Recipe
    from ganonym.classify.systems import System
    from ganonym.statistics.estimate import Estimate

RecipeName = Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.", show_default=False)]
Folds = Annotated[int, typer.Option("--folds", min=2, help="Folds over subjects.")]
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
) -> Cohort:
    from ganonym.classify.cohort import gather
    from ganonym.classify.gestaltmatcher_csv import read_cases

    beside = data.parent / "photos"
    cases = read_cases(data, images or (beside if beside.is_dir() else data.parent))
    cohort = gather(cases, workers(jobs), names, positive, advance)
    for image, reason in cohort.left_out[:10]:
        output.warn(f"{image}: {reason}")
    if len(cohort.left_out) > 10:
        output.warn(f"… and {len(cohort.left_out) - 10} more photographs left out")
    return cohort


def system_for(
    name: str, preset: str, changes: list[str] | None, encoder: Path | None, sha256: str | None
) -> tuple[Recipe, System]:
    """A recipe by its name, and the system that it and the other options of its kind describe."""
    from ganonym.classify.systems import read_foundation, system_of
    from ganonym_train.recipes import find_recipe

    recipe = find_recipe(name)
    settings = settings_of(recipe.settings(preset_of(preset)), changes)
    return recipe, system_of(recipe.system, settings, read_foundation(encoder, sha256))


def settings_of(settings: dict[str, Any], changes: list[str] | None) -> dict[str, Any]:
    from ganonym.classify.recipe import altered

    return altered(settings, changes or [])


def preset_of(text: str) -> Preset:
    from typing import cast

    return cast("Preset", text)  # Recipe.settings refuses anything else


def with_interval(each: Estimate) -> str:
    return f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"


def left_out(cohort: Cohort) -> list[dict[str, str]]:
    return [{"image": image, "reason": reason} for image, reason in cohort.left_out]


def workers(jobs: int | None) -> int:
    return jobs or os.cpu_count() or 1
