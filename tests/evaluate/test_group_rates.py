"""Rates by group are those of the subjects in it, by the attacker who is worst for them; small cells carry none."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.metrics.strata import group_findings, group_of, hits_of
from ganonym.evaluate.protocol import OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.scores import Scores
from ganonym.manifest import Row


def rows(count: int) -> list[Row]:
    """Women with even numbers, men with odd ones; one person of unknown sex at the end."""
    people = [Row(f"{n}.png", f"s{n:02d}", sex="female" if n % 2 == 0 else "male", age=20.0 + n) for n in range(count)]
    return [*people, Row("x.png", "unknown")]


def test_hits_are_those_of_the_subject_over_all_photos() -> None:
    distances = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    owners = np.array(["b", "b", "a"])
    scores = Scores("any", "T0", OTHER_PHOTO, distances, owners, np.array(["a", "b"]), np.arange(3))
    assert hits_of(scores) == {"a": 0.5, "b": 1.0}


def test_each_group_has_its_own_worst_attacker() -> None:
    people = rows(80)
    named = [row.subject for row in people]
    hits = {
        ("women's", OTHER_PHOTO): {name: float(n % 2 == 0 and n < 40) for n, name in enumerate(named)},
        ("men's", OTHER_PHOTO): {name: float(n % 2 == 1 and n < 10) for n, name in enumerate(named)},
        ("women's", SAME_PHOTO): dict.fromkeys(named, 0.0),
    }
    results = {
        (finding.column, finding.group, finding.setting): finding
        for finding in group_findings(people, hits, (OTHER_PHOTO, SAME_PHOTO), smallest=30)
    }
    women, men = results["sex", "female", OTHER_PHOTO], results["sex", "male", OTHER_PHOTO]
    assert women.rank1 is not None
    assert men.rank1 is not None
    assert (women.attacker, women.rank1.value, women.rank1.n) == ("women's", 0.5, 40)
    assert (men.attacker, men.rank1.value, men.subjects) == ("men's", 5 / 40, 40)
    assert results["sex", "female", SAME_PHOTO].rank1 is not None
    assert ("sex", "unknown", OTHER_PHOTO) not in results


def test_small_groups_are_listed_without_a_rate() -> None:
    people = rows(40)
    hits = {("any", OTHER_PHOTO): {row.subject: 1.0 for row in people}}
    results = [
        finding for finding in group_findings(people, hits, (OTHER_PHOTO,), smallest=30) if finding.column == "sex"
    ]
    assert [(entry.group, entry.subjects, entry.attacker, entry.rank1) for entry in results] == [
        ("female", 20, None, None),
        ("male", 20, None, None),
    ]


def test_a_column_with_one_group_says_nothing() -> None:
    people = [Row(f"{n}.png", f"s{n}", sex="female") for n in range(40)]
    hits = {("any", OTHER_PHOTO): {row.subject: 1.0 for row in people}}
    assert group_findings(people, hits, (OTHER_PHOTO,), smallest=30) == []


@pytest.mark.parametrize(("age", "band"), [(19.9, "0-19"), (20.0, "20-39"), (61.0, "60-79"), (None, None)])
def test_ages_come_in_bands(age: float | None, band: str | None) -> None:
    assert group_of(Row("a.png", "s", age=age), "age") == band
