"""`ganonym config`: what a run would use, and where each value comes from."""

from __future__ import annotations

from dataclasses import asdict

import typer

from ganonym.settings import Settings, explained
from ganonym_cli.console import Output
from ganonym_cli.options import ANONYMIZE, Given, Json, Profile, Quiet, settings_options, sources_of
from ganonym_cli.table import Table

app = typer.Typer(no_args_is_help=True, help="Show the settings of a run.")


@app.callback()
def config() -> None:
    """Show the settings of a run."""


@app.command()
@settings_options(Settings, ANONYMIZE)
def show(*, given: Given, profile: Profile = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Every setting that `ganonym anonymize` would use with these options, and where its value comes from."""
    settings = explained(given, *sources_of(profile))
    table = Table("setting", "value", "from", "what it is", prose=["what it is"])
    for setting in settings:
        table.add_row(setting.name, _shown(setting.value), setting.source, setting.help)
    Output(as_json, quiet).result({"settings": [asdict(setting) for setting in settings]}, table)


def _shown(value: object) -> str:
    """As TOML writes it, so that it can be copied into a file of settings."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
