"""Simulated syndromes on people who do not exist: `python benchmarks/phantoms.py docs` writes docs/phantoms.png.

A row a virtual person, front and neutral; the first column as they are, then with each syndrome's signs that most
patients have (p ≥ 0.5), all at 2 SD. What a syndrome does beyond these landmarks and brows, no picture here shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from faces import tile
from PIL import Image

from ganonym.faces.appearance import load_appearance
from ganonym.faces.measures import AXES
from ganonym.phantom.axes import face_axes
from ganonym.phantom.people import patient_of, sample_person
from ganonym.phantom.photos import PHOTO, Moment, take_patient_photo, warp_of
from ganonym.phantom.syndromes import HARD, DrawnSign, Phenotype, combined, load_syndromes
from ganonym.photos.encode import encode_png
from ganonym.types import CANVAS, RGB

PEOPLE, SEVERITY, LEAST = 4, 2.0, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs"))
    parser.add_argument("--side", type=int, default=112, help="pixels a face")
    arguments = parser.parse_args()
    model = load_appearance()
    axes, directions = face_axes(model), len(model.shape.expression_sd)
    still = Moment(np.zeros(directions), 0, 0, 0, 1.5, np.zeros(2), np.ones(3), np.zeros(2), 0.0, np.full(3, 0.67))
    shown = {key: syndrome for key, syndrome in load_syndromes().items() if key not in HARD}
    phenotypes = [Phenotype((), np.zeros(len(AXES)))]
    for syndrome in shown.values():
        signs = tuple(DrawnSign(sign, SEVERITY) for sign in syndrome.signs if sign.p >= LEAST)
        phenotypes.append(Phenotype(signs, combined(signs)))
    pictures: list[RGB] = []
    for number in range(PEOPLE):
        person = sample_person(model, np.random.default_rng([8, number]))
        for phenotype in phenotypes:
            patient = patient_of(person, phenotype, axes, model)
            warp = warp_of(patient, still, np.zeros(len(AXES)), axes, model)
            photo = take_patient_photo(patient, still, warp, model, np.random.default_rng(0))
            edge = round(1.65 * CANVAS)  # a high forehead reaches beyond the canvas
            low, high = (PHOTO - edge) // 2, (PHOTO + edge) // 2
            middle = Image.fromarray(photo).crop((low, low, high, high))
            pictures.append(np.asarray(middle.resize((CANVAS, CANVAS), Image.Resampling.LANCZOS)))
    figure = tile(pictures, len(phenotypes), arguments.side)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "phantoms.png").write_bytes(data := encode_png(figure))
    print(f"columns: unaffected, {', '.join(shown)}")
    print(f"{arguments.folder / 'phantoms.png'}: {figure.shape[1]} × {figure.shape[0]} px, {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
