"""The public population: random faces, how syndromes move landmarks, and virtual patients. A function of no photo.

Few bits about a subject must go where they are worth most: tone, age, sex and what tells syndromes apart. Mechanisms
that release little of a face (codebook, metric) release it there, and show a virtual patient who is alike there.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from ganonym.errors import EnvironmentFault
from ganonym.faces.kept import KeptSpace
from ganonym.faces.shape import ShapeModel, split
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


def population_draw(rng: np.random.Generator, covariance: Floats, count: int) -> Floats:
    """`count` independent rows (count, d) of zero mean and covariance exactly `covariance` (d, d).

    Each principal coordinate is a normal truncated at ±2.5 SD and rescaled to unit variance, so none exceeds 2.62 SD.
    """
    from scipy.special import ndtr, ndtri

    tail = float(ndtr(-TRUNCATION))
    normal = ndtri(rng.uniform(tail, 1.0 - tail, (count, len(covariance))))
    density = math.exp(-(TRUNCATION**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1.0 - 2.0 * TRUNCATION * density / (1.0 - 2.0 * tail)  # of the truncated standard normal
    return np.asarray(normal / math.sqrt(variance) @ factor(covariance).T)


def factor(covariance: Floats) -> Floats:
    """A (d, d) matrix whose product with its own transpose is the symmetric `covariance`; what is negative counts as 0.

    >>> factor(np.diag([4.0, 9.0])).round(3).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


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


def sign_axes(model: ShapeModel, phenotypes: Floats | None = None) -> Floats:
    """The directions (r, m), r ≤ 8, of identity coefficients in SD in which syndromes differ most.

    Fisher's (1936), with the population's spread and the error of landmarks as noise. `phenotypes` (c, 68, 2), those of
    `load_phenotypes` by default.
    """
    phenotypes = load_phenotypes() if phenotypes is None else phenotypes
    moved = np.array([split(model.mean + displacement, model)[0] for displacement in phenotypes])
    syndromes = np.concatenate([np.zeros((1, moved.shape[1])), moved])
    seen_sd = np.hypot(model.identity_sd, LANDMARK_NOISE)
    return np.asarray((separating(syndromes / seen_sd) / seen_sd[:, None] * model.identity_sd[:, None]).T)


@dataclass(frozen=True, slots=True, eq=False)
class VirtualPatients:
    """`rows` (P, n) of identity and texture in SD, and their kept coordinates `places` (P, r).

    These are (rows - mean) @ projection, in SD of the population: tone, age, sex, then signs, as far as they are kept.
    """

    rows: Floats
    mean: Floats
    projection: Floats
    places: Floats

    def place(self, row: Floats) -> Floats:
        """Kept coordinates (r,) of the row (n,) of a subject."""
        return np.asarray((row - self.mean) @ self.projection)


def public_patients(model: ShapeModel, space: KeptSpace, seed: int = 0) -> VirtualPatients:
    """The virtual patients of the bundled phenotypes. Raises EnvironmentFault without these."""
    return _public_patients(model, space, seed)


@lru_cache(maxsize=8)
def _public_patients(model: ShapeModel, space: KeptSpace, seed: int) -> VirtualPatients:
    moved = load_phenotypes()
    return virtual_patients(space, moved.reshape(len(moved), -1) @ model.identity_basis.T / model.identity_sd, seed)


def virtual_patients(space: KeptSpace, displacements: Floats, seed: int = 0) -> VirtualPatients:
    """20 000 virtual patients; every syndrome, and having none, is equally frequent among them.

    `space` is the public population; `displacements` (c, m) are the mean identity coefficients, in SD, of each
    syndrome. Neither may come from patients who are to be protected.
    """
    rng = generator(seed, "virtual patients")
    lasting = space.lasting
    rows = population_draw(rng, space.covariance[:lasting, :lasting], PATIENTS)
    syndromes = np.concatenate([np.zeros((1, displacements.shape[1])), displacements])
    rows[:, : displacements.shape[1]] += syndromes[rng.integers(len(syndromes), size=PATIENTS)]
    first = [
        place for name in ("tone", "age", "sex") for place in range(len(space.names)) if space.names[place] == name
    ]
    signs = [place for place, name in enumerate(space.names) if name.startswith("sign ")]
    projection = space.axes[first + signs, :lasting].T
    places = rows @ projection
    rows += space.mean[:lasting]
    return VirtualPatients(rows, space.mean[:lasting], projection, places)


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
