"""Where words go: results on stdout, all else on stderr; and streams that are closed, full, or read by nobody."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.console import Console, RenderableType

from ganonym.errors import EnvironmentFault

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID
    from rich.text import Text

    from ganonym.types import Progress


@dataclass(frozen=True, slots=True)
class Output:
    """What one command may print. `as_json` and `quiet` are the flags of the command line."""

    as_json: bool = False
    quiet: bool = False

    def note(self, text: RenderableType) -> None:
        """A remark for the person at the terminal (stderr); silent with --quiet."""
        if not self.quiet:
            Console(stderr=True, highlight=False, markup=False).print(text)

    def warn(self, text: str) -> None:
        """What must be seen (stderr), with --quiet too."""
        Console(stderr=True, highlight=False, markup=False).print(text)

    def result(self, payload: Mapping[str, object], *tables: RenderableType) -> None:
        """The outcome: `payload` as JSON with --json, else `tables` on stdout unless --quiet."""
        if self.as_json:
            print(json.dumps(payload, ensure_ascii=False, allow_nan=False))
        elif not self.quiet:
            console = Console(highlight=False, markup=False)
            for table in tables:
                console.print(table)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """One bar a phase on stderr, with rate and time left; to be told (phase, done, total), or by `report`."""
        from ganonym.classify.progress import heard

        with _bars(hidden=self.quiet) as bars:
            tasks: dict[str, TaskID] = {}

            def advance(phase: str, done: int, total: int) -> None:
                if phase not in tasks:
                    tasks[phase] = bars.add_task(phase, total=total)
                elif done < bars.tasks[tasks[phase]].completed:  # the next fold's, at a speed of its own
                    bars.reset(tasks[phase], total=total)
                bars.update(tasks[phase], completed=done, total=total)

            with heard(advance):
                yield advance


def _bars(hidden: bool) -> Bars:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True, quiet=hidden),  # rich before 14 ends a hidden bar by an empty line
        disable=hidden,
    )


class OutputLost(EnvironmentFault):
    """Standard output takes nothing: closed, full, or its reader has gone."""


@contextmanager
def watched() -> Iterator[None]:
    """Within, writing to stdout raises OutputLost where it cannot be done, and stderr swallows what it cannot take.

    Raises OutputLost at once when stdout is closed, and at the end when it does not take what it still holds. Left
    alone, an OSError would be taken for one of the files at work, and typer and rich leave a broken pipe by exit code
    1, which means something else here.
    """
    _fill_descriptors()
    out, err = sys.stdout, sys.stderr
    try:
        sys.stderr = cast(TextIO, _Stderr(err or _nowhere()))
        if out is None:
            sys.stdout = _nowhere()  # for whoever prints all the same
            raise OutputLost("standard output is closed.", "Send it to a file, or to /dev/null.")
        sys.stdout = watching = cast(TextIO, _Stdout(out))
        yield
        if sys.stdout is not watching:  # typer mutes a pipe that it finds broken
            raise _lost(out, OSError(errno.EPIPE, os.strerror(errno.EPIPE)))
        watching.flush()
    finally:
        sys.stdout, sys.stderr = out, err


class _Stdout:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _lost(self._stream, error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise _lost(self._stream, error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Stderr:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _lost(stream: TextIO, error: OSError) -> OutputLost:
    """The fault to raise; what is left in the stream's buffer goes nowhere, also when the interpreter ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return OutputLost(
        f"cannot write to standard output: {error.strerror}.",
        "What the command had to do is done, but its result could not be shown.",
    )


def _nowhere() -> TextIO:
    return open(os.devnull, "w")  # noqa: PTH123  # as long as the process


def _fill_descriptors() -> None:
    """Open the standard descriptors that are closed: the next file opened, a ledger, would become one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
