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
    from ganonym.batch.audit import audit_release
    from ganonym.batch.recheck import recheck_faces, recheck_originals

    output = Output(as_json, quiet)
    audit = audit_release(out)
    problems = {"ledger, digests, metadata, strays": list(audit.problems)}
    with output.progress() as advance:
        problems["one face each"] = recheck_faces(out, lambda done, total: advance("look for faces", done, total))
    if originals is not None:
        problems["agrees with the originals"] = recheck_originals(out, originals)

    table = Table("check", "result", title=f"{audit.pictures} pictures")
    for name, found in problems.items():
        table.add_row(name, f"{len(found)} problems" if found else "ok")
    sound = not any(problems.values())
    payload = {"sound": sound, "pictures": audit.pictures, "problems": problems, "exit_code": 0 if sound else 3}
    output.result(payload, table, *(problem for found in problems.values() for problem in found))
    if not sound:
        raise typer.Exit(3)
