"""`ganonym verify`: check a finished output folder again, trusting nothing but its ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Json, Quiet
from ganonym_cli.table import Table


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that `ganonym anonymize` wrote.")],
    originals: Annotated[
        Path | None, typer.Option(help="The folder it was made from: check completeness against it.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check ledger chain, digests, metadata, strays and faces of OUT; exit code 3 when anything is wrong."""
    from ganonym.batch.audit import verify_release

    output = Output(as_json, quiet)
    with output.progress() as advance:
        verification = verify_release(out, originals, advance)
    table = Table("check", "result", title=f"{verification.pictures} pictures, made by {verification.made_by}")
    for check, problems in verification.problems.items():
        table.add_row(check, f"{len(problems)} problems" if problems else "ok")
    said = [problem for problems in verification.problems.values() for problem in problems]
    output.result(verification.to_json(), table, *said, *verification.notes)
    if not verification.sound:
        raise typer.Exit(verification.exit_code)
