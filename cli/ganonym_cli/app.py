"""The `ganonym` command: heavy imports are inside the commands, every way out has its exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from ganonym.errors import GanonymError
from ganonym.extras import bringing, remedy
from ganonym_cli import anonymize, assess, doctor, measure, phantom, plan, sweep, train
from ganonym_cli.classify import app as classify_app
from ganonym_cli.console import OutputLost, watched

app = typer.Typer(
    name="ganonym",
    help="Share face photographs of patients without sharing the patients.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)
app.command("demo", rich_help_panel="Photographs")(phantom.demo)
app.command("anonymize", rich_help_panel="Photographs")(anonymize.anonymize)
app.command("verify", rich_help_panel="Photographs")(anonymize.verify)
app.command("assess", rich_help_panel="Photographs")(assess.assess)
app.command("baseline", rich_help_panel="Photographs")(anonymize.baseline)
app.command("sweep", rich_help_panel="Photographs")(sweep.sweep)
app.command("compare", rich_help_panel="Photographs")(assess.compare)
app.command("plan", rich_help_panel="Photographs")(plan.plan)
app.command("measure", rich_help_panel="Photographs")(measure.measure)
app.command("phantom", rich_help_panel="Photographs")(phantom.phantom)
app.add_typer(classify_app, name="classify", rich_help_panel="Photographs")
app.add_typer(train.app, name="train", rich_help_panel="Model")
app.add_typer(doctor.weights_app, name="weights", rich_help_panel="Model")
app.add_typer(doctor.config_app, name="config", rich_help_panel="Model")
app.command("doctor", rich_help_panel="Model")(doctor.doctor)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ganonym {version('ganonym')}")
        raise typer.Exit


@app.callback()
def ganonym(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Share face photographs of patients without sharing the patients."""


ENVIRONMENT = 4
INTERNAL = 70
INTERRUPTED = 130
TRAINED = ("landmarks", "generator", "encoder", "gestalt", "regions")
RESUMING: dict[str, tuple[str, ...]] = {"anonymize": (), "baseline": (), "sweep": (), "train": TRAINED}
"""Commands, or their commands, that go on where they were stopped when they are given again."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave by SystemExit.

    Codes: 0 done, 1 done with quarantined items, 2 usage, 3 a check failed, 4 environment (standard output closed, full
    or without a reader, too), 70 a bug, 130 interrupted. GANONYM_DEBUG=1 shows the traceback of any error (it names
    files, so keep it private).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = 0
    try:
        with watched():
            code = _run(arguments)
    except OutputLost as error:
        _warn(error.message, error.remedy)
        code = code if code > 1 else error.exit_code
    raise SystemExit(code)


def _run(arguments: list[str]) -> int:
    """The exit code; whatever goes wrong has been told."""
    debug = os.environ.get("GANONYM_DEBUG") == "1"
    if not _posix():
        return _fail(
            arguments, ENVIRONMENT, "this system is not POSIX.", "ganonym runs on Linux; on Windows, use WSL 2."
        )
    try:
        app(args=arguments, prog_name="ganonym")
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            return _fail(arguments, INTERRUPTED, "interrupted.", _after_interruption(arguments))
        if stop.code == 2 and "--json" in arguments:
            return _fail(arguments, 2, "wrong usage", "See stderr, or --help.", told=True)
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        return _fail(arguments, INTERRUPTED, "interrupted.", _after_interruption(arguments))
    except OutputLost:
        raise
    except GanonymError as error:
        if debug:
            traceback.print_exc()
        for warning in getattr(error, "__notes__", ()):  # what was found before it may say why
            print(warning, file=sys.stderr)
        return _fail(arguments, error.exit_code, error.message, error.remedy)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, ModuleNotFoundError) and (extra := bringing(error.name)):
            return _fail(arguments, ENVIRONMENT, f"{error.name} is not installed.", remedy(extra))
        kind = type(error).__name__
        return _fail(arguments, INTERNAL, f"internal error ({kind})", "This is a bug; GANONYM_DEBUG=1 shows where.")
    return 0


def _fail(arguments: list[str], code: int, message: str, remedy: str, told: bool = False) -> int:
    if not told:
        _warn(message, remedy)
    if "--json" in arguments:
        try:
            # The first line alone: the lists below it name people and photographs, which standard output must not.
            told_first = {"exit_code": code, "error": message.strip().split("\n")[0], "remedy": remedy}
            print(json.dumps(told_first, ensure_ascii=False), flush=True)
        except OutputLost as error:
            _warn(error.message, error.remedy)
            return code if code > 1 else error.exit_code
    return code


def _warn(message: str, remedy: str) -> None:
    print(f"ganonym: {message} {remedy}".rstrip(), file=sys.stderr)


def _after_interruption(arguments: list[str]) -> str:
    """What to do after Ctrl-C: not every command can go on where it was."""
    words = [word for word in arguments if not word.startswith("-")]
    parts = RESUMING.get(words[0]) if words else None
    if parts is None or (parts and not {*parts} & {*words[1:2]}):
        return "It does not resume: start it again, in a new folder if it refuses the old one."
    if "--dry-run" in arguments:
        return "Nothing was written."
    if "--no-resume" in arguments:
        return "The same command resumes; until the new release is complete, an earlier one stays as it is."
    return "The same command resumes."


def _posix() -> bool:
    """Whether the system has what locks and limits of worker processes need."""
    try:
        import fcntl  # noqa: F401
        import resource  # noqa: F401
    except ImportError:
        return False
    return True
