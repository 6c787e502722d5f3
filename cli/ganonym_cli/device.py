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
    from ganonym.classify.studies.study import device_of as place_of

    place, remarks = place_of(text)
    for remark in remarks:
        output.note(remark.text)
    return place
