"""How good and how fast the groups of joint k-same are: `python benchmarks/grouping.py`.

Rows are drawn from the bundled population, photos of one person differing by `WITHIN` of it. *Size*: photos in a group,
mean; *scatter*: what groups take from the rows, as a share of what MDAV alone takes; then the correlation of kept
coordinates of a photo and of its group, averaged over signs, and of tone, age, sex and expression.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.privacy.crowds import _mdav, crowds, scatter_of
from ganonym.privacy.population import population_draw
from ganonym.types import Floats

WITHIN = 0.3
COHORTS = ((33, 2), (60, 1), (120, 2), (350, 1), (350, 2), (1000, 1), (1000, 2), (2000, 1))
"""People, and photos of each."""
KINDS = ("sign", "tone", "age", "sex", "expression")


def kept(space: KeptSpace, before: Floats, groups: Floats) -> list[float]:
    """Correlation of kept coordinates (n, d) and the mean of the group of each, by kind of axis."""
    means = np.array([before[groups == number].mean(axis=0) for number in range(int(groups.max()) + 1)])
    released = groups >= 0
    own, shown = before[released], means[groups[released]]
    rates = [
        float(np.corrcoef(one, other)[0, 1]) if other.std() > 1e-9 else 0.0
        for one, other in zip(own.T, shown.T, strict=True)
    ]
    kinds = [name.split()[0] for name in space.names]
    return [float(np.mean([r for r, kind in zip(rates, kinds, strict=True) if kind == wanted])) for wanted in KINDS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    space = kept_space()
    print(f"k = {arguments.k}")
    print(
        f"{'people':>7}{'photos':>7}{'size':>7}{'scatter':>9}{'seconds':>9}" + "".join(f"{kind:>11}" for kind in KINDS)
    )
    for people, photos in COHORTS:
        rng = np.random.default_rng([arguments.seed, people, photos])
        owners = np.repeat(np.arange(people), photos)
        rows = population_draw(rng, space.covariance, people)[owners]
        rows = rows + WITHIN * population_draw(rng, space.covariance, len(owners))
        order = np.lexsort(rows.T[::-1])
        rows, owners = rows[order], owners[order]
        before = rows @ space.axes.T
        places = before * space.weights
        start = time.perf_counter()
        groups = crowds(places, owners, arguments.k)
        seconds = time.perf_counter() - start
        share = scatter_of(places, groups) / scatter_of(places, _mdav(places, owners, arguments.k))
        size = (groups >= 0).sum() / (groups.max() + 1)
        print(
            f"{people:7}{photos:7}{size:7.1f}{share:9.3f}{seconds:9.2f}"
            + "".join(f"{rate:11.2f}" for rate in kept(space, before, groups)),
            flush=True,
        )


if __name__ == "__main__":
    main()
