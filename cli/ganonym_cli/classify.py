"""`ganonym classify`: train, test, ask and explain the published facial-syndrome classifiers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ganonym_cli.classify_tables import tell
from ganonym_cli.console import Advance, Output
from ganonym_cli.options import Jobs, Json, Quiet, Seed

if TYPE_CHECKING:
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.recipe import Preset

app = typer.Typer(no_args_is_help=True, help="The published facial-syndrome classifiers.")

Data = Annotated[
    Path,
    typer.Option("--data", help="A manifest, or a table of GestaltMatcher's.", show_default=False),
]
Images = Annotated[
    Path | None,
    typer.Option("--images", help="Folder of the photographs.", show_default="photos beside the table, or its folder"),
]
Encoder = Annotated[
    Path | None,
    typer.Option("--encoder", help="An iResNet (safetensors) to start from.", show_default="the bundled one"),
]
Digest = Annotated[str | None, typer.Option("--sha256", help="Digest of --encoder.", show_default=False)]
Size = Annotated[str, typer.Option("--preset", help="small: two cores; full: as published, for a GPU.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Alter a setting; repeatable.", show_default=False),
]
Positive = Annotated[
    str | None, typer.Option("--positive", help="Tell this disorder from all else.", show_default="all classes")
]


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the published systems that come along."""
    from ganonym_train.recipes import bundled

    found = bundled()
    table = Table("recipe", "system", "paper")
    for name, recipe in found.items():
        table.add_row(name, recipe.name, recipe.paper)
    Output(as_json).result({name: {"name": each.name, "paper": each.paper} for name, each in found.items()}, table)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.", show_default=False)],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    images: Images = None,
    preset: Size = "small",
    changes: Changes = None,
    positive: Positive = None,
    encoder: Encoder = None,
    sha256: Digest = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a published system on a table of cases; OUT holds weights, card and recipe."""
    from ganonym.classify.model_folder import Card, digest, digest_of, save_model
    from ganonym.classify.systems import read_foundation, system_of
    from ganonym_train.recipes import find_recipe

    output = Output(as_json, quiet)
    chosen = find_recipe(recipe)
    settings = _settings(chosen.settings(_preset(preset)), changes)
    foundation = read_foundation(encoder, sha256)
    system = system_of(chosen.system, settings, foundation)
    with output.progress() as advance:
        cohort = _cohort(data, images, positive, jobs, output, advance)
        seen = system.look(cohort)
        advance("train", 0, 1)
        trained = system.method.learn(seen.inputs, seen.classes, len(cohort.names), seed)
        advance("train", 1, 1)
    card = Card(
        settings=settings,
        seed=seed,
        names=cohort.names,
        photos=len(cohort.cases),
        subjects=len(set(cohort.subjects)),
        simulated=cohort.simulated,
        foundation=digest(foundation),
        seen=tuple(digest_of(case) for case in cohort.cases),
    )
    save_model(out, chosen, card, trained)
    for deviation in chosen.deviations:
        output.note(f"Not as published: {deviation}.")
    if cohort.simulated:
        output.note("Learned from SIMULATED syndromes: it knows nothing of patients.")
    payload = {"model": str(out), "classes": list(cohort.names), "photos": card.photos, "subjects": card.subjects}
    output.result(
        payload | {"simulated": card.simulated, "left_out": len(cohort.left_out)},
        f"{chosen.name}: {card.photos} photographs of {card.subjects} people, {len(cohort.names)} classes: {out}",
    )


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    photos: Annotated[list[Path], typer.Argument(help="Photographs.", show_default=False)],
    top: Annotated[int, typer.Option("--top", min=1, help="So many classes of each.")] = 5,
    encoder: Encoder = None,
    sha256: Digest = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rank the classes that a model knows for each photograph. No diagnosis: a similarity to what it learned from."""
    from ganonym.classify.case import Case
    from ganonym.classify.cohort import gather
    from ganonym.classify.metrics.topk import ranked
    from ganonym.classify.model_folder import load_model
    from ganonym.classify.systems import read_foundation

    output = Output(as_json, quiet)
    found = load_model(model, read_foundation(encoder, sha256))
    names = found.card.names
    # Nothing is known of them: every photo is a person of its own, of some class or other.
    cases = [Case(str(path), path, str(path), names[0]) for path in photos]
    cohort = gather(cases, _workers(jobs), names)
    seen, chances = found.chances(cohort)
    table = Table("photograph", "classes, the likeliest first")
    told = {}
    for image, row, order in zip(seen.images, chances, ranked(chances), strict=True):
        listed = [(names[index], float(row[index])) for index in order[:top]]
        told[image] = [{"name": name, "probability": chance} for name, chance in listed]
        table.add_row(image, ", ".join(f"{name} {chance:.2f}" for name, chance in listed))
    for image, reason in cohort.left_out:
        output.warn(f"{image}: {reason}")
    if found.card.simulated:
        output.note("The model learned from SIMULATED syndromes.")
    left = [{"photo": image, "reason": reason} for image, reason in cohort.left_out]
    output.result({"simulated": found.card.simulated, "photos": told, "left_out": left}, table)
    if left:
        raise typer.Exit(1)


@app.command()
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
    positive: Positive = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Folds over subjects, of a recipe.")] = 5,
    encoder: Encoder = None,
    sha256: Digest = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rates on people whom the classifier did not learn from, with intervals over people."""
    from ganonym.classify.cross_validation import cross_validated, rated
    from ganonym.classify.model_folder import CARD, load_model
    from ganonym.classify.systems import read_foundation, system_of
    from ganonym.errors import UsageError
    from ganonym_train.recipes import find_recipe

    output = Output(as_json, quiet)
    foundation = read_foundation(encoder, sha256)
    with output.progress() as advance:
        if (Path(what) / CARD).is_file():
            model = load_model(Path(what), foundation)
            cohort = _cohort(data, images, positive, jobs, output, advance, model.card.names)
            known = model.learned_from(cohort.cases)
            if known:
                raise UsageError(
                    f"the model has learned from {len(known)} of these photographs, {known[0]} among them.",
                    "Test it on other people.",
                )
            seen, chances = model.chances(cohort)
            name = model.recipe.name
        else:
            recipe = find_recipe(what)
            settings = _settings(recipe.settings(_preset(preset)), changes)
            system = system_of(recipe.system, settings, foundation)
            cohort = _cohort(data, images, positive, jobs, output, advance)
            seen, name = system.look(cohort), recipe.name
            chances = cross_validated(
                system.method, seen.inputs, seen.classes, seen.subjects, len(cohort.names), seed, folds, advance
            )
        found = rated(chances, seen.classes, seen.subjects, seed)
    tell(output, name, cohort, found)


@app.command()
def explain(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    photo: Annotated[Path, typer.Argument(help="A photograph.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="PNG to write: it shows the person.", show_default=False)],
    name: Annotated[str | None, typer.Option("--class", help="Class to explain.", show_default="the likeliest")] = None,
    encoder: Encoder = None,
    sha256: Digest = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Where on the face a network saw a class (Grad-CAM), as a picture and as shares of the face's regions."""
    from ganonym.classify.explain.model import explained
    from ganonym.classify.model_folder import load_model
    from ganonym.classify.systems import read_foundation
    from ganonym.photos.encode import encode_png

    output = Output(as_json, quiet)
    found = explained(load_model(model, read_foundation(encoder, sha256)), photo, name)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(encode_png(found.picture))
    table = Table("region", "share of the map")
    for region, share in found.shares.items():
        table.add_row(region, f"{share:.2f}")
    output.result({"class": found.name, "picture": str(out), "shares": dict(found.shares)}, table)


def _cohort(
    data: Path,
    images: Path | None,
    positive: str | None,
    jobs: int | None,
    output: Output,
    advance: Advance,
    names: tuple[str, ...] | None = None,
) -> Cohort:
    from ganonym.classify.cohort import gather
    from ganonym.classify.gestaltmatcher_csv import read_cases

    beside = data.parent / "photos"
    cases = read_cases(data, images or (beside if beside.is_dir() else data.parent))
    cohort = gather(cases, _workers(jobs), names, positive, advance)
    for image, reason in cohort.left_out[:10]:
        output.warn(f"{image}: {reason}")
    if len(cohort.left_out) > 10:
        output.warn(f"… and {len(cohort.left_out) - 10} more photographs left out")
    return cohort


def _settings(settings: dict[str, Any], changes: list[str] | None) -> dict[str, Any]:
    from ganonym.classify.recipe import altered

    return altered(settings, changes or [])


def _preset(text: str) -> Preset:
    from typing import cast

    return cast("Preset", text)  # Recipe.settings refuses anything else


def _workers(jobs: int | None) -> int:
    return jobs or os.cpu_count() or 1
