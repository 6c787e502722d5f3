"""What each term of the training loss is for: `python benchmarks/ablation.py --data DATA --keep FOLDER`.

Trains the generator from nothing once with the default terms, once without each of them, and once with each term of a
network given (--landmarks, --encoder, --perceptual) added, with equal budgets, data and seed. A row each: faces found,
landmark error (interocular distances, dlib), band energies (finest first; for photographs see quality.py), KID
against people nobody trained on (this project's encoder) and spread (mean distance between dlib descriptors of
different people's faces: falls when all look alike). "without surrogate" is pix2pix from lines alone. Budgets this
small order the terms; they say nothing of final quality.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from faces import virtual_faces
from quality import from_lines, photographs
from scipy.spatial.distance import pdist

from ganonym.evaluate.quality import bands, kernel_distance
from ganonym.faces.appearance import load_appearance
from ganonym.faces.descriptor import describe
from ganonym.faces.encoder import encode, load_encoder
from ganonym.faces.find import default_backends, find_faces
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.types import RGB, Floats, Points
from ganonym_train.generator import Recipe, train_generator
from ganonym_train.networks import face_network_of, landmarker_of
from ganonym_train.terms import WEIGHTS, Weights

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
# Terms that need a network, and the field of the recipe which holds it.
NETWORKS = {"perceptual": "perceptual", "landmarks": "landmarker", "repulsion": "face_network",
            "likeness": "face_network"}  # fmt: skip


def row(name: str, pictures: Sequence[RGB], requested: Sequence[Points], real: Floats) -> str:
    """One line of the table."""
    detector, landmarks = default_backends()
    errors, descriptors = [], []
    for rgb, points in zip(pictures, requested, strict=True):
        if faces := find_faces(rgb, detector, landmarks):
            interocular = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
            errors.append(np.linalg.norm(faces[0].points - points, axis=1).mean() / interocular)
        descriptors.append(describe(rgb, points))
    energy = np.mean([bands(rgb, points) for rgb, points in zip(pictures, requested, strict=True)], axis=0)
    kid = kernel_distance(real, _features(pictures), np.random.default_rng(0))
    return (
        f"{name:24} found {len(errors)}/{len(pictures)}  landmark error {np.mean(errors or [np.nan]):.4f}  "
        f"bands {' '.join(f'{value:.2f}' for value in energy)}  "
        f"KID ×10³ {1e3 * kid.value:.0f} [{1e3 * kid.low:.0f}, {1e3 * kid.high:.0f}]  "
        f"spread {pdist(np.stack(descriptors)).mean():.3f}"
    )


def _features(pictures: Sequence[RGB]) -> Floats:
    features = encode(pictures, load_encoder())
    return features * np.sqrt(features.shape[1])


def variants(recipe: Recipe, terms: Sequence[str] | None) -> dict[str, Recipe]:
    """The recipes compared, by name of the row; `terms` restricts them, and without it there is one for each term."""
    base = replace(recipe, perceptual=None, landmarker=None, face_network=None)
    found = {"default terms": base}
    for term in [field.name for field in fields(Weights)]:
        if term not in NETWORKS:
            found[f"without {term}"] = replace(base, weights=WEIGHTS.without([term]))
        elif (network := getattr(recipe, NETWORKS[term])) is not None:
            others = WEIGHTS.without([other for other in NETWORKS if other != term])
            found[f"with {term}"] = replace(base, weights=others, **{NETWORKS[term]: network})
    return found if terms is None else {name: each for name, each in found.items() if name.split()[1] in terms}


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
    parser.add_argument("--keep", type=Path, help="folder for the runs and weights; runs found there are resumed")
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
    for name, each in variants(recipe, arguments.terms).items():
        with TemporaryDirectory() as temporary:
            folder = (arguments.keep or Path(temporary)) / name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            train_generator(arguments.data, folder, folder / "generator.safetensors", each, lambda _: None)
            synthesizer = load_synthesizer(folder / "generator.safetensors")
        faces = virtual_faces(arguments.faces, synthesizer.model, seed=5)
        draw = partial(from_lines, synthesizer=synthesizer) if not each.weights.surrogate else synthesizer.render
        print(row(name, [draw(face) for face in faces], [face.points for face in faces], real), flush=True)


if __name__ == "__main__":
    main()
