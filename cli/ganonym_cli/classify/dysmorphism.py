"""`ganonym classify dysmorphism`."""

from __future__ import annotations

from typing import Annotated

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
    reasons_of,
    star,
    system_for,
    with_interval,
)
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table


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
    from ganonym.classify.case import Classed
    from ganonym.classify.screening.dysmorphism import check_groups, separations
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    chosen = system_for(recipe, preset, changes, encoder, sha256, device, output)

    def check(them: Classed) -> None:
        if unaffected not in them.names:
            raise UsageError(f"no case is of class {unaffected!r}.", f"There are {', '.join(them.names)}.")
        check_groups(them.classes, them.subjects, len(them.names), them.names.index(unaffected))

    with output.progress() as advance:
        cohort = cohort_of(
            data, images, None, jobs, output, advance, check=check, crops=chosen.system.look.crops, cache=cache
        )
        seen = chosen.system.look(cohort)
        place = cohort.names.index(unaffected)
        found = separations(
            chosen.system.method,
            seen,
            len(cohort.names),
            place,
            seed,
            folds,
            advance,
        )
    scores = {
        "unaffected_class": (f"1 − probability of {unaffected}", "patients and unaffected people"),
        "result_list": ("look of the ranked list", "patients; lists of both"),
        "highest": ("highest probability of the list", "patients"),
    }
    table = Table("score", "learned from", "AUROC [95 % interval]", prose=["score", "learned from"])
    for key, (score, learned) in scores.items():
        table.add_row(score, learned, with_interval(getattr(found, key), found.few_people))
    said = "SIMULATED syndromes. " if cohort.simulated else ""
    payload = {
        "name": chosen.recipe.name,
        "simulated": cohort.simulated,
        "unaffected_is": unaffected,
        **found.model_dump(),
        "left_out": reasons_of(cohort.left_out),
    }
    output.result(
        payload,
        f"{chosen.recipe.name}, patients against {unaffected}: {said}{found.photos} tested, {found.patients} patients "
        f"of {found.disorders} disorders and {found.unaffected} unaffected people; {len(cohort.left_out)} photographs "
        "left out.",
        table,
        "0.5 says nothing, 1 parts them; everybody is scored by what learned from other people. The ranked list is of "
        "disorders only, for unaffected people too; its look is judged by a logistic regression on its probabilities, "
        "its highest probability is the list alone.",
        *star(found.few_people),
    )
