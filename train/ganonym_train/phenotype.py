"""Mean landmark displacements of simulated syndromes: what the codebook needs to know of phenotypes. No photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ganonym.faces.shape import load_shape, normalize
from ganonym.phantom.cohort import CONTROL, phantom_shapes
from ganonym.phantom.syndromes import load_syndromes
from ganonym.types import Floats

PEOPLE = 400


def train_phenotype(output: Path, people: int, seed: int, log: Callable[[str], None]) -> None:
    """Average `people` virtual patients of every syndrome, less as many controls, and write (c, 68, 2) to `output`.

    Displacements are in the Procrustes frame of the bundled shape model. The same seed gives the same bytes.
    """
    controls = _mean(CONTROL, people, seed)
    names = list(load_syndromes())
    moved = []
    for name in names:
        moved.append(_mean(name, people, seed) - controls)
        log(f"{name}: {people} virtual patients, {1e3 * float(np.abs(moved[-1]).mean()):.2f}e-3 on average")
    arrays = {"displacement": np.array(moved, dtype=np.float32)}
    source = "simulated: HPO frequencies (phenotype.hpoa 2025-01-16)"
    save_file(arrays, output, metadata={"kind": "phenotype", "syndromes": ",".join(names), "source": source})


def _mean(group: str, people: int, seed: int) -> Floats:
    model = load_shape()
    shapes = [normalize(each.points, model) for each in phantom_shapes({group: people}, 1, seed)]
    return np.asarray(np.mean(shapes, axis=0))
