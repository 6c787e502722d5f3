"""`ganonym classify recipes` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.options import (
    AtLeast,
    Changes,
    Data,
    Digest,
    Encoder,
    Images,
    KeyFile,
    Label,
    Only,
    Positive,
    Size,
    say,
    workers,
)
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table


def recipes(as_json: Json = False) -> None:
    """List the published systems that come along."""
    from ganonym.classify.recipe import load_recipe, recipe_names

    recipes_by_name = {name: load_recipe(name) for name in recipe_names()}
    table = Table("recipe", "system", "paper", prose=["system", "paper"])
    for name, recipe in recipes_by_name.items():
        table.add_row(name, recipe.name, recipe.paper)
    Output(as_json).result(
        {name: {"name": recipe.name, "paper": recipe.paper} for name, recipe in recipes_by_name.items()}, table
    )


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.", show_default=False)],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    images: Images = None,
    preset: Size = "small",
    changes: Changes = None,
    label: Label = None,
    only: Only = None,
    at_least: AtLeast = 1,
    positive: Positive = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature in five folds, so that probabilities are honest.")
    ] = False,
    encoder: Encoder = None,
    sha256: Digest = None,
    key_file: KeyFile = None,
    device: Device = "auto",
    seed: Seed = 0,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a published system on a table of cases; OUT holds weights, card and recipe.

    The key by which the model knows its photographs again is kept beside OUT: do not share it.
    """
    from ganonym.classify.chosen import Encoder
    from ganonym.classify.model_folder import check_new
    from ganonym.classify.recipe import load_recipe
    from ganonym.classify.studies import train as studies
    from ganonym.classify.studies.study import Study

    output = Output(as_json, quiet)
    check_new(out)
    study = Study(
        data,
        images,
        label=label,
        only=tuple(only or ()),
        at_least=at_least,
        positive=positive,
        recipe=load_recipe(recipe),
        preset=preset,
        changes=tuple(changes or ()),
        encoder=Encoder(encoder, sha256),
        device=device,
        seed=seed,
        jobs=workers(jobs),
        cache=cache_at(cache),
    )
    with output.progress() as advance:
        trained = studies.train(study, out, key_file, calibrate, advance)
    say(output, trained.remarks)
    card = trained.card
    output.result(
        trained.payload(),
        f"{trained.name}: {card.photos} photographs of {card.subjects} people, {len(card.names)} classes: {out}",
    )
