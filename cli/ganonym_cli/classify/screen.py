"""`ganonym classify screen` and `dysmorphism`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

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
    marked,
    say,
    simulated,
    star,
    with_interval,
    workers,
)
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.screening.rates import Ratio, Screened, ScreeningRates
    from ganonym.classify.studies.screen import Screening
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
    from ganonym.classify.recipe import Encoder, load_recipe
    from ganonym.classify.screening.rates import Terms
    from ganonym.classify.screening.threshold import Rule
    from ganonym.classify.studies import screen as studies
    from ganonym.classify.studies.study import Study
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    if threshold == "youden" and target is not None:
        raise UsageError(
            "--target does nothing: the threshold weighs both rates alike.", "Give --threshold sensitivity."
        )
    rule, terms = Rule(threshold, 0.95 if target is None else target), Terms(prevalence, yaw, pitch)
    study = Study(
        data,
        images,
        positive=positive,
        recipe=load_recipe(recipe),
        preset=preset,
        changes=tuple(changes or ()),
        encoder=Encoder(encoder, sha256),
        device=device,
        folds=folds,
        seed=seed,
        jobs=workers(jobs),
        cache=cache_at(cache),
    )
    with output.progress() as advance:
        screening = studies.screen(study, rule, terms, advance)
    _tell(output, screening)


def dysmorphism(
    recipe: RecipeName,
    data: Data,
    unaffected: Annotated[
        str, typer.Option("--unaffected", help="The class of people without a disorder.", show_default=False)
    ],
    images: Images = None,
    preset: Size = "small",
    changes: Changes = None,
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
    """Patient or unaffected? How well a recipe's scores part them, in folds over people.

    Ranked disorders alone do not say it: they name one for every face.
    """
    from ganonym.classify.recipe import Encoder, load_recipe
    from ganonym.classify.studies import screen as studies
    from ganonym.classify.studies.study import Study

    output = Output(as_json, quiet)
    study = Study(
        data,
        images,
        recipe=load_recipe(recipe),
        preset=preset,
        changes=tuple(changes or ()),
        encoder=Encoder(encoder, sha256),
        device=device,
        folds=folds,
        seed=seed,
        jobs=workers(jobs),
        cache=cache_at(cache),
    )
    with output.progress() as advance:
        result = studies.dysmorphism(study, unaffected, advance)
    parted = result.separations
    scores = {
        "unaffected_class": (f"1 − probability of {unaffected}", "patients and unaffected people"),
        "result_list": ("look of the ranked list", "patients; lists of both"),
        "highest": ("highest probability of the list", "patients"),
    }
    table = Table("score", "learned from", "AUROC [95 % interval]", prose=["score", "learned from"])
    for key, (score, learned) in scores.items():
        table.add_row(score, learned, with_interval(getattr(parted, key), parted.few_people))
    say(output, result.remarks)
    output.result(
        result.payload(),
        f"{result.name}, patients against {unaffected}: {simulated(result.simulated)}{parted.photos} tested, "
        f"{parted.patients} patients of {parted.disorders} disorders and {parted.unaffected} unaffected people; "
        f"{len(result.left_out)} photographs left out.",
        table,
        "0.5 says nothing, 1 parts them; everybody is scored by what learned from other people. The ranked list is of "
        "disorders only, for unaffected people too; its look is judged by a logistic regression on its probabilities, "
        "its highest probability is the list alone.",
        *star(parted.few_people),
    )


def _tell(output: Output, screening: Screening) -> None:
    rule, terms, screened = screening.rule, screening.terms, screening.screened
    aim = rule.by if rule.by == "youden" else f"{rule.by} of at least {rule.target:g}"
    who = screened.any_angle
    nod = "" if terms.pitch is None else f" or nods by more than {terms.pitch:g}"
    left = len(screened.angles.left)
    turned = f"{left} photographs not frontal: the head turns by more than {terms.yaw:g} degrees{nod}"
    say(output, screening.remarks)
    output.result(
        screening.payload(),
        f"{screening.name}, {screening.positive} against all else: {simulated(screening.simulated)}"
        f"{who.photos} photographs of {who.patients} patients and {who.others} others, "
        "rate called by what learned from other people.",
        _table(screened),
        f"{turned}; {len(screening.left_out)} photographs left out.",
        f"Thresholds of the folds, for {aim}: " + ", ".join(map(_threshold, screened.thresholds)) + ".",
        "PPV and NPV are those of this study, whose share of patients is its own: they say nothing of practice. "
        "Give --prevalence."
        if terms.prevalence is None
        else f"PPV and NPV where {terms.prevalence:g} of those screened have it.",
        *star(bool(who.few_people or (screened.frontal is not None and screened.frontal.few_people))),
    )


def _table(screened: Screened) -> Table:
    table = Table("rate [95 % interval]", "any angle", "frontal")
    columns = [_cells(screened.any_angle), {} if screened.frontal is None else _cells(screened.frontal)]
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


def _predictive(rate: Estimate | None) -> str:
    """With so many decimals that what is rare does not round to never, nor what is usual to always."""
    if rate is None:
        return "–"
    rare = [part for one in (rate.value, rate.low, rate.high) for part in (one, 1 - one) if part > 1e-9]
    digits = max(3, -math.floor(math.log10(min(rare))))
    return f"{rate.value:.{digits}f} [{rate.low:.{digits}f}, {rate.high:.{digits}f}]"


def _ratio(rate: Ratio | None) -> str:
    if rate is None:
        return "–"
    value, low, high = ("∞" if part is None else f"{part:.3g}" for part in (rate.value, rate.low, rate.high))
    return f"{value} [{low}, {high}]"


def _threshold(rate: float) -> str:
    return "none positive" if rate == float("inf") else f"{rate:.3f}"
