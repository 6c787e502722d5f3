"""What a column of folds tells an attacker who knows every group: folds of people against folds of groups.

Rows are drawn from the bundled population, people differing from one photo to the next by `WITHIN` of it. The attacker
holds all rows and reruns joint k-same; of the release he uses nothing but which group an output shows, and its fold.
All photos of a person share a fold of people, so a person's fold must be among those of all groups with his photos:
likely folds are multiplied over these groups, and of a group's people the one is named whom the output's fold fits.

    python benchmarks/folds.py
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.privacy.joint import joint_k_same
from ganonym.pseudonym import FOLDS
from ganonym.types import Floats

WITHIN = 0.3
KEYS = 8
COHORTS = ((350, 1, 20), (350, 2, 20), (350, 3, 20), (350, 5, 20), (120, 2, 11), (120, 2, 5))
"""People, photos of each, k."""

Numbers = NDArray[np.intp]


def cohort(space: KeptSpace, people: int, photos: int, seed: int = 1) -> tuple[Floats, Numbers]:
    """Rows (people · photos, D) and whose they are."""
    rng = np.random.default_rng(seed)
    own = rng.multivariate_normal(space.mean, space.covariance, people, method="eigh")
    change = rng.multivariate_normal(np.zeros(len(space.mean)), space.covariance, (people, photos), method="eigh")
    return (own[:, None] + WITHIN * change).reshape(people * photos, -1), np.repeat(np.arange(people), photos)


def named(group: Numbers, owner: Numbers, fold: Numbers) -> float:
    """Share of outputs whose person the attacker names; ties count their share. `fold` is of each output."""
    counts = np.zeros((group.max() + 1, FOLDS))
    np.add.at(counts, (group, fold), 1)
    likely = np.log(np.maximum(counts, 1e-9)) - np.log(counts.sum(axis=1, keepdims=True))
    people = np.zeros((owner.max() + 1, FOLDS))
    np.add.at(people, owner, likely[group])
    people = np.exp(people - people.max(axis=1, keepdims=True))
    people /= people.sum(axis=1, keepdims=True)
    hits = 0.0
    for place in range(len(group)):
        crowd = owner[group == group[place]]
        fits = people[crowd, fold[place]]
        best = fits >= fits.max() - 1e-12
        hits += float((crowd[best] == owner[place]).mean())
    return hits / len(group)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=KEYS, help="draws of the folds, whose mean is shown (%(default)s)")
    keys = parser.parse_args().keys
    space = kept_space()
    print("people  photos   k    1/size  folds of people  folds of groups")
    for people, photos, k in COHORTS:
        rows, owner = cohort(space, people, photos)
        joint = joint_k_same(rows, [str(number) for number in owner], None, space, k)
        inside = joint.group >= 0
        group, own = joint.group[inside], owner[inside]
        rng = np.random.default_rng(2)
        of_people, of_groups = [], []
        for _ in range(keys):
            dealt = rng.permutation(people) % FOLDS
            of_people.append(named(group, own, dealt[own]))
            circles = rng.permutation(len(joint.sizes)) % FOLDS
            of_groups.append(named(group, own, circles[group]))
        size = float(np.mean(joint.bounds[group]))
        print(f"{people:6} {photos:7} {k:3} {size:9.3f} {np.mean(of_people):16.3f} {np.mean(of_groups):16.3f}")


if __name__ == "__main__":
    main()
