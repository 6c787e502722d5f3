"""`ganonym compare`: several assessments on one trade-off curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Json, Quiet
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.evaluate.compare import Comparison


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Outputs of ganonym assess.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    measure: Annotated[
        str | None, typer.Option(help="What usefulness is judged by.", show_default="the first that all have")
    ] = None,
    different_data: Annotated[
        bool, typer.Option("--different-data", help="Compare though the originals differ.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw the trade-off of several assessments with intervals; rank only what the intervals separate."""
    from ganonym.evaluate.compare import compare_folders
    from ganonym.evaluate.report.pages import write_comparison

    comparison = compare_folders(folders, measure, different_data)
    write_comparison(out, comparison)
    print_comparison(Output(as_json, quiet), comparison, out)


def print_comparison(output: Output, comparison: Comparison, out: Path, **more: object) -> None:
    """Warnings, the table, and where the page is; with --json also `more`."""
    from ganonym.evaluate.report.pages import comparison_files

    for note in comparison.notes:
        output.warn(f"Warning: {note}")
    files = [str(out / name) for name in comparison_files(comparison)]
    payload = comparison.model_dump(mode="json") | {"files": files} | more
    output.result(payload, table_of(comparison), f"Page: {out / 'comparison.html'}")


def table_of(comparison: Comparison) -> Table:
    """The comparison for the terminal."""
    from ganonym.evaluate.report.pages import place

    table = Table("run", "verdict", "named at worst", "class", "rank", "useful", "rank in class", "named more")
    more = {paired.name: paired.difference for paired in comparison.differences}
    for run in comparison.runs:
        limit = f"≤ {run.privacy_class:.2f}" if run.privacy_class < 1 else "> 0.33"
        risk = f"{run.risk.value:.3f} [{run.risk.low:.3f}, {run.risk.high:.3f}], ≤ {run.risk.upper:.3f}"
        use = run.utility
        useful = "" if use is None else f"{use.value:.3f} [{use.low:.3f}, {use.high:.3f}]"
        gap = more.get(run.name)
        paired = "" if gap is None else f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
        table.add_row(
            run.name, run.verdict, risk, limit, place(run.privacy_place), useful, place(run.utility_place), paired
        )  # fmt: skip
    return table
