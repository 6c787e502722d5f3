"""`ganonym classify screen`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ganonym_cli.classify.options import (
    Changes,
    Data,
    Digest,
    Encoder,
    Folds,
    Images,
    RecipeName,
    Size,
    cohort_of,
    marked,
    reasons_of,
    star,
    system_for,
    with_interval,
)
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.screening.rates import Ratio, Screened, ScreeningRates
    from ganonym.statistics.intervals import Estimate


def screen(
    recipe: RecipeName,
    data: Data,
    positive: Annotated[str, typer.Option("--positive", help="The disorder to screen for.", show_default=False)],
    images: Images = None,
    preset: Size = "small",
    changes: Changes = None,
    threshold: Annotated[
        Literal["youden", "sensitivity", "specificity"],
        typer.Option("--threshold", help="What it is chosen for: both rates, or one of at least --target."),
    ] = "youden",
    target: Annotated[
        float | None,
        typer.Option("--target", help="Sensitivity or specificity to reach, of a --threshold.", show_default="0.95"),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option("--prevalence", help="Of the disorder where it is screened for.", show_default="the study's own"),
    ] = None,
    yaw: Annotated[float, typer.Option("--yaw", help="Frontal heads turn by at most so many degrees.")] = 15.0,
    pitch: Annotated[
        float | None,
        typer.Option("--pitch", help="Frontal heads nod by at most so many degrees.", show_default="any"),
    ] = None,
    folds: Folds = 5,
    encoder: Encoder = None,
    sha256: Digest = None,
    device: Device = "auto",
    seed: Seed = 0,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Screen for one disorder: yes or no, in folds over people, at any angle and on frontal photographs.

    In every fold the threshold is chosen on the people learned from, by as many folds of those.
    """
    from ganonym.classify.case import Classed
    from ganonym.classify.screening.rates import Terms
    from ganonym.classify.screening.threshold import Rule
    from ganonym.classify.systems.screening import BinaryScreening, assess_in_folds, check_people
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    if threshold == "youden" and target is not None:
        raise UsageError(
            "--target does nothing: the threshold weighs both rates alike.", "Give --threshold sensitivity."
        )
    goal = 0.95 if target is None else target
    rule, terms = Rule(threshold, goal), Terms(prevalence, yaw, pitch)
    chosen = system_for(recipe, preset, changes, encoder, sha256, device, output)
    if chosen.recipe.system == "photo-set":
        raise UsageError(
            f"{chosen.recipe.name} calls people, not photographs, and people have no angle.",
            "Test it with `ganonym classify evaluate --positive`, or screen by another recipe.",
        )

    def check(them: Classed) -> None:
        check_people(them.classes == 1, them.subjects, seed, folds, folds)

    with output.progress() as advance:
        cohort = cohort_of(
            data, images, positive, jobs, output, advance, check=check, crops=chosen.system.look.crops, cache=cache
        )
        seen = chosen.system.look(cohort)
        poses = [face.pose for face in cohort.portraits]
        method = BinaryScreening(chosen.system.method, rule, folds)
        found = assess_in_folds(
            method, seen.inputs, seen.classes == 1, seen.subjects, poses, seed, folds, terms, advance
        )
    aim = threshold if threshold == "youden" else f"{threshold} of at least {goal:g}"
    payload = {
        "name": chosen.recipe.name,
        "simulated": cohort.simulated,
        "positive": positive,
        "threshold": {"rule": threshold, "target": None if threshold == "youden" else goal},
        "thresholds": [_finite(each) for each in found.thresholds],
        "any_angle": found.any_angle.model_dump(),
        "frontal": found.frontal and found.frontal.model_dump(),
        "yaw": yaw,
        "pitch": pitch,
        "not_frontal": len(found.angles.left),
        "left_out": reasons_of(cohort.left_out),
    }
    said = "SIMULATED syndromes. " if cohort.simulated else ""
    who = found.any_angle
    nod = "" if pitch is None else f" or nods by more than {pitch:g}"
    turned = f"{len(found.angles.left)} photographs not frontal: the head turns by more than {yaw:g} degrees{nod}"
    output.result(
        payload,
        f"{chosen.recipe.name}, {positive} against all else: {said}{who.photos} photographs of {who.patients} patients "
        f"and {who.others} others, each called by what learned from other people.",
        _table(found),
        f"{turned}; {len(cohort.left_out)} photographs left out.",
        f"Thresholds of the folds, for {aim}: " + ", ".join(_threshold(each) for each in found.thresholds) + ".",
        "PPV and NPV are those of this study, whose share of patients is its own: they say nothing of practice. "
        "Give --prevalence."
        if prevalence is None
        else f"PPV and NPV where {prevalence:g} of those screened have it.",
        *star(bool(who.few_people or (found.frontal is not None and found.frontal.few_people))),
    )


def _table(found: Screened) -> Table:
    table = Table("rate [95 % interval]", "any angle", "frontal")
    columns = [_cells(found.any_angle), {} if found.frontal is None else _cells(found.frontal)]
    for name, cell in columns[0].items():
        table.add_row(name, cell, columns[1].get(name, "no patients, or no others"))
    return table


def _cells(rates: ScreeningRates) -> dict[str, str]:
    few = rates.few_people  # ratios, as the AUROC, rest on the smaller side
    return {
        "photographs": str(rates.photos),
        "patients / others": f"{rates.patients} / {rates.others}",
        "sensitivity": with_interval(rates.sensitivity, "sensitivity" in few),
        "specificity": with_interval(rates.specificity, "specificity" in few),
        "accuracy": with_interval(rates.accuracy, "accuracy" in few),
        "PPV": marked(_predictive(rates.ppv), "ppv" in few),
        "NPV": marked(_predictive(rates.npv), "npv" in few),
        "likelihood ratio +": marked(_ratio(rates.positive_ratio), "auroc" in few),
        "likelihood ratio −": marked(_ratio(rates.negative_ratio), "auroc" in few),
        "AUROC": with_interval(rates.auroc, "auroc" in few),
    }


def _predictive(each: Estimate | None) -> str:
    """With so many decimals that what is rare does not round to never, nor what is usual to always."""
    if each is None:
        return "–"
    rare = [part for one in (each.value, each.low, each.high) for part in (one, 1 - one) if part > 1e-9]
    digits = max(3, -math.floor(math.log10(min(rare))))
    return f"{each.value:.{digits}f} [{each.low:.{digits}f}, {each.high:.{digits}f}]"


def _ratio(each: Ratio | None) -> str:
    if each is None:
        return "–"
    value, low, high = ("∞" if part is None else f"{part:.3g}" for part in (each.value, each.low, each.high))
    return f"{value} [{low}, {high}]"


def _finite(threshold: float) -> Any:
    """JSON has no infinity: null calls nobody positive."""
    return None if threshold == float("inf") else threshold


def _threshold(each: float) -> str:
    return "none positive" if each == float("inf") else f"{each:.3f}"
