"""`ganonym classify explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.models import check_photos, model_in
from ganonym_cli.classify.options import Digest, Encoder
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Json, Quiet, cache_at
from ganonym_cli.table import Table


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
    from ganonym.classify.explain.model import explained
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
    found = explained(model_in(model, encoder, sha256, "cpu", output), photo, name, cache_at(cache))
    write_private(out, encode_png(found.picture))
    table = Table("region", "share of the map")
    for region, share in found.shares.items():
        table.add_row(region, f"{share:.2f}")
    output.result({"class": found.name, "picture": str(out), "shares": dict(found.shares)}, table)
