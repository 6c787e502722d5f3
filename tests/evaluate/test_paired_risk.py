"""Paired differences: read from trials, over the same people, narrower than what two intervals say apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from ganonym.errors import EnvironmentFault
from ganonym.evaluate.compare import difference, risk_by_subject
from ganonym.evaluate.metrics.ranking import trials_of
from ganonym.evaluate.metrics.strata import hits_of
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO
from ganonym.evaluate.report.files import salted, trials_file
from ganonym.evaluate.scores import Scores

SALT = b"0123456789abcdef"
PEOPLE = 60


def scores(seed: int, attacker: str = "x", setting: str = OTHER_PHOTO, named: int = 20) -> Scores:
    """Two photos of everybody; the first `named` people are found on one of them, ties among whole distances."""
    rng = np.random.default_rng(seed)
    owners = np.repeat([f"p{index:02d}" for index in range(PEOPLE)], 2)
    distances = rng.integers(5, 9, (2 * PEOPLE, PEOPLE)).astype(float)
    distances[np.arange(0, 2 * named, 2), np.arange(named)] = 1.0
    return Scores(attacker, "T0", setting, distances, owners, np.unique(owners), np.arange(2 * PEOPLE))


def test_risks_are_those_of_the_scores(tmp_path: Path) -> None:
    wanted = scores(1)
    path = tmp_path / "trials.parquet"
    photos = [f"{index}.png" for index in range(2 * PEOPLE)]
    with trials_file(path, photos, SALT) as write:
        for scored in (scores(2, "y"), wanted, scores(3, "x", ANONYMIZED)):
            write(trials_of(scored))
    result = risk_by_subject(path, "x", OTHER_PHOTO)
    assert result == pytest.approx({salted("subject", name, SALT): hit for name, hit in hits_of(wanted).items()})
    assert risk_by_subject(path, "z", OTHER_PHOTO) == {}


def test_what_runs_share_cancels() -> None:
    """30 people are named in both, 8 more in one: McNemar's exact test is sure, and so is the paired interval."""
    names = [f"p{index}" for index in range(100)]
    many = {name: float(index < 38) for index, name in enumerate(names)}
    few = {name: float(index < 30) for index, name in enumerate(names)}
    told = difference(many, few)
    assert told is not None
    result, subjects = told
    assert (result.value, subjects) == (pytest.approx(0.08), 100)
    assert binomtest(8, 8).pvalue < 0.05
    assert result.low > 0
    back = difference(few, many)
    assert back is not None
    assert back[0].value == pytest.approx(-0.08)


def test_other_people_are_no_pairs() -> None:
    assert difference({"a": 1.0}, {"b": 1.0}) is None
    told = difference({"a": 1.0, "b": 0.0}, {"b": 0.0, "c": 1.0})
    assert told is not None
    assert told[1] == 1


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trials.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(EnvironmentFault, match=r"trials\.parquet"):
        risk_by_subject(path, "x", OTHER_PHOTO)
