"""`ganonym classify evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    marked,
    say,
    simulated,
    star,
    workers,
)
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.studies.train import Evaluation
    from ganonym.statistics.intervals import Estimate

FOLDS = 5
_RATES = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc")


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECIPE",
            help="A model's folder, to be tested; or a recipe, to be trained and tested in folds.",
            show_default=False,
        ),
    ],
    data: Data,
    images: Images = None,
    preset: Size = "small",
    changes: Changes = None,
    label: Label = None,
    only: Only = None,
    at_least: AtLeast = 1,
    positive: Positive = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Folds over subjects, of a recipe.")] = FOLDS,
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
    """Rates on people whom the classifier did not learn from, with intervals over people."""
    from dataclasses import replace

    from ganonym.classify.model_folder import CARD
    from ganonym.classify.recipe import Encoder, load_recipe
    from ganonym.classify.studies import train as studies
    from ganonym.classify.studies.study import Study
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    study = Study(
        data,
        images,
        label=label,
        only=tuple(only or ()),
        at_least=at_least,
        positive=positive,
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
        if (Path(what) / CARD).is_file():
            given = {"--preset": preset != "small", "--set": bool(changes), "--folds": folds != FOLDS}
            if refused := ", ".join(name for name, there in given.items() if there):
                raise UsageError(f"{refused}: {what} is trained already.", "Give a recipe to train another.")
            evaluation = studies.evaluate_model(study, Path(what), key_file, advance)
        elif key_file is not None:
            raise UsageError("--key-file is of a trained model; a recipe is tested in folds.", "Leave it out.")
        else:
            evaluation = studies.evaluate(replace(study, recipe=load_recipe(what)), advance)
    tell(output, evaluation)


def tell(output: Output, evaluation: Evaluation) -> None:
    """Rates over all classes and of each against the rest, as tables or JSON."""
    rates, scaled = evaluation.rated, evaluation.tempered
    whole = Table("rate", "value", "95 % interval", prose=["rate"])
    rows = {f"macro top-{k}": rate for k, rate in rates.top.items()}
    rows |= {"accuracy": rates.accuracy, "macro F1": rates.f1, "calibration error": rates.calibration}
    if scaled is not None:
        rows[f"calibration error, each fold at the temperature of the others (all: {scaled.temperature:.2f})"] = (
            scaled.error
        )
    for name, rate in rows.items():
        whole.add_row(name, marked(f"{rate.value:.3f}", rates.few_people), f"{rate.low:.3f} to {rate.high:.3f}")
    single = Table("class", "people", "sensitivity", "specificity", "PPV", "NPV", "F1", "AUROC")
    for label, row in zip(evaluation.names, rates.classes, strict=True):
        shown: dict[str, Estimate | None] = {name: getattr(row, name) for name in _RATES}
        cells = [
            "–"
            if rate is None
            else marked(f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]", name in row.few_people)
            for name, rate in shown.items()
        ]
        single.add_row(label, str(row.affected), *cells)
    few = rates.few_people or any(row.few_people for row in rates.classes)
    left = f"; {len(evaluation.left_out)} photographs left out" if evaluation.left_out else ""
    said = f"{simulated(evaluation.simulated)}{rates.photos} tested, {rates.subjects} people{left}."
    say(output, evaluation.remarks)
    output.result(evaluation.payload(), f"{evaluation.name}: {said}", whole, single, *star(few))
