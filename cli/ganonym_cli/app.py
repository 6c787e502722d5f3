"""The `ganonym` command: one file a command, heavy imports inside the commands, every way out has its exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from ganonym.errors import GanonymError
from ganonym_cli import (
    anonymize,
    assess,
    baseline,
    compare,
    demo,
    doctor,
    measure,
    phantom,
    plan,
    sweep,
    train,
    verify,
    weights,
)
from ganonym_cli.classify.app import app as classify_app

app = typer.Typer(
    name="ganonym",
    help="Share face photographs of patients without sharing the patients.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)
app.command("demo", rich_help_panel="Photographs")(demo.demo)
app.command("anonymize", rich_help_panel="Photographs")(anonymize.anonymize)
app.command("verify", rich_help_panel="Photographs")(verify.verify)
app.command("assess", rich_help_panel="Photographs")(assess.assess)
app.command("baseline", rich_help_panel="Photographs")(baseline.baseline)
app.command("sweep", rich_help_panel="Photographs")(sweep.command())
app.command("compare", rich_help_panel="Photographs")(compare.compare)
app.command("plan", rich_help_panel="Photographs")(plan.plan)
app.command("measure", rich_help_panel="Photographs")(measure.measure)
app.command("phantom", rich_help_panel="Photographs")(phantom.phantom)
app.add_typer(classify_app, name="classify", rich_help_panel="Photographs")
app.add_typer(train.app, name="train", rich_help_panel="Model")
app.add_typer(weights.app, name="weights", rich_help_panel="Model")
app.command("doctor", rich_help_panel="Model")(doctor.doctor)

INTERNAL = 70
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave by SystemExit.

    Codes: 0 done, 1 done with quarantined items, 2 usage, 3 a check failed, 4 environment, 70 a bug, 130 interrupted.
    GANONYM_DEBUG=1 shows the traceback of any error (it names files, so keep it private).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = os.environ.get("GANONYM_DEBUG") == "1"
    try:
        app(args=arguments, prog_name="ganonym")
    except SystemExit as stop:
        if stop.code == 2 and "--json" in arguments:
            _fail(arguments, 2, "wrong usage", "See stderr, or --help.", told=True)
        raise
    except KeyboardInterrupt:
        _fail(arguments, INTERRUPTED, "interrupted", "The same command resumes.")
    except GanonymError as error:
        if debug:
            traceback.print_exc()
        _fail(arguments, error.exit_code, error.message, error.remedy)
    except Exception as error:
        if debug:
            traceback.print_exc()
        kind = type(error).__name__
        _fail(arguments, INTERNAL, f"internal error ({kind})", "This is a bug; GANONYM_DEBUG=1 shows where.")


def _fail(arguments: list[str], code: int, message: str, remedy: str, told: bool = False) -> None:
    if not told:
        print(f"ganonym: {message} {remedy}".rstrip(), file=sys.stderr)
    if "--json" in arguments:
        print(json.dumps({"exit_code": code, "error": message, "remedy": remedy}, ensure_ascii=False))
    raise SystemExit(code)
