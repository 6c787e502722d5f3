"""The public population: random identities, how syndromes move landmarks, and virtual patients. A function of no photo.

Few bits about a subject must go where syndromes differ, not where people differ. Mechanisms that release little of a
shape (codebook, metric) release it in these directions, and show a virtual patient who is alike there.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from ganonym.errors import EnvironmentFault
from ganonym.faces.shape import ShapeModel, split
from ganonym.privacy.settings import PrivacySettings
from ganonym.types import LANDMARKS, Floats
from ganonym.weights import read_tensors, verified_path

TRUNCATION = 2.5  # SD. Of untruncated draws in 40 directions 40 % hold a coefficient beyond it: such faces look drawn.
DIRECTIONS = 8
# What a detector's error adds to each coefficient, in Procrustes units: dlib is off by 0.025 eye distances. Half of the
# identity directions vary less than that in the population; what separates syndromes there, no photograph shows.
LANDMARK_NOISE = 0.003
PATIENTS = 20_000


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A generator for one purpose, so that a face's seed can serve shape and texture without correlating them."""
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def population_draw(rng: np.random.Generator, identity_sd: Floats, count: int) -> Floats:
    """`count` independent identities, (count, m): zero mean, covariance exactly diag(identity_sd²).

    Each coefficient is a normal truncated at ±2.5 SD and rescaled to unit variance, so none exceeds 2.62 SD.
    """
    from scipy.special import ndtr, ndtri

    tail = float(ndtr(-TRUNCATION))
    normal = ndtri(rng.uniform(tail, 1.0 - tail, (count, identity_sd.size)))
    density = math.exp(-(TRUNCATION**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1.0 - 2.0 * TRUNCATION * density / (1.0 - 2.0 * tail)  # of the truncated standard normal
    return np.asarray(normal / math.sqrt(variance) * identity_sd, dtype=np.float64)


def load_phenotypes(path: Path | None = None) -> Floats:
    """Mean landmark displacement of each simulated syndrome from controls, (c, 68, 2) in the Procrustes frame.

    The bundled ones, verified, or the safetensors file at `path`. Raises EnvironmentFault.
    """
    return _load(path or verified_path("phenotype"))


@cache
def _load(path: Path) -> Floats:
    arrays, metadata = read_tensors(path)
    displacement = arrays.get("displacement")
    if metadata.get("kind") != "phenotype" or displacement is None or displacement.shape[1:] != (LANDMARKS, 2):
        raise EnvironmentFault(f"{path} holds no phenotypes.", "Make them: ganonym train phenotype")
    return displacement.astype(np.float64)


def identity_displacements(phenotypes: Floats, model: ShapeModel) -> Floats:
    """Phenotypes (c, 68, 2) as identity coefficients of `model`, (c, m)."""
    return np.array([split(model.mean + moved, model)[0] for moved in phenotypes])


@dataclass(frozen=True, slots=True, eq=False)
class VirtualPatients:
    """`identities` (P, m); `projection` (m, r) maps an identity to where syndromes differ, in population SD.

    `places` (P, r) are the identities projected.
    """

    identities: Floats
    projection: Floats
    places: Floats


def virtual_patients(identity_sd: Floats, displacements: Floats, seed: int = 0) -> VirtualPatients:
    """20 000 virtual patients; every syndrome, and having none, is equally frequent among them.

    `identity_sd` (m,) spreads of the population; `displacements` (c, m) mean identity coefficients of each syndrome,
    none of which may come from patients who are to be protected. The projection takes the directions that separate
    syndromes best (Fisher 1936), at most eight, with the population's spread and the error of landmarks as noise.

    >>> virtual_patients(np.ones(3), np.eye(3)).projection.shape
    (3, 3)
    """
    return _virtual_patients(identity_sd.tobytes(), np.ascontiguousarray(displacements).tobytes(), seed)


def public_patients(model: ShapeModel, seed: int = 0) -> VirtualPatients:
    """The virtual patients of a shape model with the bundled phenotypes. Raises EnvironmentFault without these."""
    return virtual_patients(model.identity_sd, identity_displacements(load_phenotypes(), model), seed)


def attacker_view(model: ShapeModel, settings: PrivacySettings) -> Floats:
    """The linear map (m, r) of identities in which an attacker who knows the mechanism compares them.

    Everything in units of the population's SD; for codebook and metric only where they tell anything at all, because
    the rest of a virtual patient would be noise to the attack.
    """
    if settings.mechanism == "codebook":
        return public_patients(model, settings.codebook_seed).projection
    if settings.mechanism == "metric":
        return public_patients(model, settings.codebook_seed).projection[:, : settings.directions]
    return np.diag(1.0 / model.identity_sd)


@lru_cache(maxsize=8)
def _virtual_patients(spread: bytes, moved: bytes, seed: int) -> VirtualPatients:
    identity_sd = np.frombuffer(spread)
    syndromes = np.concatenate([np.zeros((1, len(identity_sd))), np.frombuffer(moved).reshape(-1, len(identity_sd))])
    rng = generator(seed, "virtual patients")
    identities = population_draw(rng, identity_sd, PATIENTS) + syndromes[rng.integers(len(syndromes), size=PATIENTS)]
    seen_sd = np.hypot(identity_sd, LANDMARK_NOISE)
    projection = separating(syndromes / seen_sd) / seen_sd[:, None]
    return VirtualPatients(identities, projection, np.asarray(identities @ projection))


def separating(means: Floats) -> Floats:
    """Orthonormal directions (m, r), r ≤ 8, in which `means` (c, m) of classes of unit covariance differ most.

    >>> separating(np.array([[3.0, 0.0], [-3.0, 0.0]])).round(6).tolist()
    [[1.0], [0.0]]
    """
    _, spread, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    kept = directions[:DIRECTIONS][spread[:DIRECTIONS] > 1e-9 * spread[0]]
    # The sign of a singular vector is arbitrary; its largest entry decides.
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    return np.asarray((kept * np.sign(largest)).T)
