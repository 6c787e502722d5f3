"""`ganonym baseline`: the anonymizers everybody knows, to compare ours with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym.baselines.methods import BaselineSettings, Method
from ganonym_cli.console import Output
from ganonym_cli.options import Distinct, Given, Json, OutFolder, Quiet, settings_options
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.batch.run import RunResult


@settings_options(BaselineSettings, {"Options": ("strength", "k", "resume"), "Common": ("jobs",)})
def baseline(
    method: Annotated[Method, typer.Argument(help="What is done to the faces.", show_default=False)],
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
    out: OutFolder,
    *,
    manifest: Annotated[Path | None, typer.Option(help="CSV: image, subject; optional syndrome, …")] = None,
    given: Given,
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the file names.", show_default="OUT/private/key")
    ] = None,
    distinct: Distinct = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Treat IN by a well-known method that guarantees nothing; exit code 1 when some photos had to be withheld."""
    from ganonym.batch.run import baseline_folder

    settings = BaselineSettings.model_validate({"method": method, **given})
    output = Output(as_json, quiet)
    with output.progress() as advance:
        result = baseline_folder(
            source, out, settings, manifest=manifest, key_file=key_file, distinct=distinct, progress=advance
        )
    payload = result.to_json() | {"report": str(out / "REPORT.md")}
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
