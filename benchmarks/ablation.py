"""What each term of the training loss is for: `python benchmarks/ablation.py --data DATA --keep FOLDER`.

Trains the generator from nothing once with the default terms, once without each of them, and once with each term of a
network given (--landmarks, --encoder, --perceptual) added, with equal budgets, data and seed. A row each: faces found,
landmark error (interocular distances, dlib), band energies (finest first; for photographs see quality.py), KID
against people nobody trained on (this project's encoder) and spread (mean distance between dlib descriptors of
different people's faces: falls when all look alike). In brackets differences to the first row on the same faces, error
in 10⁻⁴, finest band in 10⁻². "without surrogate" is pix2pix from lines alone. Budgets this
small order the terms; they say nothing of final quality.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from faces import virtual_faces
from quality import from_lines, photographs
from scipy.spatial.distance import pdist

from ganonym.faces.appearance import load_appearance
from ganonym.faces.descriptor import describe
from ganonym.faces.encoder import encode, load_encoder
from ganonym.faces.find import find_faces, reading_backends
from ganonym.synthesis.quality import bands, kernel_distance
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.types import RGB, Floats, Points
from ganonym_train.adversarial import Recipe
from ganonym_train.generator import train_generator
from ganonym_train.losses import WEIGHTS, Weights, face_network_of, landmarker_of

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
# Terms that need a network, and the field of the recipe which holds it.
NETWORKS = {"perceptual": "perceptual", "landmarks": "landmarker", "repulsion": "face_network",
            "likeness": "face_network"}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """One row: per face the landmark error (NaN where no face is found), band energies and features; and the spread."""

    errors: Floats
    bands: Floats
    features: Floats
    spread: float


def measure(pictures: Sequence[RGB], requested: Sequence[Points]) -> Measured:
    detector, landmarks = reading_backends()
    errors, descriptors = [], []
    for rgb, points in zip(pictures, requested, strict=True):
        faces = find_faces(rgb, detector, landmarks)
        interocular = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
        gap = np.linalg.norm(faces[0].points - points, axis=1).mean() / interocular if faces else np.nan
        errors.append(float(gap))
        descriptors.append(describe(rgb, points))
    energy = np.array([bands(rgb, points) for rgb, points in zip(pictures, requested, strict=True)])
    return Measured(np.array(errors), energy, _features(pictures), float(pdist(np.stack(descriptors)).mean()))


def row(name: str, measured: Measured, first: Measured, real: Floats) -> str:
    """One line of the table; differences to the first row are paired, face by face, with 95 % intervals."""
    energy = measured.bands.mean(axis=0)
    return (
        f"{name:24} found {np.isfinite(measured.errors).sum()}/{len(measured.errors)}  "
        f"error {np.nanmean(measured.errors):.4f} {_paired(measured.errors - first.errors, 1e4)}  "
        f"bands {' '.join(f'{value:.2f}' for value in energy)} "
        f"{_paired(measured.bands[:, 0] - first.bands[:, 0], 1e2)}  "
        f"KID ×10³ {_kid_difference(measured, first, real)}  spread {measured.spread:.3f}"
    )


def _paired(differences: Floats, unit: float) -> str:
    """Mean difference and its interval by bootstrap over faces, in 1/`unit`."""
    kept = differences[np.isfinite(differences)]
    drawn = kept[np.random.default_rng(0).integers(0, len(kept), (1000, len(kept)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"({unit * kept.mean():+.0f} [{unit * low:+.0f}, {unit * high:+.0f}])"


def _kid_difference(measured: Measured, first: Measured, real: Floats) -> str:
    """KID, and how it differs from the first row's: the interval is the spread over common random halves."""
    value = kernel_distance(real, measured.features, np.random.default_rng(0), rounds=1).value
    difference = value - kernel_distance(real, first.features, np.random.default_rng(0), rounds=1).value
    rng, drawn = np.random.default_rng(0), []
    for _ in range(200):
        rows, faces = (rng.permutation(len(value))[: len(value) // 2] for value in (real, measured.features))
        pair = [
            kernel_distance(real[rows], value.features[faces], np.random.default_rng(0), rounds=1).value
            for value in (measured, first)
        ]
        drawn.append(pair[0] - pair[1])
    low, high = np.quantile(np.array(drawn) - np.mean(drawn), [0.025, 0.975])
    low, high = 1e3 * (difference + low), 1e3 * (difference + high)
    return f"{1e3 * value:.0f} ({1e3 * difference:+.0f} [{low:+.0f}, {high:+.0f}])"


def _features(pictures: Sequence[RGB]) -> Floats:
    features = encode(pictures, load_encoder())
    return features * np.sqrt(features.shape[1])


def variants(recipe: Recipe, terms: Sequence[str] | None) -> dict[str, Recipe]:
    """The recipes compared, by name of the row; `terms` restricts them, and without it there is one for each term."""
    base = replace(recipe, perceptual=None, landmarker=None, face_network=None)
    results = {"default terms": base}
    for term in [field.name for field in fields(Weights)]:
        if term not in NETWORKS:
            results[f"without {term}"] = replace(base, weights=WEIGHTS.without([term]))
        elif (network := getattr(recipe, NETWORKS[term])) is not None:
            others = WEIGHTS.without([other for other in NETWORKS if other != term])
            results[f"with {term}"] = replace(base, weights=others, **{NETWORKS[term]: network})
    return results if terms is None else {name: entry for name, entry in results.items() if name.split()[1] in terms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--images", type=int, default=2_400, help="training items of each run")
    parser.add_argument("--faces", type=int, default=120)
    parser.add_argument("--terms", nargs="*", help="only the rows of these; `terms` is the row of all default ones")
    parser.add_argument("--perceptual", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="folder for runs and weights; what is finished there is only measured"
    )
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(f"{arguments.data} does not exist: point --data at a folder with manifest.csv.")
    recipe = Recipe(
        images=arguments.images,
        seed=arguments.seed,
        ema=0.98,  # a memory of 50 steps: the default one of 1000 would outlast so short a run
        perceptual=arguments.perceptual,
        landmarker=landmarker_of(arguments.landmarks) if arguments.landmarks else None,
        face_network=face_network_of(arguments.encoder) if arguments.encoder else None,
    )
    real = _features(photographs("portraits", load_appearance(), arguments.faces, one_each=True).pictures)
    first: Measured | None = None
    for name, variant in variants(recipe, arguments.terms).items():
        with TemporaryDirectory() as temporary:
            folder = (arguments.keep or Path(temporary)) / name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "generator.safetensors").is_file():
                train_generator(arguments.data, folder, folder / "unfinished.safetensors", variant, lambda _: None)
                (folder / "unfinished.safetensors").rename(folder / "generator.safetensors")
            synthesizer = load_synthesizer(folder / "generator.safetensors")
        faces = virtual_faces(arguments.faces, synthesizer.model, seed=5)
        draw = partial(from_lines, synthesizer=synthesizer) if not variant.weights.surrogate else synthesizer.render
        result = measure([draw(face) for face in faces], [face.points for face in faces])
        first = first or result
        print(row(name, result, first, real), flush=True)


if __name__ == "__main__":
    main()
