"""`ganonym classify grade` and `composite`: how marked a finding is, and the mean face of a class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.options import (
    Changes,
    Data,
    Digest,
    Encoder,
    Folds,
    Images,
    Label,
    Only,
    RecipeName,
    Size,
    marked,
    say,
    simulated,
    star,
    with_interval,
    workers,
)
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table


def grade(
    recipe: RecipeName,
    data: Data,
    images: Images = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Column of --data with the level.", show_default=False)
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option("--level", help="A level of --label, the lowest first; repeat.", show_default=False),
    ] = None,
    signs: Annotated[
        str | None,
        typer.Option("--signs", help="Levels by number of HPO terms instead: 1,5 is none, 1 to 4, 5 and more."),
    ] = None,
    preset: Size = "small",
    changes: Changes = None,
    folds: Folds = 5,
    encoder: Encoder = None,
    sha256: Digest = None,
    device: Device = "auto",
    seed: Seed = 0,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Grade photographs into ordered levels, in folds over people: quadratic kappa, and each level's rates.

    A photograph is called the level at which half of the probability lies below.
    """
    from ganonym.classify.recipe import Encoder, load_recipe
    from ganonym.classify.studies import grade as studies
    from ganonym.classify.studies.study import Study

    output = Output(as_json, quiet)
    study = Study(
        data,
        images,
        label=label,
        recipe=load_recipe(recipe),
        preset=preset,
        changes=tuple(changes or ()),
        encoder=Encoder(encoder, sha256),
        device=device,
        folds=folds,
        seed=seed,
        jobs=workers(jobs),
        cache=cache_at(cache),
    )
    with output.progress() as advance:
        grading = studies.grade(study, level or (), signs, advance)
    names = [f"called {level.name}" for level in grading.levels]
    table = Table("level", "photographs", "people", *names, "sensitivity", "specificity")
    for row in grading.levels:
        rates = {"sensitivity": row.sensitivity, "specificity": row.specificity}
        cells = [
            marked("nan" if rate is None else f"{rate:.2f}", name in row.few_people) for name, rate in rates.items()
        ]
        table.add_row(row.name, str(row.photos), str(row.people), *map(str, row.called), *cells)
    say(output, grading.remarks)
    output.result(
        grading.payload(),
        f"{grading.name}: {simulated(grading.simulated)}{grading.photos} photographs, {grading.subjects} people; "
        f"{len(grading.left_out)} photographs left out.",
        f"quadratic kappa {with_interval(grading.kappa, grading.few_people)}: 0 is chance, 1 full agreement.",
        table,
        *star(any(row.few_people for row in grading.levels)),
        *(["Levels are numbers of signs: they test the method and say nothing of risk."] if signs else []),
    )


def composite(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder to write, new or empty.", show_default=False)],
    images: Images = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="NAME", help="Class to compare with, say the unaffected."),
    ] = None,
    label: Label = None,
    only: Only = None,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The mean face of each class of five people or more, and maps of how it differs from another class."""
    from ganonym.classify.studies.composites import composites
    from ganonym.classify.studies.study import Study

    output = Output(as_json, quiet)
    study = Study(data, images, label=label, only=tuple(only or ()), jobs=workers(jobs), cache=cache_at(cache))
    with output.progress() as advance:
        result = composites(study, out, against, advance)
    maps = ["largest shift", "mean luma"] if result.limit else []
    table = Table("class", "people", "photographs", "file", *maps)
    for picture in result.pictures:
        cells = [picture.name, str(picture.people), str(picture.photos), picture.path.name]
        if picture.shift_px is not None and picture.luma is not None:
            cells += [f"{picture.shift_px:.1f} px", f"{picture.luma:+.1f}"]
        table.add_row(*cells)
    say(output, result.remarks)
    output.result(result.payload(), f"{simulated(result.simulated)}{len(result.pictures)} composites: {out}", table)
