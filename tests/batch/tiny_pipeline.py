"""A pipeline without models, quick and deterministic, for tests of the batch alone; importable by worker processes.

The first pixel of a photo says what happens: red = number of faces, each a third of the one before, green = fate in
analysis, blue = fate in production (SHAPES, SPACE = load_shape(), kept_space()
SPREAD = np.linalg.cholesky(SPACE.covariance + 1e-9 * np.eye(len(SPACE.mean)))
CRASH, HANG, BUG, MEMORY, REFUSE; anything else goes well). The second pixel makes
the face.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.errors import EnvironmentFault, PhotoError
from ganonym.faces.kept import kept_space
from ganonym.faces.shape import face_of, from_canvas, load_shape
from ganonym.settings import Settings
from ganonym.types import RGB, Box, FaceRecord, Pose, PrivateFace

SHAPES, SPACE = load_shape(), kept_space()
SPREAD = np.linalg.cholesky(SPACE.covariance + 1e-9 * np.eye(len(SPACE.mean)))
CRASH, HANG, BUG, MEMORY, REFUSE, EXIT = 200, 201, 202, 203, 204, 205


def analyse(rgb: RGB, source: str) -> list[FaceRecord]:
    count, fate, later = (int(value) for value in rgb[0, 0])
    meet(fate)
    if count == 0:
        raise PhotoError("no-face", f"{source!r} shows no face.")
    rng = np.random.default_rng([int(value) for value in rgb[0, 1]])
    faces = []
    for index in range(count):
        row = SPACE.mean + SPREAD @ rng.normal(size=len(SPREAD))
        shape = from_canvas(face_of(row, SHAPES)[0])
        thumbnail = np.full((24, 24), later, np.uint8)
        box = Box(0, 0, 3.0**-index, 3.0**-index)
        faces.append(
            FaceRecord(source, index, box, shape, shape, Pose(0, 0, 0), index % 6, thumbnail, person=index, row=row)
        )
    return faces


def produce(face: PrivateFace, record: FaceRecord) -> RGB:
    meet(int(record.thumbnail[0, 0]))
    assert face.texture is not None
    seen = repr((face.points.tobytes(), face.texture.tobytes(), face.seed)).encode()
    rng = np.random.default_rng(list(hashlib.sha256(seen).digest()))
    return rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)


def meet(fate: int) -> None:
    if fate == CRASH:
        os.abort()
    if fate == EXIT:
        os._exit(0)
    if fate == HANG:
        time.sleep(600)
    if fate == BUG:
        raise ZeroDivisionError("a bug")
    if fate == MEMORY:
        raise MemoryError
    if fate == REFUSE:
        raise PhotoError("verification", "the output resembles its source.")


def load_tools(_settings: Settings) -> Tools:
    return Tools(analyse, produce)


def load_nothing(_settings: Settings) -> Tools:
    raise EnvironmentFault("weights file surrogate.safetensors is missing.")


def load_refusing(_settings: Settings) -> Tools:
    def refuse(_face: PrivateFace, _record: FaceRecord) -> RGB:
        raise PhotoError("verification", "the output resembles its source.")

    return Tools(analyse, refuse)


def weights_digest(_settings: Settings) -> str:
    return "1" * 64


PIPELINE = Pipeline(load_tools, load_shape, weights_digest)
REFUSING = Pipeline(load_refusing, load_shape, weights_digest)
BROKEN = Pipeline(load_nothing, load_shape, weights_digest)


def save_photo(path: Path, number: int, faces: int = 1, fate: int = 0, later: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[0, 0] = (faces, fate, later)
    rgb[0, 1] = (number % 256, number // 256, 7)
    Image.fromarray(rgb).save(path)
