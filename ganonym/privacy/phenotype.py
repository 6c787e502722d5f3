"""How syndromes move landmarks, as far as the public knows: mean displacements of simulated patients."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ganonym.errors import EnvironmentFault
from ganonym.faces.shape import ShapeModel
from ganonym.types import LANDMARKS, Floats
from ganonym.weights import read_tensors, verified_path


def load_phenotypes(path: Path | None = None) -> Floats:
    """Mean landmark displacement of each simulated syndrome from controls, (c, 68, 2) in the Procrustes frame.

    The bundled ones, verified, or the safetensors file at `path`. Raises EnvironmentFault.
    """
    return _load(path or verified_path("phenotype"))


@cache
def _load(path: Path) -> Floats:
    arrays, metadata = read_tensors(path)
    found = arrays.get("displacement")
    if metadata.get("kind") != "phenotype" or found is None or found.shape[1:] != (LANDMARKS, 2):
        raise EnvironmentFault(f"{path} holds no phenotypes.", "Make them: ganonym train phenotype")
    return found.astype(np.float64)


def identity_displacements(phenotypes: Floats, model: ShapeModel) -> Floats:
    """Phenotypes (c, 68, 2) as identity coefficients of `model`, (c, m)."""
    return np.asarray(phenotypes.reshape(len(phenotypes), -1) @ model.identity_basis.T)
