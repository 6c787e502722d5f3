"""Options that the commands on cases share, and how a table of cases is read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganonym_cli.console import Advance, Output
from ganonym_cli.device import device_of
from ganonym_cli.options import cache_at

if TYPE_CHECKING:
    from ganonym.classify.case import Case
    from ganonym.classify.classifier import Arrays
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.portrait import Crop
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
    typer.Option("--encoder", help="A pretrained network (safetensors) to start from.", show_default="the bundled one"),
]
Digest = Annotated[str | None, typer.Option("--sha256", help="Digest of --encoder.", show_default=False)]
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
Positive = Annotated[
    str | None, typer.Option("--positive", help="Tell this disorder from all else.", show_default="all classes")
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A recipe with its settings as altered, what its system starts from, and the system."""

    recipe: Recipe
    settings: Mapping[str, Any]
    foundation: Arrays
    system: System


def cohort_of(
    data: Path,
    images: Path | None,
    positive: str | None,
    jobs: int | None,
    output: Output,
    advance: Advance,
    names: tuple[str, ...] | None = None,
    label: str | None = None,
    only: list[str] | None = None,
    crops: Sequence[Crop] = (),
    cache: Path | None = None,
) -> Cohort:
    """The faces of a table, with `crops`. Raises UsageError for a class of `only` that nobody has, and as `gather`."""
    from ganonym.classify.gestaltmatcher_csv import read_cases
    from ganonym.errors import UsageError

    cases = read_cases(data, folder_of(data, images), label)
    absent = sorted(set(only or ()) - {case.disorder for case in cases})
    if absent:
        raise UsageError(f"nobody in {data} has {', '.join(absent)}.", "Write classes as in the table.")
    cases = [case for case in cases if not only or case.disorder in only]
    return gathered(cases, jobs, output, advance, names, positive, crops, cache)


def gathered(
    cases: Sequence[Case],
    jobs: int | None,
    output: Output,
    advance: Advance,
    names: tuple[str, ...] | None = None,
    positive: str | None = None,
    crops: Sequence[Crop] = (),
    cache: Path | None = None,
) -> Cohort:
    """`cohort.gather`, and a word on what was left out."""
    from ganonym.classify.cohort import gather

    cohort = gather(cases, workers(jobs), names, positive, advance, crops, cache_at(cache))
    warn_of(cohort.left_out, output)
    return cohort


def folder_of(table: Path, images: Path | None) -> Path:
    """Where the photographs of a table are: `images`, or "photos" beside it, or its own folder."""
    beside = table.parent / "photos"
    return images or (beside if beside.is_dir() else table.parent)


def warn_of(left_out: Sequence[tuple[str, str]], output: Output) -> None:
    """Name the first photographs that are left out, and count the others."""
    for image, reason in left_out[:10]:
        output.warn(f"{image}: {reason}")
    if len(left_out) > 10:
        output.warn(f"… and {len(left_out) - 10} more photographs left out")


def system_for(
    name: str,
    preset: str,
    changes: list[str] | None,
    encoder: Path | None,
    sha256: str | None,
    device: str,
    output: Output,
) -> Chosen:
    """A recipe by its name, and the system that it and the other options of its kind describe."""
    from ganonym.classify.systems import read_foundation, system_of
    from ganonym_train.recipes import find_recipe

    recipe = find_recipe(name)
    settings = settings_of(recipe.settings(preset_of(preset)), changes)
    foundation = read_foundation(encoder, sha256, recipe.system)
    system = system_of(recipe.system, settings, foundation, device_of(device, output))
    return Chosen(recipe, settings, foundation, system)


def settings_of(settings: dict[str, Any], changes: list[str] | None) -> dict[str, Any]:
    from ganonym.classify.recipe import altered

    return altered(settings, changes or [])


def preset_of(text: str) -> Preset:
    from typing import cast

    return cast("Preset", text)  # Recipe.settings refuses anything else


def with_interval(each: Estimate) -> str:
    return f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"


def reasons_of(pairs: Sequence[tuple[str, str]], name: str = "image") -> list[dict[str, str]]:
    """What could not be used and why, for JSON."""
    return [{name: image, "reason": reason} for image, reason in pairs]


def workers(jobs: int | None) -> int:
    return jobs or os.cpu_count() or 1
