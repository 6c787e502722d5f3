"""What links cost joint k-same, and how fast it groups: `python benchmarks/linked_outputs.py`.

Drawn people of the public population, rows only. An attacker holds all originals, reruns the mechanism and so reads the
group of every output for certain. `one`: he names the person of one output. `linked`: he is told which outputs are of
one person, and names one of those who are in all their groups. `again`: the same photographs are released a second time
together with a tenth more people, are grouped anew, and he is told which output of the second release is of which
output of the first. `s`: seconds of one core to group.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.privacy.joint import Joint, joint_k_same
from ganonym.types import Floats

WITHIN = 0.35
"""SD of photos of one person about their mean, in SD of the population; expressions have nothing in common."""


def photos_of(space: KeptSpace, people: int, photos: int, rng: np.random.Generator) -> tuple[Floats, list[str]]:
    """Rows (people · photos, D) and whose they are."""
    spread = np.linalg.cholesky(space.covariance + 1e-9 * np.eye(len(space.mean)))
    expressions = sum(name.startswith("expression") for name in space.names)
    owners = np.repeat(np.arange(people), photos)
    middle = (rng.standard_normal((people, len(space.mean))) @ spread.T)[owners]
    fresh = rng.standard_normal((len(owners), len(space.mean))) @ spread.T
    rows = middle + WITHIN * fresh
    rows[:, -expressions:] = fresh[:, -expressions:]
    return space.mean + rows, [f"s{owner}" for owner in owners]


def one(joint: Joint) -> float:
    """The rate at which the person of an output is named by its group alone."""
    return float((1.0 / joint.sizes[joint.group[joint.group >= 0]]).mean())


def linked(joint: Joint, owners: Sequence[str]) -> float:
    """… by the groups of all outputs of the person, averaged over people."""
    groups: dict[str, set[int]] = {}
    for owner, number in zip(owners, joint.group.tolist(), strict=True):
        if number >= 0:
            groups.setdefault(owner, set()).add(number)
    crowds = [set(people) for people in joint.people]
    return float(np.mean([1.0 / len(set.intersection(*(crowds[g] for g in own))) for own in groups.values()]))


def again(first: Joint, second: Joint) -> float:
    """… by the groups of one photograph in two releases; `second` has the photos of `first` before others."""
    rates = []
    for a, b in zip(first.group.tolist(), second.group.tolist(), strict=False):
        if a >= 0 and b >= 0:
            rates.append(1.0 / len(np.flatnonzero((first.group == a) & (second.group[: len(first.group)] == b))))
    return float(np.mean(rates))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=350)
    parser.add_argument("--photos", type=int, nargs="+", default=[1, 2, 3, 5])
    parser.add_argument("-k", type=int, nargs="+", default=[5, 11, 20])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    space = kept_space()
    print("| k | photos a person | groups | one | linked | again | s |\n|" + "---|" * 7)
    for k in asked.k:
        for photos in asked.photos:
            cells = []
            for seed in range(asked.seeds):
                rng = np.random.default_rng(seed)
                rows, owners = photos_of(space, asked.people, photos, rng)
                more, names = photos_of(space, asked.people // 10, photos, rng)
                start = time.perf_counter()
                joint = joint_k_same(rows, owners, None, space, k)
                seconds = time.perf_counter() - start
                larger = np.concatenate([rows, more]), [*owners, *(f"new {name}" for name in names)]
                second = joint_k_same(*larger, None, space, k)
                cells.append([len(joint.sizes), one(joint), linked(joint, owners), again(joint, second), seconds])
            groups, *rates, seconds = np.mean(cells, axis=0)
            row = " | ".join(f"{rate:.3f}" for rate in rates)
            print(f"| {k} | {photos} | {groups:.0f} | {row} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
