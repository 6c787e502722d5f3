"""The public population: virtual patients, and the directions in which their syndromes differ. A function of no photo.

Few bits about a subject must go where syndromes differ, not where people differ. Mechanisms that release little of a
shape (codebook, metric) release it in these directions, and show a virtual patient who is alike there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ganonym.faces.shape import ShapeModel
from ganonym.privacy.draw import generator, population_draw
from ganonym.privacy.phenotype import identity_displacements, load_phenotypes
from ganonym.privacy.settings import PrivacySettings
from ganonym.types import Floats

DIRECTIONS = 8
# What a detector's error adds to each coefficient, in Procrustes units: dlib is off by 0.025 eye distances. Half of the
# identity directions vary less than that in the population; what separates syndromes there, no photograph shows.
LANDMARK_NOISE = 0.003
PATIENTS = 20_000


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
