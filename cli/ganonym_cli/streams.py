"""Standard output and standard error that may be closed, full, or read by nobody any more."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from ganonym.errors import EnvironmentFault


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
