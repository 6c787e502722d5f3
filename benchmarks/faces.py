"""Figures of the README, all of people who do not exist: `python benchmarks/faces.py docs`.

faces.png: 64 faces, six tones, both sexes, ages 18–89, varied expressions. strip.png, one face a row: expressions (the
smile's direction −2…2 SD), a phenotype (an identity direction −3…3 SD), other surrogates on one shape.
surrogate-and-generator.png: the plain surrogate above what the generator makes of it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ganonym.faces.appearance import AppearanceModel, sample_identity
from ganonym.faces.encoder import CORNER, SIDE
from ganonym.faces.shape import from_canvas, join, split, to_canvas
from ganonym.photos.encode import encode_png
from ganonym.synthesis.synthesizer import load_synthesizer, plain_surrogate
from ganonym.types import RGB, TONES, Floats, PrivateFace

AGES = (18, 89)
COLUMNS = 8
# The first two identity directions are mostly how the head was turned.
PHENOTYPES = (2, 3)


def virtual_faces(count: int, model: AppearanceModel, seed: int = 11) -> list[PrivateFace]:
    """Sampled identities with quantized expressions; tones and sexes in turn, ages spread evenly over 18–89."""
    rng, shape = np.random.default_rng(seed), model.shape
    ages = rng.permutation(np.linspace(*AGES, count))
    faces = []
    for number in range(count):
        steps = np.clip(np.round(rng.standard_normal(len(shape.expression_sd)) * 2) / 2, -2, 2)
        points = to_canvas(join(sample_identity(shape, rng), steps * shape.expression_sd, shape))
        sex = "female" if number // TONES % 2 == 0 else "male"
        faces.append(PrivateFace(points, number % TONES, sex, float(ages[number]), int(rng.integers(2**62))))
    return faces


def reshaped(face: PrivateFace, model: AppearanceModel, direction: int, amount: float, expression: bool) -> PrivateFace:
    """`face` with one coefficient of its shape set to `amount` SD."""
    parts = split(from_canvas(face.points), model.shape)
    spreads: tuple[Floats, Floats] = (model.shape.identity_sd, model.shape.expression_sd)
    parts[expression][direction] = amount * spreads[expression][direction]
    return replace(face, points=to_canvas(join(*parts, model.shape)))


def strip(model: AppearanceModel, face: PrivateFace) -> list[tuple[PrivateFace, int]]:
    """Faces and draws of the strip, row by row."""
    neutral = replace(face, points=reshaped(face, model, 0, 0.0, True).points)
    smiles = [(reshaped(face, model, 0, amount, True), 0) for amount in np.linspace(-2, 2, COLUMNS)]
    others = [(reshaped(neutral, model, 1, amount, True), 0) for amount in np.linspace(-2, 2, COLUMNS)]
    phenotypes = [
        (reshaped(neutral, model, direction, amount, False), 0)
        for direction in PHENOTYPES
        for amount in np.linspace(-3, 3, COLUMNS)
    ]
    surrogates = [(neutral, attempt) for attempt in range(COLUMNS)]
    # Without tone, sex and age every attribute is drawn anew with the surrogate.
    anyone = [(replace(neutral, tone=None, sex=None, age=None), attempt) for attempt in range(COLUMNS)]
    return [*smiles, *others, *phenotypes, *surrogates, *anyone]


def tile(pictures: list[RGB], columns: int, side: int) -> RGB:
    """Pictures in rows of `columns`, each reduced to `side` px."""
    box = (*CORNER, CORNER[0] + 2 * SIDE, CORNER[1] + 2 * SIDE)  # the part of the canvas that a face can reach
    small = [
        np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS, box)) for picture in pictures
    ]
    rows = [np.concatenate(small[start : start + columns], axis=1) for start in range(0, len(small), columns)]
    return np.ascontiguousarray(np.concatenate(rows, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs"))
    parser.add_argument("--generator", type=Path, help="other weights than the bundled ones")
    parser.add_argument("--side", type=int, default=112, help="pixels a face")
    arguments = parser.parse_args()
    synthesizer = load_synthesizer(arguments.generator)
    model, folder, side = synthesizer.model, arguments.folder, arguments.side
    folder.mkdir(parents=True, exist_ok=True)
    faces = virtual_faces(64, model)
    pictures = [synthesizer.render(face) for face in faces]
    plain = [plain_surrogate(face, model) for face in faces[:6]]
    rows = [synthesizer.render(face, attempt) for face, attempt in strip(model, faces[2])]
    for name, figure in (
        ("faces.png", tile(pictures, COLUMNS, side)),
        ("strip.png", tile(rows, COLUMNS, side)),
        ("surrogate-and-generator.png", tile([*plain, *pictures[:6]], 6, 2 * side)),
    ):
        (folder / name).write_bytes(data := encode_png(figure))
        print(f"{folder / name}: {figure.shape[1]} × {figure.shape[0]} px, {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
