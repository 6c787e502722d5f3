"""`ganonym weights`: what the bundled weights are, and whether they are what the manifest says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Json, Quiet
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.weights import WeightsEntry

app = typer.Typer(no_args_is_help=True, help="List, verify or accept the weights.")


def state(entry: WeightsEntry) -> str:
    """`ok`, `missing` or `altered`: the file against its digest in the manifest."""
    from ganonym.weights import checkpoints_folder, sha256_file

    path = checkpoints_folder() / entry.file
    if not path.is_file():
        return "missing"
    return "ok" if sha256_file(path) == entry.sha256 else "altered"


@app.command("list")
def list_(as_json: Json = False, quiet: Quiet = False) -> None:
    """Name, size, licence and training data of each weights file."""
    from ganonym.weights import checkpoints_folder, read_manifest

    table = Table("name", "MiB", "licence", "trained on", "SHA-256", prose=["licence", "trained on"])
    entries = read_manifest()
    for entry in entries.values():
        path = checkpoints_folder() / entry.file
        size = f"{path.stat().st_size / 2**20:.1f}" if path.is_file() else "absent"
        table.add_row(entry.name, size, entry.licence, ", ".join(entry.trained_on), entry.sha256[:12])
    payload = {"folder": str(checkpoints_folder()), "weights": [asdict(entry) for entry in entries.values()]}
    Output(as_json, quiet).result(payload, table)


@app.command()
def verify(as_json: Json = False, quiet: Quiet = False) -> None:
    """Compare every file with its digest; exit code 4 when one is missing or altered."""
    from ganonym.weights import read_manifest

    states = {name: state(entry) for name, entry in read_manifest().items()}
    table = Table("name", "state")
    for name, condition in states.items():
        table.add_row(name, condition)
    Output(as_json, quiet).result({"weights": states}, table)
    if set(states.values()) - {"ok"}:
        raise typer.Exit(4)


@app.command()
def accept(
    name: Annotated[str, typer.Argument(help="Name in the manifest.", show_default=False)],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take the weights NAME as they are now, after you trained them yourself: writes their digest to the manifest."""
    from ganonym import weights

    digest = weights.accept(name)
    Output(as_json, quiet).result({"name": name, "sha256": digest}, f"{name}: {digest}")
