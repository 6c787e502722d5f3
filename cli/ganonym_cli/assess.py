"""`ganonym assess`: leakage against retained utility of a release, with a verdict; `ganonym compare` ranks several."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Distinct, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.evaluate.assessment import Assessment
    from ganonym.evaluate.compare import Comparison


def assess(
    originals: Annotated[Path, typer.Argument(help="Folder of the original photos.", show_default=False)],
    anonymized: Annotated[
        Path, typer.Argument(help="OUT folder of ganonym, or pictures under the photos' paths.", show_default=False)
    ],
    manifest: Annotated[Path, typer.Option(help="CSV: image, subject; optional syndrome, expression, sex, …")],
    out: Annotated[Path, typer.Option(help="Folder to write; its report.html shows photos: keep it private.")],
    policy: Annotated[str, typer.Option(help="public, controlled, internal, or a TOML file.")] = "public",
    pairs: Annotated[Path | None, typer.Option(help="CSV: source, output, where paths differ.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Manifest columns released beside the pictures.", show_default="OUT/manifest.csv")
    ] = None,
    distinct: Distinct = None,
    mock: Annotated[
        Path | None, typer.Option(help="Your own second run of the anonymizer, other key: parrot attack.")
    ] = None,
    recognizer: Annotated[
        list[str] | None, typer.Option(help="onnx:FILE:PRESET:SHA256, repeatable: one more recognizer to attack with.")
    ] = None,
    donors: Annotated[
        Path | None, typer.Option(help="CSV: image, subject of the real people of whom outputs are made: donor leak.")
    ] = None,
    distractors: Annotated[
        Path | None, typer.Option(help="Folder of photos of other people, one each: they make galleries larger.")
    ] = None,
    title: Annotated[str, typer.Option(help="What the reports are headed by.")] = "",
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Attack a release and measure what it is still good for; exit code 3 unless the policy accepts the verdict."""
    from ganonym.evaluate.api import assess as assess_files
    from ganonym.evaluate.verdict.gates import exit_code
    from ganonym.evaluate.verdict.policy import load_policy

    limits, output = load_policy(policy), Output(as_json, quiet)
    with output.progress() as advance:
        assessment = assess_files(
            originals,
            anonymized,
            manifest,
            policy=limits,
            out=out,
            pairs=pairs,
            columns=None if columns is None else [name.strip() for name in columns.split(",") if name.strip()],
            distinct=distinct,
            mock=mock,
            recognizers=tuple(recognizer or ()),
            donors=donors,
            distractors=distractors,
            title=title,
            seed=seed,
            jobs=jobs or os.cpu_count() or 1,
            progress=advance,
        )
    code = exit_code(assessment.verdict, limits)
    payload = assessment.model_dump(mode="json") | {"report": str(out / "report.html"), "exit_code": code}
    output.result(payload, assessment.headline, *tables_of(assessment), f"Reports: {out}")
    raise typer.Exit(code)


def tables_of(assessment: Assessment) -> list[Table]:
    """Gates, the strongest attacker of every attack, and the utility that was decided; the reports hold the rest."""
    from ganonym.evaluate.report.card import attack_rows, gate_rows

    decided = [row for row in assessment.utility if row.decision in ("kept", "lost", "undecided")]
    kept = Table(
        "utility",
        "original",
        "released",
        "difference",
        "decision",
        caption=f"{len(assessment.utility)} rows in the reports.",
    )
    for row in decided:
        values = (row.original, row.released, row.difference)
        shown = ("" if estimate is None else f"{estimate.value:.3f}" for estimate in values)
        kept.add_row(f"{row.family}: {row.name}", *shown, row.decision)
    gates = _table(f"Policy {assessment.policy}", gate_rows(assessment))
    return [gates, _table("People named", attack_rows(assessment)), kept]


def _table(title: str, content: tuple[tuple[str, ...], list[tuple[str, ...]]]) -> Table:
    heads, rows = content
    table = Table(*heads, title=title)
    for row in rows:
        table.add_row(*row)
    return table


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
