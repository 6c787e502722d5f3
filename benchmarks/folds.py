"""What a column of folds tells: `python benchmarks/folds.py`.

A fold of people beside each output lets receivers keep the photos of one person together. It is also a property of the
person that every one of his outputs repeats. Whoever knows the groups (anybody who holds the originals) sees how many
outputs of each group are in each fold, and asks which folds of people agree with all of these numbers at once: found
here by simulated annealing over balanced folds. Then he names, for an output, whoever of its group is likeliest in its
fold. Virtual people with several photos each; `labelled`: classes of five, each a group of its own, in which people
have one to five photos.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from ganonym.privacy.joint import joint_k_same
from ganonym.privacy.kept import kept_space
from ganonym.pseudonym import FOLDS, deal_folds
from ganonym.types import Floats

WITHIN = 0.7
"""Photos of one person differ by so many SDs of people: a little more than in photographs years apart."""
Numbers = NDArray[np.intp]


def virtual(people: int, photos: Numbers, rng: np.random.Generator) -> tuple[Floats, Numbers]:
    """Rows (n, D) of `photos` (people,) each, and whose they are (n,)."""
    space = kept_space()
    owners = np.repeat(np.arange(people), photos)
    identity = rng.multivariate_normal(space.mean, space.covariance, people, method="eigh")
    change = rng.multivariate_normal(np.zeros(len(space.mean)), space.covariance, len(owners), method="eigh")
    return identity[owners] + WITHIN * change, owners


def likely_folds(counts: Numbers, inside: Numbers, rng: np.random.Generator, sweeps: int) -> Floats:
    """Probability (people, FOLDS) of everybody's fold, from how many outputs of groups are in each, (groups, FOLDS).

    `inside` (groups, people): how many photos of each person are in a group.
    """
    people = inside.shape[1]
    own = [np.flatnonzero(inside[:, person]) for person in range(people)]
    fold = rng.permutation(people) % FOLDS
    now = np.stack([inside[:, fold == number].sum(axis=1) for number in range(FOLDS)], axis=1)
    seen = np.zeros((people, FOLDS))
    for sweep in range(sweeps):
        heat = max(0.15, 3.0 * 0.98**sweep)
        for one, other in rng.integers(people, size=(people, 2)).tolist():
            a, b = fold[one], fold[other]
            if a == b:
                continue
            rows = np.union1d(own[one], own[other])
            moved = now[rows].copy()
            change = inside[rows, one] - inside[rows, other]
            moved[:, a] -= change
            moved[:, b] += change
            worse = int(np.abs(moved - counts[rows]).sum() - np.abs(now[rows] - counts[rows]).sum())
            if worse <= 0 or rng.random() < np.exp(-worse / heat):
                now[rows] = moved
                fold[one], fold[other] = b, a
        if 2 * sweep >= sweeps:
            seen[np.arange(people), fold] += 1
    return np.asarray(seen / seen.sum(axis=1, keepdims=True))


def named(photos: Numbers, k: int, labelled: bool, seed: int, sweeps: int) -> tuple[float, float, float]:
    """Rates at which outputs are named with the folds told and not told, and at which a fold is guessed right."""
    rng = np.random.default_rng(seed)
    rows, owners = virtual(len(photos), photos, rng)
    labels = [f"class {owner // FOLDS}" for owner in owners.tolist()] if labelled else None
    joint = joint_k_same(rows, [f"{owner:04d}" for owner in owners.tolist()], labels, kept_space(), k)
    label_of = {str(owner): f"class {owner // FOLDS}" if labelled else None for owner in range(len(photos))}
    dealt = deal_folds(rng.bytes(32), label_of)
    fold = np.array([dealt[str(owner)] for owner in range(len(photos))])
    shown = np.flatnonzero(joint.group >= 0)
    inside = np.zeros((len(joint.sizes), len(photos)), dtype=np.intp)
    np.add.at(inside, (joint.group[shown], owners[shown]), 1)
    counts = np.stack([inside[:, fold == number].sum(axis=1) for number in range(FOLDS)], axis=1)
    likely = likely_folds(counts, inside, rng, sweeps)
    told = untold = 0.0
    for photo in shown.tolist():
        many = inside[joint.group[photo]]
        weights = many * likely[:, fold[owners[photo]]]
        best = weights >= weights.max() * (1 - 1e-9)
        told += best[owners[photo]] / best.sum()
        untold += (many[owners[photo]] == many.max()) / (many == many.max()).sum()
    right = float(likely[np.arange(len(photos)), fold].mean())
    return told / len(shown), untold / len(shown), right


def main() -> None:
    """Print one line a cohort."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--sweeps", type=int, default=300)
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    cohorts = [
        (f"{each} photos each, k = {k}", np.full(given.people, each), k, False) for k in (20, 11) for each in (2, 4, 8)
    ]
    cohorts.append(("classes of five", np.arange(given.people) % FOLDS + 1, 20, True))
    print(f"{'cohort':28s} {'named':>7s} {'without folds':>14s} {'fold guessed':>13s}")
    for name, photos, k, labelled in cohorts:
        rates = np.mean([named(photos, k, labelled, seed, given.sweeps) for seed in range(given.draws)], axis=0)
        print(f"{name:28s} {rates[0]:7.3f} {rates[1]:14.3f} {rates[2]:13.3f}", flush=True)


if __name__ == "__main__":
    main()
