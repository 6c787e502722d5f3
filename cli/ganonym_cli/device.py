"""Where networks compute: the option, and what torch calls it."""

from __future__ import annotations

from typing import Annotated

import typer

from ganonym_cli.console import Output

Device = Annotated[
    str, typer.Option("--device", help="Where networks compute: cpu, cuda, or auto, a GPU where there is one.")
]


def device_of(text: str, output: Output) -> str:
    """As torch names it. Raises UsageError for an unknown one, EnvironmentFault for a GPU that is not there."""
    from torch import cuda

    from ganonym.errors import EnvironmentFault, UsageError

    if text not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {text} is nothing to compute on.", "Give cpu, cuda or auto.")
    if text == "cuda" and not cuda.is_available():
        raise EnvironmentFault("there is no GPU that torch can use.", "Give --device cpu, or install a driver.")
    if text == "cpu" or not cuda.is_available():
        return "cpu"
    output.note("On the GPU: the same seed gives the same draws, sums differ in their last digits.")
    return "cuda"
