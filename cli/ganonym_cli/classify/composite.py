"""`ganonym classify composite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.options import Data, Images, Label, Only, say, simulated, workers
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Jobs, Json, Quiet, cache_at
from ganonym_cli.table import Table


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
        found = composites(study, out, against, advance)
    maps = ["largest shift", "mean luma"] if found.limit else []
    table = Table("class", "people", "photographs", "file", *maps)
    for picture in found.pictures:
        cells = [picture.name, str(picture.people), str(picture.photos), picture.path.name]
        if picture.shift_px is not None and picture.luma is not None:
            cells += [f"{picture.shift_px:.1f} px", f"{picture.luma:+.1f}"]
        table.add_row(*cells)
    say(output, found.remarks)
    output.result(found.payload(), f"{simulated(found.simulated)}{len(found.pictures)} composites: {out}", table)
