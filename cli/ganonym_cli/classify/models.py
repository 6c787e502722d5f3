"""`ganonym classify predict` and `explain`: what a trained model says of photographs, and where it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.options import Digest, Encoder, say, workers
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, cache_at
from ganonym_cli.table import Table


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
    from ganonym.classify.chosen import Encoder
    from ganonym.classify.studies import model as studies

    output = Output(as_json, quiet)
    studies.check_photos(photos)
    opened = studies.opened(model, Encoder(encoder, sha256), device)
    found = studies.predict(opened.model, photos, top, workers(jobs), cache_at(cache))
    table = Table("photograph", "class", "probability")
    for image, classes in found.photos.items():
        for place, (name, chance) in enumerate(classes):
            table.add_row("" if place else image, name, f"{chance:.2f}")
    say(output, (*opened.remarks, *found.remarks))
    output.result(found.payload(), table)
    if found.left_out:
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
    from ganonym.classify.chosen import Encoder
    from ganonym.classify.explain.model import explained
    from ganonym.classify.studies.model import check_photos, opened
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
    found = explained(opening.model, photo, name, cache_at(cache))
    write_private(out, encode_png(found.picture))
    table = Table("region", "share of the map")
    for region, share in found.shares.items():
        table.add_row(region, f"{share:.2f}")
    output.result({"class": found.name, "picture": str(out), "shares": dict(found.shares)}, table)
