"""`ganonym classify evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.models import key_of, model_in, unchecked
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
    tell_folds,
)
from ganonym_cli.classify.tables import tell
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed

FOLDS = 5


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
    from ganonym.classify.case import Classed, Roster, check_folds
    from ganonym.classify.cross_validation import cross_validated, rated, tempered
    from ganonym.classify.model_folder import CARD
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    with output.progress() as advance:
        if (Path(what) / CARD).is_file():
            given = {"--preset": preset != "small", "--set": bool(changes), "--folds": folds != FOLDS}
            if refused := ", ".join(name for name, there in given.items() if there):
                raise UsageError(f"{refused}: {what} is trained already.", "Give a recipe to train another.")
            model = model_in(Path(what), encoder, sha256, device, output)
            key = key_of(Path(what), key_file)

            def unseen(them: Classed) -> None:
                if key is None or not isinstance(them, Roster):
                    return
                learned = model.learned_from(them.cases, key).words("these photographs")
                if learned:
                    raise UsageError(
                        f"the model has learned from {learned}.",
                        "Test it on other people; if they only have the same ids, give them ids of their own.",
                    )

            cohort = cohort_of(
                data,
                images,
                positive,
                jobs,
                output,
                advance,
                model.card.names,
                label,
                only,
                at_least,
                unseen,
                crops=model.look.crops,
                cache=cache,
            )
            checked = key is not None
            if not checked:
                output.warn(unchecked(Path(what)))
            scaled, (seen, chances) = None, model.chances(cohort)
            name = model.recipe.name
        else:
            if key_file is not None:
                raise UsageError("--key-file is of a trained model; a recipe is tested in folds.", "Leave it out.")
            chosen = system_for(what, preset, changes, encoder, sha256, device, output)
            system = chosen.system

            def learnable(them: Classed) -> None:
                check_folds(them)
                chosen.check(them)

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
                at_least,
                learnable,
                crops=system.look.crops,
                cache=cache,
            )
            tell_folds(output, cohort, folds)
            seen, name = system.look(cohort), chosen.recipe.name
            chances = cross_validated(
                system.method, seen.inputs, seen.classes, seen.subjects, len(cohort.names), seed, folds, advance
            )
            checked, scaled = True, tempered(chances, seen.classes, seen.subjects, seed, folds)
        found = rated(chances, seen.classes, seen.subjects, seed)
    tell(output, name, cohort, found, scaled, checked)
