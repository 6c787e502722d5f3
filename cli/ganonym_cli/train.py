"""`ganonym train`: fit the weights anew from photographs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Jobs, Json, Quiet, Seed

app = typer.Typer(no_args_is_help=True, help="Fit the bundled weights anew.")

Data: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--data", help="Folder with manifest.csv (path, set, subject, expression, sex, age).", show_default=False
    ),
]
People: TypeAlias = Annotated[
    Path, typer.Option("--data", help="Manifest of people with several photographs each.", show_default=False)
]
Images: TypeAlias = Annotated[
    Path | None, typer.Option("--images", help="Folder of the photographs.", show_default="photos beside --data")
]
Run: TypeAlias = Annotated[
    Path, typer.Option("--run", help="Folder for the checkpoint and logs; resumed when present.")
]
Out: TypeAlias = Annotated[Path | None, typer.Option("--out", help="File to write.", show_default="the bundled one")]


@app.command()
def appearance(
    data: Data,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Shape and texture statistics of a population: nothing of one person is stored."""
    from ganonym_train.appearance import train_appearance

    output = Output(as_json, quiet)
    file = _file(out, "appearance")
    train_appearance(data, file, output.note)
    _tell(output, "appearance", file)


@app.command()
def kept(data: Data, out: Out = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Axes of tone, age, sex and signs that a release keeps, and the population's covariance."""
    from ganonym_train.kept import train_kept

    output = Output(as_json, quiet)
    file = _file(out, "kept")
    train_kept(data, file, output.note)
    _tell(output, "kept", file)


@app.command()
def phenotype(
    out: Out = None,
    people: Annotated[int, typer.Option("--people", min=1, help="Virtual patients of each syndrome.")] = 400,
    seed: Seed = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Mean displacements of simulated syndromes, for the codebook: from virtual patients, no photographs."""
    from ganonym_train.simulated import train_phenotype

    output = Output(as_json, quiet)
    file = _file(out, "phenotype")
    train_phenotype(file, people, seed, output.note)
    _tell(output, "phenotype", file)


@app.command()
def landmarks(
    data: Data,
    run: Run = Path("runs/landmarks"),
    out: Out = None,
    images: Annotated[int, typer.Option("--images", min=1, help="Views to see in all.")] = 76_800,
    seed: Seed = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The landmark network, from samples of the bundled appearance model and hand-set points; the same command resumes.

    London's hand-set points are read from london_points189.json in DATA where it is there.
    """
    from ganonym_train.landmarks import LandmarkRecipe, train_landmarks

    output = Output(as_json, quiet)
    file = _file(out, "landmarks")
    train_landmarks(data, run, file, LandmarkRecipe(images=images, seed=seed), output.note)
    _tell(output, "landmarks", file, run)


@app.command()
def generator(
    data: Data,
    run: Run = Path("runs/generator"),
    out: Out = None,
    images: Annotated[int, typer.Option("--images", min=1, help="Training images to see in all.")] = 7_200,
    perceptual: Annotated[
        Path | None,
        typer.Option(
            "--perceptual", help="LPIPS state (safetensors) for the perceptual loss.", show_default="no such loss"
        ),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            "--landmarks", help="Landmark network (safetensors) that holds faces to their points.", show_default="none"
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            "--encoder",
            help="Encoder (safetensors; not the bundled one, which judges) for likeness and distance to people.",
            show_default="none",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--start", help="Generator weights (safetensors) to go on from.", show_default="random ones"),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=8, help="Images a step of each process: 8, 16, 24, …")] = 8,
    ablate: Annotated[
        list[str] | None,
        typer.Option("--ablate", help="Term of the loss to leave out; may be given again.", show_default="none"),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Threads that prepare batches.")] = 1,
    seed: Seed = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Adversarial training on top of the bundled appearance model; stop at any time, the same command resumes.

    On several GPUs: torchrun --nproc-per-node N -m ganonym_cli train generator …
    """
    from ganonym_train.adversarial import Recipe
    from ganonym_train.distributed import is_first
    from ganonym_train.generator import train_generator
    from ganonym_train.losses import WEIGHTS, face_network_of, landmarker_of

    output = Output(as_json, quiet)
    file = _file(out, "generator")
    recipe = Recipe(
        images=images,
        seed=seed,
        batch=batch,
        weights=WEIGHTS.without(ablate or []),
        perceptual=perceptual,
        landmarker=landmarker_of(landmarks) if landmarks else None,
        face_network=face_network_of(encoder) if encoder else None,
        workers=workers,
        start=start,
    )
    train_generator(data, run, file, recipe, output.note)
    if is_first():
        _tell(output, "generator", file, run)


@app.command()
def encoder(
    data: Data,
    run: Run = Path("runs/encoder"),
    out: Out = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Training steps, of 80 pictures each.")] = 360,
    seed: Seed = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The network that judges synthesized faces: tells virtual people and photographs apart; resumes when stopped."""
    from ganonym_train.encoder import EncoderRecipe, train_encoder

    output = Output(as_json, quiet)
    file = _file(out, "encoder")
    train_encoder(data, run, file, EncoderRecipe(steps=steps, seed=seed), output.note)
    _tell(output, "encoder", file, run)


@app.command()
def gestalt(
    data: People,
    images: Images = None,
    run: Run = Path("runs/gestalt"),
    out: Out = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Training steps, of 64 photographs each.")] = 700,
    seed: Seed = 1,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The encoder that published classifiers start from: tells people apart, knows no syndrome; resumes when stopped.

    The bundled one: ganonym phantom people --people 700 --photos 6 --seed 77, then --data people/people.csv.
    """
    from ganonym.classify.crops import ArcFaceCrop
    from ganonym_train.gestalt import GestaltRecipe, read_crops, train_gestalt

    output = Output(as_json, quiet)
    file = _file(out, "gestalt")
    recipe = GestaltRecipe(steps=steps, seed=seed)
    crop = ArcFaceCrop(recipe.form.side)
    crops = read_crops(data, images or data.parent / "photos", crop, jobs or os.cpu_count() or 1, output.note)
    train_gestalt(crops, run, file, recipe, output.note)
    _tell(output, "gestalt", file, run)


@app.command()
def regions(
    data: People,
    images: Images = None,
    run: Run = Path("runs/regions"),
    out: Out = None,
    preset: Annotated[str, typer.Option("--preset", help="small: bundled; full: DeepGestalt's own size.")] = "small",
    device: Annotated[str, typer.Option("--device", help="Where to compute: cpu, cuda, or auto.")] = "auto",
    seed: Seed = 1,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """DeepGestalt's four networks, which tell people apart by a region of the face and know no syndrome.

    The bundled ones: ganonym phantom people --people 700 --photos 6 --seed 77, then --data people/people.csv.
    """
    from ganonym.classify.crops import RegionCrops
    from ganonym_cli.options import device_of
    from ganonym_train.gestalt import read_crops
    from ganonym_train.regions import recipe_of, train_regions

    output = Output(as_json, quiet)
    recipe = recipe_of(preset, seed, device_of(device, output))
    file = _file(out, "regions")
    crop = RegionCrops(recipe.method.side)
    crops = read_crops(data, images or data.parent / "photos", crop, jobs or os.cpu_count() or 1, output.note)
    train_regions(crops, run, file, recipe, output.note)
    _tell(output, "regions", file, run)


@app.command()
def reference(
    data: Annotated[
        Path, typer.Option("--data", help="people.csv of ganonym phantom --syndromes.", show_default=False)
    ],
    images: Images = None,
    out: Out = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The classifier of SIMULATED syndromes that assessments ask, on embeddings of the bundled gestalt encoder.

    The bundled one: ganonym phantom cohort --syndromes all --people 100 --photos 2 --seed 900, then this.
    """
    from ganonym_train.simulated import train_reference

    output = Output(as_json, quiet)
    file = _file(out, "reference")
    train_reference(data, images or data.parent / "photos", file, jobs or os.cpu_count() or 1, output.note)
    _tell(output, "reference", file)


def _file(out: Path | None, name: str) -> Path:
    from ganonym.weights import checkpoints_folder

    return out or checkpoints_folder() / f"{name}.safetensors"


def _tell(output: Output, name: str, file: Path, run: Path | None = None) -> None:
    from ganonym.weights import sha256_file

    digest = sha256_file(file)
    output.note(f"To use it from checkpoints/: ganonym weights accept {name}")
    written = {"file": str(file), "sha256": digest} | ({} if run is None else {"run": str(run)})
    output.result(written, f"{file}: {digest}")
