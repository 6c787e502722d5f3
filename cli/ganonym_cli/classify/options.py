"""Options that the commands on cases share, and how a table of cases is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Advance, Output
from ganonym_cli.device import device_of
from ganonym_cli.options import cache_at

if TYPE_CHECKING:
    from ganonym.classify.case import Case, Check, Classed
    from ganonym.classify.cohort import Cohort, Crop
    from ganonym.classify.recipe import Recipe
    from ganonym.classify.system import Arrays, Configuration, System
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """A recipe with its settings as altered, what its system starts from, and the system."""

    recipe: Recipe
    foundation: Arrays
    configuration: Configuration
    system: System

    def check(self, them: Classed) -> None:
        """Raises UsageError for classes that the system cannot learn."""
        self.configuration.check(them.classes, len(them.names))


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
    at_least: int = 1,
    check: Check | None = None,
    crops: Sequence[Crop] = (),
    cache: Path | None = None,
) -> Cohort:
    """The faces of a table, with `crops`.

    Raises UsageError for a class of `only` that nobody has, and as `gathered` does.
    """
    from dataclasses import replace

    from ganonym.classify.case import of_enough

    cases, few = of_enough(chosen_cases(data, images, output, label, only), at_least)
    if few:
        output.warn(f"{len(few)} photographs left out: their classes have fewer than {at_least} people.")
    cohort = gathered(cases, jobs, output, advance, names, positive, check, crops, cache)
    left = tuple((case.image, f"its class has fewer than {at_least} people") for case in few)
    return replace(cohort, left_out=(*cohort.left_out, *left))


def chosen_cases(
    data: Path, images: Path | None, output: Output, label: str | None = None, only: list[str] | None = None
) -> list[Case]:
    """The cases of a table, or of them those of the classes `only`. Raises UsageError for one that nobody has."""
    from ganonym.errors import UsageError

    cases = cases_of([data], images, output, label)
    absent = sorted(set(only or ()) - {case.disorder for case in cases})
    if absent:
        raise UsageError(f"nobody in {data} has {', '.join(absent)}.", "Write classes as in the table.")
    return [case for case in cases if not only or case.disorder in only]


def gathered(
    cases: Sequence[Case],
    jobs: int | None,
    output: Output,
    advance: Advance,
    names: tuple[str, ...] | None = None,
    positive: str | None = None,
    check: Check | None = None,
    crops: Sequence[Crop] = (),
    cache: Path | None = None,
) -> Cohort:
    """`cohort.gather`, and a word on what was left out. Raises UsageError as `check` does of the table, before any
    photograph is looked at, and of those in which a face was found."""
    from ganonym.classify.case import roster
    from ganonym.classify.cohort import gather

    if check is not None:
        check(roster(cases, names, positive))
    cohort = gather(cases, workers(jobs), names, positive, advance, crops, cache_at(cache))
    warn_of(cohort.left_out, output)
    if check is not None:
        check(cohort)
    return cohort


def cases_of(
    tables: Sequence[Path], images: Path | None, output: Output, label: str | None = None, splits: bool = False
) -> list[Case]:
    """The cases of all tables, and a word on what joined in. `splits`: of a release's folder its published lists."""
    from ganonym.classify.gestaltmatcher_release import lists_of, read_data, table_of

    cases = []
    for table in [path for data in tables for path in (lists_of(data) if splits else [table_of(data)])]:
        found = read_data(table, images, label)
        for note in found.notes:
            output.note(f"{table.name}: {note}.")
        for fault in found.faults[:10]:
            output.warn(f"{table.name}: {fault}")
        if len(found.faults) > 10:
            output.warn(f"{table.name}: … and {len(found.faults) - 10} more faults of its metadata")
        cases += found.cases
    return cases


def tell_folds(output: Output, cohort: Cohort, folds: int) -> None:
    """A word where there can be fewer folds than asked for."""
    from ganonym.classify.cross_validation import possible_folds

    most = possible_folds(cohort.classes, cohort.subjects, folds)
    if most < folds:
        output.warn(f"{most} folds instead of {folds}: no class has more people.")


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
    """A recipe by its name, and the system that it and the other options of its kind describe.

    Raises UsageError for a setting that cannot be, an option that does nothing for this recipe, and the full preset of
    one that starts from a recognizer, without one: with the bundled encoder it would not be what was published.
    """

    from ganonym.classify.encoders import read_foundation
    from ganonym.classify.recipe import altered, load_recipe
    from ganonym.errors import UsageError

    recipe = load_recipe(name)
    configuration = altered(recipe.preset(preset), changes or [])
    if not configuration.pretrained_start:
        refuse_encoder(encoder, sha256, recipe.name)
    elif preset == "full" and encoder is None:
        raise UsageError(
            f"--preset full of {recipe.name} starts from a network of yours: the bundled one is small and has seen "
            "virtual people only.",
            "Give its safetensors file with --encoder and its digest with --sha256, or take --preset small.",
        )
    if device != "auto" and not configuration.network_of_faces:
        raise UsageError(f"--device {device}: {recipe.name} looks at landmarks, by no network.", "Leave it out.")
    place = device_of(device, output)
    foundation = read_foundation(encoder, sha256, configuration.bundled_start) if configuration.pretrained_start else {}
    return Chosen(recipe, foundation, configuration, configuration.system(foundation, place))


def refuse_encoder(encoder: Path | None, sha256: str | None, name: str) -> None:
    """Raises UsageError for a network that the system called `name` does not start from."""
    from ganonym.errors import UsageError

    given = [option for option, value in (("--encoder", encoder), ("--sha256", sha256)) if value is not None]
    if given:
        raise UsageError(f"{' and '.join(given)}: {name} starts from no pretrained network.", "Leave it out.")


def with_interval(each: Estimate, few: bool = False) -> str:
    return marked(f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]", few)


def marked(rate: str, few: bool) -> str:
    """A rate with a star where fewer than ten people stand behind it."""
    return f"{rate}*" if few else rate


def star(shown: bool) -> list[str]:
    """What the star says, where there is one."""
    return ["* Of fewer than 10 people: it says little, whatever its value."] if shown else []


def reasons_of(pairs: Sequence[tuple[str, str]], name: str = "image") -> list[dict[str, str]]:
    """What could not be used and why, for JSON."""
    return [{name: image, "reason": reason} for image, reason in pairs]


def workers(jobs: int | None) -> int:
    return jobs or os.cpu_count() or 1
