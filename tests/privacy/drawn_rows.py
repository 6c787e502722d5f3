"""Rows of drawn people, and what an honest joint k-same shows of them: independent of the library's own mechanism."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.kept import KeptSpace
from ganonym.types import Floats

WIDTH, KEPT = 40, 6


def kept_space(seed: int = 7) -> KeptSpace:
    """Six kept axes of population SD 1 in 40 correlated coordinates."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0] * np.linspace(1.6, 0.4, WIDTH)
    covariance = mixing @ mixing.T
    axes = rng.standard_normal((KEPT, WIDTH))
    axes /= np.sqrt(np.einsum("ij,jk,ik->i", axes, covariance, axes))[:, None]
    names = tuple(f"sign {number}" for number in range(1, KEPT + 1))
    return KeptSpace(names, axes, np.linspace(2.0, 1.0, KEPT), 0.3 * np.ones(WIDTH), covariance, {}, WIDTH)


@dataclass(frozen=True, eq=False)
class Drawn:
    """`rows` (n, D) of photos and whose they are, `groups` of k people next to each other on the first kept axis,
    `middle` (n, D) what each photo's group shows, `noise` (D, D)."""

    rows: Floats
    owners: NDArray[np.intp]
    groups: NDArray[np.intp]
    middle: Floats
    noise: Floats

    def shown(self, rng: np.random.Generator) -> Floats:
        draws = np.clip(rng.standard_normal(self.rows.shape), -2.5, 2.5)
        return np.asarray(self.middle + 0.8 * draws @ self.noise.T)


def drawn(space: KeptSpace, people: int, k: int, photos: int = 1, seed: int = 0) -> Drawn:
    """A cohort; photo number p of everybody is grouped apart, so that no group has two photos of one person."""
    rng = np.random.default_rng(seed)
    person = rng.multivariate_normal(space.mean, space.covariance, people)
    rows, owners, groups = [], [], []
    for number in range(photos):
        own = person + 0.3 * rng.multivariate_normal(np.zeros(WIDTH), space.covariance, people)
        place = np.argsort(np.argsort(((own - space.mean) @ space.axes.T)[:, 0]))
        rows.append(own)
        owners.append(np.arange(people))
        groups.append(np.minimum(place // k, people // k - 1) + number * (people // k))
    everyone, group = np.concatenate(rows), np.concatenate(groups)
    means = np.array([everyone[group == number].mean(axis=0) for number in range(group.max() + 1)])
    kept = (means - everyone.mean(axis=0)) @ space.axes.T
    gains = np.maximum(1.0, 1.0 / np.maximum(kept[group].std(axis=0), 1e-6))
    load = np.linalg.solve(space.axes @ space.covariance @ space.axes.T, space.axes @ space.covariance).T
    stretched = means + (kept * (gains - 1.0)) @ load.T
    conditional = space.covariance - load @ space.axes @ space.covariance
    values, vectors = np.linalg.eigh(conditional)
    noise = vectors * np.sqrt(np.clip(values, 0.0, None))
    return Drawn(everyone, np.concatenate(owners), group, stretched[group], noise)
