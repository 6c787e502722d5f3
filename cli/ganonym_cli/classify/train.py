"""`ganonym classify recipes` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.models import check_key
from ganonym_cli.classify.options import (
    AtLeast,
    Changes,
    Data,
    Digest,
    Encoder,
    Images,
    KeyFile,
    Label,
    Only,
    Positive,
    Size,
    cohort_of,
    system_for,
)
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table

FEW = 5
"""Of fewer people a mean says much of each."""


def recipes(as_json: Json = False) -> None:
    """List the published systems that come along."""
    from ganonym.classify.recipe import load_recipe, recipe_names

    found = {name: load_recipe(name) for name in recipe_names()}
    table = Table("recipe", "system", "paper", prose=["system", "paper"])
    for name, recipe in found.items():
        table.add_row(name, recipe.name, recipe.paper)
    Output(as_json).result({name: {"name": each.name, "paper": each.paper} for name, each in found.items()}, table)


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.", show_default=False)],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    images: Images = None,
    preset: Size = "small",
    changes: Changes = None,
    label: Label = None,
    only: Only = None,
    at_least: AtLeast = 1,
    positive: Positive = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature in five folds, so that probabilities are honest.")
    ] = False,
    encoder: Encoder = None,
    sha256: Digest = None,
    key_file: KeyFile = None,
    device: Device = "auto",
    seed: Seed = 0,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a published system on a table of cases; OUT holds weights, card and recipe.

    The key by which the model knows its photographs again is kept beside OUT: do not share it.
    """
    from ganonym.classify.case import Classed, check_folds, check_two, people_of
    from ganonym.classify.cross_validation import cross_validated
    from ganonym.classify.metrics.rates import fit_temperature, logits
    from ganonym.classify.model_folder import Card, Key, check_new, digest, key_place, save_model
    from ganonym.classify.system import asked
    from ganonym.errors import GanonymError, UsageError
    from ganonym.files import discard, make_folder
    from ganonym.pseudonym import read_or_create_key

    output = Output(as_json, quiet)
    check_new(out)
    chosen = system_for(recipe, preset, changes, encoder, sha256, device, output)
    system = chosen.system
    place = key_file or key_place(out)
    if out.absolute() in place.absolute().parents:
        raise UsageError(f"the key {place} would be shared with the model.", "Keep it outside of --out.")
    check_key(place)

    def check(them: Classed) -> None:
        (check_folds if calibrate else check_two)(them)
        chosen.check(them)

    with output.progress() as advance:
        cohort = cohort_of(
            data,
            images,
            positive,
            jobs,
            output,
            advance,
            None,
            label,
            only,
            at_least=at_least,
            check=check,
            crops=system.look.crops,
            cache=cache,
        )
        seen = system.look(cohort)
        temperature = 1.0
        if calibrate:
            chances = cross_validated(
                system.method, seen.inputs, seen.classes, seen.subjects, len(cohort.names), seed, tell=advance
            )
            temperature = fit_temperature(logits(chances), seen.classes)
        advance("train", 0, 1)
        trained = system.method.learn(seen.inputs, seen.classes, len(cohort.names), seed)
        asked(trained, seen.inputs[:16])  # what says nothing is not written
        advance("train", 1, 1)
    new = not place.exists()
    make_folder(place.parent, 0o700)
    key = Key(read_or_create_key(place))
    card = Card(
        settings=chosen.configuration.model_dump(),
        seed=seed,
        names=cohort.names,
        photos=len(cohort.cases),
        subjects=len(set(cohort.subjects)),
        simulated=cohort.simulated,
        foundation=digest(chosen.foundation),
        seen=tuple(key.digest_of(case) for case in cohort.cases),
        people=tuple({person for case in cohort.cases if (person := key.person_of(case)) is not None}),
        key=key.mark,
        temperature=temperature,
    )
    try:
        save_model(out, chosen.recipe, card, trained)
    except GanonymError:
        if new:  # a key of no model
            discard(place)
        raise
    few = (
        [name for name, people in people_of(cohort).items() if people < FEW] if chosen.configuration.keeps_means else []
    )
    if few:
        output.warn(
            f"{chosen.recipe.name} keeps the mean of each class, and {len(few)} classes have fewer than {FEW} people "
            f"({', '.join(few[:5])}{' …' * (len(few) > 5)}): the mean of one person is that person, so the model is as "
            "private as the photographs."
        )
    for deviation in chosen.recipe.deviations:
        output.note(f"Not as published: {deviation}.")
    if cohort.simulated:
        output.note("Learned from SIMULATED syndromes: it knows nothing of patients.")
    output.note(f"Key: {place} (mode 600). With it the model knows whom it learned from; keep it, never share it.")
    payload = {
        "model": str(out),
        "key_file": str(place),
        "classes": list(cohort.names),
        "photos": card.photos,
        "subjects": card.subjects,
        "classes_of_few_people": few,
    }
    output.result(
        payload | {"temperature": temperature, "simulated": card.simulated, "left_out": len(cohort.left_out)},
        f"{chosen.recipe.name}: {card.photos} photographs of {card.subjects} people, "
        f"{len(cohort.names)} classes: {out}",
    )
