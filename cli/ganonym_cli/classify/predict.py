"""`ganonym classify predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.models import check_photos, model_in
from ganonym_cli.classify.options import Digest, Encoder, reasons_of, workers
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, cache_at
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
    from ganonym.classify.case import Case
    from ganonym.classify.cohort import gather
    from ganonym.classify.metrics.rates import ranked

    output = Output(as_json, quiet)
    check_photos(photos)
    found = model_in(model, encoder, sha256, device, output)
    names = found.card.names
    # Nothing is known of them: every photo is a person of its own, of some class or other.
    cases = [Case(str(path), path, str(path), names[0]) for path in photos]
    cohort = gather(cases, workers(jobs), names, crops=found.look.crops, cache=cache_at(cache))
    seen, chances = found.chances(cohort)
    table = Table("photograph", "class", "probability")
    told = {}
    for image, row, order in zip(seen.images, chances, ranked(chances), strict=True):
        listed = [(names[index], float(row[index])) for index in order[:top]]
        told[image] = [{"name": name, "probability": chance} for name, chance in listed]
        for place, (name, chance) in enumerate(listed):
            table.add_row("" if place else image, name, f"{chance:.2f}")
    for image, reason in cohort.left_out:
        output.warn(f"{image}: {reason}")
    if found.card.simulated:
        output.note("The model learned from SIMULATED syndromes.")
    left = reasons_of(cohort.left_out, "photo")
    output.result({"simulated": found.card.simulated, "photos": told, "left_out": left}, table)
    if left:
        raise typer.Exit(1)
