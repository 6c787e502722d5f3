"""`ganonym baseline`: the anonymizers everybody knows, to compare ours with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Distinct, Jobs, Json, OutFolder, Quiet
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.batch.run import RunResult


def baseline(
    method: Annotated[
        Literal["blur", "pixelate", "blackout", "eyebar", "k-same-pixel", "composite"],
        typer.Argument(help="What is done to the faces.", show_default=False),
    ],
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
    out: OutFolder,
    manifest: Annotated[Path | None, typer.Option(help="CSV: image, subject; optional syndrome, …")] = None,
    strength: Annotated[
        float | None, typer.Option(help="blur, pixelate: scales the SD or the squares.", show_default="1")
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", min=2, help="k-same-pixel: subjects per group.", show_default="11")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the file names.", show_default="OUT/private/key")
    ] = None,
    distinct: Distinct = None,
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="Start anew; the earlier release goes at the end.")
    ] = False,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Treat IN by a well-known method that guarantees nothing; exit code 1 when some photos had to be withheld."""
    from ganonym.baselines.methods import BaselineSettings
    from ganonym.batch.baseline import run_baseline

    settings = BaselineSettings(method=method, strength=strength, k=k, jobs=jobs or 0, resume=not no_resume)
    output = Output(as_json, quiet)
    with output.progress() as advance:
        result = run_baseline(source, out, settings, manifest, key_file, advance, distinct)
    payload = asdict(result) | {"rate": result.rate, "report": str(out / "REPORT.md"), "exit_code": result.exit_code}
    output.result(payload, _table(result), f"{result.guarantee}.", f"Report: {out / 'REPORT.md'}")
    raise typer.Exit(result.exit_code)


def _table(result: RunResult) -> Table:
    table = Table("", "pictures", "", title=result.mechanism.capitalize())
    speed = f"{result.rate:.1f} a second, {result.peak_memory / 2**20:.0f} MiB" if result.anonymized else ""
    table.add_row("made", str(result.anonymized), speed)
    if result.skipped:
        table.add_row("done before", str(result.skipped), "")
    table.add_row("withheld", str(result.quarantined), ", ".join(f"{name} {n}" for name, n in result.reasons.items()))
    if result.ignored:
        named = ", ".join(f"{name} {n}" for name, n in result.ignored.items())
        table.add_row("ignored", str(sum(result.ignored.values())), named)
    return table
