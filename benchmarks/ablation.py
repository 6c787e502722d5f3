"""What each term of the training loss is for: `python benchmarks/ablation.py --images 960 --data DATA`.

Trains the generator from nothing once with every term and once without each, with equal budgets, data and seed, and
prints a row each: faces found, landmark error (interocular distances, dlib), band energies (finest first; photographs'
in benchmarks/quality.py) and spread (mean distance between dlib descriptors of different people's faces: falls when all
faces look alike). "without surrogate" is pix2pix from lines alone. Budgets this small order the terms; they say
nothing of final quality.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
from faces import virtual_faces
from quality import from_lines
from scipy.spatial.distance import pdist

from ganonym.evaluate.quality import bands
from ganonym.faces.descriptor import describe
from ganonym.faces.find import default_backends, find_faces
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.types import RGB, Points
from ganonym_train.generator import Recipe, train_generator
from ganonym_train.networks import face_network_of, landmarker_of
from ganonym_train.terms import WEIGHTS, Weights

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))


def row(name: str, pictures: Sequence[RGB], requested: Sequence[Points]) -> str:
    """One line of the table."""
    detector, landmarks = default_backends()
    errors, descriptors = [], []
    for rgb, points in zip(pictures, requested, strict=True):
        if faces := find_faces(rgb, detector, landmarks):
            interocular = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
            errors.append(np.linalg.norm(faces[0].points - points, axis=1).mean() / interocular)
        descriptors.append(describe(rgb, points))
    energy = np.mean([bands(rgb, points) for rgb, points in zip(pictures, requested, strict=True)], axis=0)
    return (
        f"{name:24} found {len(errors)}/{len(pictures)}  landmark error {np.mean(errors or [np.nan]):.4f}  "
        f"bands {' '.join(f'{value:.2f}' for value in energy)}  spread {pdist(np.stack(descriptors)).mean():.3f}"
    )


def applicable(recipe: Recipe) -> list[str]:
    """Terms that this recipe has at all: those of networks only where these are given."""
    absent = set()
    if recipe.perceptual is None:
        absent |= {"perceptual"}
    if recipe.landmarker is None:
        absent |= {"landmarks"}
    if recipe.face_network is None:
        absent |= {"repulsion", "likeness"}
    return [field.name for field in fields(Weights) if field.name not in absent]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--images", type=int, default=960, help="training items of each run")
    parser.add_argument("--faces", type=int, default=60)
    parser.add_argument("--terms", nargs="*", help="only these")
    parser.add_argument("--perceptual", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    recipe = Recipe(
        images=arguments.images,
        seed=arguments.seed,
        ema=0.98,  # a memory of 50 steps: the default one of 1000 would outlast so short a run
        perceptual=arguments.perceptual,
        landmarker=landmarker_of(arguments.landmarks) if arguments.landmarks else None,
        face_network=face_network_of(arguments.encoder) if arguments.encoder else None,
    )
    terms = applicable(recipe) if arguments.terms is None else arguments.terms
    if not arguments.data.is_dir():
        raise SystemExit(f"{arguments.data} does not exist: point --data at a folder with manifest.csv.")
    for missing in ([], *([term] for term in terms)):
        weights = WEIGHTS.without(missing)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "generator.safetensors"
            train_generator(
                arguments.data, Path(folder) / "run", file, replace(recipe, weights=weights), lambda _: None
            )
            synthesizer = load_synthesizer(file)
        faces = virtual_faces(arguments.faces, synthesizer.model, seed=5)
        draw = partial(from_lines, synthesizer=synthesizer) if "surrogate" in missing else synthesizer.render
        pictures = [draw(face) for face in faces]
        print(row(f"without {missing[0]}" if missing else "all terms", pictures, [f.points for f in faces]), flush=True)


if __name__ == "__main__":
    main()
