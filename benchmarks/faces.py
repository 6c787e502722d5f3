"""Figures of the README, all of people who do not exist: `python benchmarks/faces.py docs`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ganonym.faces.appearance import sample_identity
from ganonym.faces.shape import join, to_canvas
from ganonym.photos.encode import encode_png
from ganonym.synthesis.synthesizer import Synthesizer, load_synthesizer, plain_surrogate
from ganonym.types import RGB, TONES, PrivateFace


def virtual_faces(count: int, synthesizer: Synthesizer, seed: int = 11) -> list[PrivateFace]:
    """Sampled identities with quantized expressions, all six tones in turn."""
    rng, shape = np.random.default_rng(seed), synthesizer.model.shape
    faces = []
    for number in range(count):
        steps = np.clip(np.round(rng.standard_normal(len(shape.expression_sd)) * 2) / 2, -2, 2)
        points = to_canvas(join(sample_identity(shape, rng), steps * shape.expression_sd, shape))
        faces.append(PrivateFace(points, number % TONES, None, None, int(rng.integers(2**62))))
    return faces


def tile(pictures: list[RGB], columns: int) -> RGB:
    rows = [np.concatenate(pictures[start : start + columns], axis=1) for start in range(0, len(pictures), columns)]
    return np.ascontiguousarray(np.concatenate(rows, axis=0))


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    synthesizer = load_synthesizer()
    faces = virtual_faces(12, synthesizer)
    pictures = [synthesizer.render(face) for face in faces]
    (folder / "faces.png").write_bytes(encode_png(tile(pictures, 6)))
    plain = [plain_surrogate(face, synthesizer.model) for face in faces[:6]]
    (folder / "surrogate-and-generator.png").write_bytes(encode_png(tile([*plain, *pictures[:6]], 6)))


if __name__ == "__main__":
    main()
