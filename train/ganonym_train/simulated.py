"""What is learned of simulated syndromes and of nobody real: mean displacements, the classifier of assessments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ganonym.classify.cohort import gather
from ganonym.classify.encoders import read_foundation
from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.classify.learning.tabular import Discriminant, save_reference
from ganonym.classify.look import embedded
from ganonym.errors import UsageError
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
    shapes = [normalize(shape.points, model) for shape in phantom_shapes({group: people}, 1, seed)]
    return np.asarray(np.mean(shapes, axis=0))


def train_reference(manifest: Path, folder: Path, output: Path, jobs: int, log: Callable[[str], None]) -> None:
    """Write `output`. Raises UsageError unless everybody in `manifest` is simulated: nobody else may be in the file."""
    cases = read_cases(manifest, folder)
    if not all(case.simulated for case in cases):
        raise UsageError(f"{manifest} has people who are not simulated.", "Make one: ganonym phantom --syndromes all")
    look = embedded(read_foundation())
    cohort = gather(cases, jobs, crops=look.crops)
    people = len(set(cohort.subjects))
    log(f"{len(cohort.cases)} photographs of {people} virtual people, {len(cohort.left_out)} left out")
    embeddings = look(cohort.portraits)
    save_reference(output, cohort.names, Discriminant().learn(embeddings, cohort.classes, len(cohort.names), 0))
