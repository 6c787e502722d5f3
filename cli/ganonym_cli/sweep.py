"""`ganonym sweep`: one folder of photographs released in many ways, each assessed, all on one trade-off curve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganonym_cli.assess import print_comparison
from ganonym_cli.console import Output
from ganonym_cli.options import Distinct, Jobs, Json, Quiet, Seed

if TYPE_CHECKING:
    from ganonym.evaluate.api import Method

SIZES, EPSILONS = "2,5,11,20", "0.5,1,2"


def sweep(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
    manifest: Annotated[Path, typer.Option(help="CSV: image, subject; optional syndrome, …", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    mechanism: Annotated[
        str, typer.Option(help="What protects the shape: k-same, metric, codebook, with commas.")
    ] = "k-same",
    k: Annotated[str | None, typer.Option("-k", help="k-same: group sizes.", show_default=SIZES)] = None,
    epsilon: Annotated[str | None, typer.Option("--epsilon", help="metric: ε.", show_default=EPSILONS)] = None,
    baselines: Annotated[str, typer.Option(help="Well-known methods beside them, with commas.")] = "blur,pixelate",
    policy: Annotated[str, typer.Option(help="public, controlled, internal, or a TOML file.")] = "public",
    distinct: Distinct = None,
    measure: Annotated[
        str | None, typer.Option(help="What usefulness is judged by.", show_default="the first that all have")
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Release IN in many ways, assess each, and draw the trade-off curve with intervals."""
    from ganonym.evaluate import api
    from ganonym.evaluate.verdict.policy import load_policy

    limits = load_policy(policy)
    mechanisms, workers = listed(mechanism), jobs or os.cpu_count() or 1
    sizes, budgets = grids(mechanisms, k, epsilon)
    methods = methods_of(mechanisms, sizes, budgets, seed=seed, jobs=jobs or 0) | baselines_of(baselines, jobs or 0)
    output = Output(as_json, quiet)
    with output.progress() as advance:
        comparison = api.sweep(
            source,
            manifest,
            methods,
            policy=limits,
            measure=measure,
            out=out,
            distinct=distinct,
            seed=seed,
            jobs=workers,
            progress=advance,
        )
    compared = {run.name for run in comparison.runs}
    print_comparison(output, comparison, out, left_out=[name for name in methods if name not in compared])


def listed(text: str) -> list[str]:
    """The entries of a list with commas.

    >>> listed("blur, eyebar,")
    ['blur', 'eyebar']
    """
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def numbers(text: str, option: str) -> list[float]:
    """The numbers of a list with commas. Raises UsageError on anything else.

    >>> numbers("0.5,1", "--epsilon")
    [0.5, 1.0]
    """
    from ganonym.errors import UsageError

    try:
        return [float(entry) for entry in listed(text)]
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no list of numbers.", "Write them with commas: 0.5,1,2.") from error


def grids(mechanisms: list[str], k: str | None, epsilon: str | None) -> tuple[list[int], list[float]]:
    """Group sizes and budgets. Raises UsageError on what is none, is missing, or has no mechanism that uses it."""
    from ganonym.errors import UsageError

    for option, value, user in (("-k", k, "k-same"), ("--epsilon", epsilon, "metric")):
        if value is not None and user not in mechanisms:
            raise UsageError(f"{option} does nothing: it is of {user}, which --mechanism lacks.", "Leave it out.")
    sizes = numbers(SIZES if k is None else k, "-k")
    budgets = numbers(EPSILONS if epsilon is None else epsilon, "--epsilon")
    if "k-same" in mechanisms and not sizes:
        raise UsageError("-k names no group size.", "Write them with commas: 5,11,20.")
    if "metric" in mechanisms and not budgets:
        raise UsageError("--epsilon names no budget.", "Write them with commas: 0.5,1,2.")
    if any(size != int(size) for size in sizes):
        raise UsageError(f"-k {k!r} holds no whole numbers.", "Write them with commas: 5,11,20.")
    return [int(size) for size in sizes], budgets


def methods_of(mechanisms: list[str], sizes: list[int], budgets: list[float], **common: Any) -> dict[str, Method]:
    """Every mechanism with every value of its parameter, by name. Raises UsageError on wrong values."""
    from ganonym.errors import UsageError
    from ganonym.settings import Settings

    methods: dict[str, Method] = {}
    for mechanism in mechanisms:
        if mechanism == "k-same":
            methods |= {f"k-same-k{size}": Settings(mechanism="k-same", k=size, **common) for size in sizes}
        elif mechanism == "metric":
            methods |= {f"metric-e{most:g}": Settings(mechanism="metric", epsilon=most, **common) for most in budgets}
        elif mechanism == "codebook":
            methods["codebook"] = Settings(mechanism="codebook", **common)
        else:
            raise UsageError(f"--mechanism {mechanism!r} cannot be swept.", "Take k-same, metric or codebook.")
    return methods


def baselines_of(names: str, jobs: int) -> dict[str, Method]:
    """Well-known methods by name. Raises UsageError on what is none."""
    from ganonym.baselines.methods import BaselineSettings

    # The model itself refuses what is no method.
    return {name: BaselineSettings(method=name, jobs=jobs) for name in listed(names)}  # type: ignore[arg-type]
