"""`ganonym classify grade`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    cases_of,
    gathered,
    marked,
    reasons_of,
    star,
    system_for,
    tell_folds,
    with_interval,
)
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.case import Case


def grade(
    recipe: RecipeName,
    data: Data,
    images: Images = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Column of --data with the level.", show_default=False)
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option("--level", help="A level of --label, the lowest first; repeat.", show_default=False),
    ] = None,
    signs: Annotated[
        str | None,
        typer.Option("--signs", help="Levels by number of HPO terms instead: 1,5 is none, 1 to 4, 5 and more."),
    ] = None,
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
    """Grade photographs into ordered levels, in folds over people: quadratic kappa, and each level's rates.

    A photograph is called the level at which half of the probability lies below.
    """
    import numpy as np

    from ganonym.classify.case import check_folds
    from ganonym.classify.cross_validation import cross_validated
    from ganonym.classify.systems.ordinal import level_rates, median_level, quadratic_kappa
    from ganonym.errors import UsageError
    from ganonym.statistics.intervals import few, subject_bootstrap

    output = Output(as_json, quiet)
    if (signs is None) == (label is None) or (label is None) != (not level):
        raise UsageError("levels are said in two ways.", "Give --label and each --level, or --signs.")
    chosen = system_for(recipe, preset, changes, encoder, sha256, device, output)
    cases = cases_of([data], images, output, label)
    names = tuple(level or ())
    if signs is not None:
        cases, names = _by_signs(cases, signs)
    with output.progress() as advance:
        cohort = gathered(
            cases, jobs, output, advance, names, check=check_folds, crops=chosen.system.look.crops, cache=cache
        )
        tell_folds(output, cohort, folds)
        seen = chosen.system.look(cohort)
        count = len(names)
        chances = cross_validated(
            chosen.system.method, seen.inputs, seen.classes, seen.subjects, count, seed, folds, advance
        )
    called = median_level(chances)
    kappa = subject_bootstrap(quadratic_kappa(called, seen.classes, count), seen.subjects, np.random.default_rng(seed))
    rates = level_rates(called, seen.classes, count)
    people = [{seen.subjects[row] for row in np.flatnonzero(seen.classes == level)} for level in range(count)]
    lacking = [(few(own), few(set(seen.subjects) - own)) for own in people]
    table = Table("level", "photographs", "people", *(f"called {name}" for name in names), "sensitivity", "specificity")
    confusion = np.zeros((count, count), int)
    np.add.at(confusion, (seen.classes, called), 1)
    for name, row, own, each, short in zip(names, confusion.tolist(), people, rates, lacking, strict=True):
        shown = [
            marked(f"{rate:.2f}", less) for rate, less in zip((each.sensitivity, each.specificity), short, strict=True)
        ]
        table.add_row(name, str(each.photos), str(len(own)), *map(str, row), *shown)
    payload = {
        "name": chosen.recipe.name,
        "simulated": cohort.simulated,
        "photos": len(called),
        "subjects": len(set(seen.subjects)),
        "few_people": few(seen.subjects),
        "kappa": kappa.model_dump(),
        "levels": {
            name: {"photos": each.photos, "people": len(own), "called": row}
            | {"sensitivity": _number(each.sensitivity), "specificity": _number(each.specificity)}
            | {"few_people": [rate for rate, less in zip(("sensitivity", "specificity"), short, strict=True) if less]}
            for name, each, row, own, short in zip(names, rates, confusion.tolist(), people, lacking, strict=True)
        },
        "left_out": reasons_of(cohort.left_out),
    }
    said = "SIMULATED syndromes. " if cohort.simulated else ""
    output.result(
        payload,
        f"{chosen.recipe.name}: {said}{len(called)} photographs, {payload['subjects']} people; "
        f"{len(cohort.left_out)} photographs left out.",
        f"quadratic kappa {with_interval(kappa, few(seen.subjects))}: 0 is chance, 1 full agreement.",
        table,
        *star(any(any(short) for short in lacking)),
        *(["Levels are numbers of signs: they test the method and say nothing of risk."] if signs else []),
    )


def _by_signs(cases: list[Case], text: str) -> tuple[list[Case], tuple[str, ...]]:
    """The cases with their level for disorder, and the levels in order."""
    from dataclasses import replace

    from ganonym.classify.systems.ordinal import levels_by_signs
    from ganonym.errors import UsageError

    try:
        starts = [int(each) for each in text.split(",")]
    except ValueError:
        starts = []
    if not starts or starts != sorted(set(starts)) or starts[0] < 1:
        raise UsageError(f"--signs {text} are no numbers of signs that rise from 1.", "Give them as 1,5.")
    tops = [*(f"{each - 1}" for each in starts), ""]
    names = tuple(
        f"{low} signs" if str(low) == top else f"{low} to {top} signs" if top else f"{low} signs and more"
        for low, top in zip([0, *starts], tops, strict=True)
    )
    levels = levels_by_signs([case.present for case in cases], starts)
    return [replace(case, disorder=names[row]) for case, row in zip(cases, levels.tolist(), strict=True)], names


def _number(rate: float) -> float | None:
    """JSON has no NaN."""
    return None if rate != rate else rate
