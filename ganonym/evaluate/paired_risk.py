"""Is one run riskier than another for the same people? Read from their trials.parquet, paired by subject."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault
from ganonym.statistics.bootstrap import paired_bootstrap
from ganonym.statistics.estimate import Estimate

SEED = 7
"""Of the resamples: a comparison of the same runs is always the same."""


def risk_by_subject(trials: Path, attacker: str, setting: str) -> dict[str, float]:
    """Per subject's pseudonym, the probability that `attacker` names any of his photos in `setting` at first guess.

    Where t candidates are equally near, the first is any of them. Raises EnvironmentFault when `trials` cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(
            trials,
            columns=["subject", "ahead", "tied"],
            filters=[("attacker", "==", attacker), ("setting", "==", setting)],
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise EnvironmentFault(f"cannot read the trials in {trials}: {error}", "Run ganonym assess again.") from error
    missed: dict[str, float] = {}
    for subject, ahead, tied in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        hit = min(max((1 - ahead) / max(tied, 1), 0.0), 1.0)
        missed[subject] = missed.get(subject, 1.0) * (1.0 - hit)
    return {subject: 1.0 - chance for subject, chance in missed.items()}


def difference(risks: Mapping[str, float], reference: Mapping[str, float]) -> tuple[Estimate, int] | None:
    """How many more of the people under attack in both runs are named in the first; and how many people those are.

    The same resampled people in both (paired bootstrap), so that what the runs have in common cancels. None without
    people in common: other people, or trials of another seed, under which pseudonyms differ.
    """
    names = sorted(set(risks) & set(reference))
    if not names:
        return None
    one, other = (np.array([each[name] for name in names]) for each in (risks, reference))

    def mean(values: NDArray[np.float64], people: NDArray[np.intp]) -> float:
        return float(values[people].mean())

    found = paired_bootstrap(
        lambda people: mean(one, people), lambda people: mean(other, people), names, np.random.default_rng(SEED)
    )
    return found, len(names)
