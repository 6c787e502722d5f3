"""The bundled classifier of SIMULATED syndromes: what a deployed system that has learned from others says of a release.

A linear discriminant on embeddings of the bundled gestalt encoder, learned from the reference phantom cohort. It knows
phantoms only; of patients it knows nothing, and it is asked of nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ganonym.classify.classifier import Trained
from ganonym.classify.methods.discriminant import Discriminant
from ganonym.errors import EnvironmentFault
from ganonym.weights import read_tensors, verified_path

WEIGHTS_NAME = "reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """`names` of simulated syndromes, in the order of the probabilities (n, c) of `trained`."""

    names: tuple[str, ...]
    trained: Trained


def load_reference(path: Path | None = None) -> Reference:
    """The bundled one, verified, or the weights at `path`. Raises EnvironmentFault."""
    file = path or verified_path(WEIGHTS_NAME)
    arrays, told = read_tensors(file)
    try:
        names = tuple(str(name) for name in json.loads(told["names"]))
    except (KeyError, ValueError, TypeError) as error:
        raise EnvironmentFault(f"{file} does not say which classes it knows.", "Train it anew.") from error
    return Reference(names, Discriminant().restore(arrays, len(names)))


def save_reference(path: Path, names: Sequence[str], trained: Trained) -> None:
    """Write a safetensors file with `names` in its metadata; the same input gives the same bytes."""
    arrays = {name: np.asarray(array, order="C") for name, array in trained.arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(arrays, {"names": json.dumps(list(names))}))  # of two entries the order would vary
