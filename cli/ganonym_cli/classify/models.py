"""`ganonym classify recipes`, `train`, `predict` and `explain`: systems, and what a trained one says of photos."""

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
    from ganonym.classify.recipe import recipe_entries

    entries = recipe_entries()
    table = Table("recipe", "system", "paper", prose=["system", "paper"])
    for name, entry in entries.items():
        table.add_row(name, entry.name, entry.paper)
    payload = {name: {"name": entry.name, "paper": entry.paper} for name, entry in entries.items()}
    Output(as_json).result(payload, table)


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
    from ganonym.classify.model_folder import check_new
    from ganonym.classify.recipe import Encoder, load_recipe
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


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    photos: Annotated[list[Path], typer.Argument(help="Photographs.", show_default=False)],
    top: Annotated[int, typer.Option("--top", min=1, help="So many classes of each.")] = 5,
    encoder: Encoder = None,
    sha256: Digest = None,
    device: Device = "auto",
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rank the classes that a model knows for each photograph. No diagnosis: a similarity to what it learned from."""
    from ganonym.classify.recipe import Encoder
    from ganonym.classify.studies import model as studies

    output = Output(as_json, quiet)
    studies.check_photos(photos)
    opened = studies.opened(model, Encoder(encoder, sha256), device)
    predictions = studies.predict(opened.model, photos, top, workers(jobs), cache_at(cache))
    table = Table("photograph", "class", "probability")
    for image, classes in predictions.photos.items():
        for place, (name, chance) in enumerate(classes):
            table.add_row("" if place else image, name, f"{chance:.2f}")
    say(output, (*opened.remarks, *predictions.remarks))
    output.result(predictions.payload(), table)
    if predictions.left_out:
        raise typer.Exit(1)


def explain(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    photo: Annotated[Path, typer.Argument(help="A photograph.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="PNG to write: it shows the person.", show_default=False)],
    name: Annotated[str | None, typer.Option("--class", help="Class to explain.", show_default="the likeliest")] = None,
    encoder: Encoder = None,
    sha256: Digest = None,
    cache: Cache = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Where on the face a network saw a class (Grad-CAM): drawn on the photograph, and as shares of its regions."""
    from ganonym.classify.recipe import Encoder
    from ganonym.classify.studies.model import check_photos, explained, opened
    from ganonym.errors import UsageError
    from ganonym.files import refuse_existing, write_private
    from ganonym.photos.encode import encode_png

    output = Output(as_json, quiet)
    check_photos([photo])
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out} is no PNG.", "Name a file that ends in .png.")
    if out.exists() and out.samefile(photo):
        raise UsageError(f"--out {out} is the photograph itself.", "Name another file.")
    refuse_existing("--out", out)
    opening = opened(model, Encoder(encoder, sha256), "cpu")
    explanation = explained(opening.model, photo, name, cache_at(cache))
    write_private(out, encode_png(explanation.picture))
    table = Table("region", "share of the map")
    for region, share in explanation.shares.items():
        table.add_row(region, f"{share:.2f}")
    output.result({"class": explanation.name, "picture": str(out), "shares": dict(explanation.shares)}, table)
