"""Syndromes: identity keeps them, shuffled outputs lose them, and what originals do not show is not evaluated."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ganonym.classify.learning.small_network import SmallNetwork
from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.families import groups, utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.syndrome import Diagnosed, diagnose, syndromes

HASTY = SmallNetwork(epochs=1)
CELLS = ("trained on originals, tested on released", "trained on released, tested on originals")


def found(inputs: UtilityInputs) -> tuple[Diagnosed | None, dict[str, Utility]]:
    diagnosed = diagnose(inputs, 0, HASTY)
    rows = syndromes(inputs, diagnosed, np.random.default_rng(0))
    return diagnosed, {row.name: row for row in rows}


def test_identity_is_kept_and_strangers_are_lost(cohort: SimpleNamespace) -> None:
    _, same = found(cohort.inputs(cohort.points))
    _, other = found(cohort.inputs(cohort.of_others()))
    for cell in CELLS:
        kept, lost = (rows[f"macro top-1 by landmarks, {cell}"] for rows in (same, other))
        assert kept.decision == "kept"
        assert kept.difference is not None
        assert kept.original is not None
        assert kept.difference.value == 0.0
        assert kept.original == kept.released
        assert kept.original.low > 0.5
        assert lost.decision == "lost"
        assert lost.released is not None
        assert lost.released.low < 0.25 < lost.released.high + 0.1
        assert other[f"macro F1 by landmarks, {cell}"].decision == "lost"
    calibration = same[f"calibration error by landmarks, {CELLS[0]}"]
    assert calibration.decision == "reported"
    grey = same["macro top-1 by pixels"]
    assert grey.decision == "not evaluated"
    assert "not above chance (0.250)" in grey.note
    assert not any("top-5" in name for name in same)


def test_withheld_photos_count_as_wrong(cohort: SimpleNamespace) -> None:
    shown = [points if index % 2 else None for index, points in enumerate(cohort.points)]
    diagnosed, rows = found(cohort.inputs(shown))
    row = rows[f"macro top-1 by landmarks, {CELLS[0]}"]
    assert row.released is not None
    assert row.original is not None
    assert diagnosed is not None
    expected = diagnosed.calls["landmarks"]["OO"].right()[1::2].mean() / 2
    assert row.released.value == pytest.approx(expected)
    assert row.decision == "lost"


def test_rare_classes_apart_and_single_subjects_left_out(cohort: SimpleNamespace) -> None:
    names = {"PHANTOM-FAS": 3, "PHANTOM-NS": 1}
    seen: dict[str | None, set[str]] = {}
    keep = []
    for index, row in enumerate(cohort.rows):
        people = seen.setdefault(row.syndrome, set())
        if row.subject in people or len(people) < names.get(row.syndrome, 20):
            people.add(row.subject)
            keep.append(index)
    small = replace(cohort, rows=tuple(cohort.rows[i] for i in keep), points=tuple(cohort.points[i] for i in keep))
    diagnosed, rows = found(small.inputs(small.points))
    assert diagnosed is not None
    assert diagnosed.names == ("PHANTOM-CONTROL", "PHANTOM-FAS", "PHANTOM-WBS")
    assert "1 syndromes of a single subject are left out" in rows["macro top-1 by pixels"].note
    frequent = rows[f"macro top-1 of frequent syndromes by landmarks, {CELLS[0]}"]
    rare = rows[f"macro top-1 of rare syndromes (up to 6 subjects) by landmarks, {CELLS[0]}"]
    right = diagnosed.calls["landmarks"]["OO"].right()
    assert rare.original is not None
    assert frequent.original is not None
    assert rare.original.value == pytest.approx(right[diagnosed.classes == 1].mean())
    assert frequent.original.value == pytest.approx(
        np.mean([right[diagnosed.classes == label].mean() for label in (0, 2)])
    )


def test_without_syndromes_it_says_so(cohort: SimpleNamespace) -> None:
    nameless = replace(cohort, rows=tuple(replace(row, syndrome=None) for row in cohort.rows))
    diagnosed, rows = found(nameless.inputs(nameless.points))
    assert diagnosed is None
    assert [row.decision for row in rows.values()] == ["not evaluated"]


def test_groups_below_the_minimum_carry_no_number(cohort: SimpleNamespace) -> None:
    inputs = cohort.inputs(cohort.of_others())
    diagnosed = diagnose(inputs, 0, HASTY)
    rows = {row.name: row for row in groups(inputs, diagnosed, np.random.default_rng(0))}
    small = rows["syndrome PHANTOM-WBS"]  # 20 subjects
    assert small.decision == "not evaluated"
    assert small.original is None
    assert small.released is None
    assert "20" not in small.note
    assert rows["site here: photos of which a picture with a face was released"].decision == "kept"
    assert rows[
        "site here: syndromes called right by landmarks, trained on released, tested on originals"
    ].decision == ("lost")
    sizes = {f"sex {sex}": len({row.subject for row in cohort.rows if row.sex == sex}) for sex in ("female", "male")}
    for name, size in sizes.items():
        assert (name in rows) == (size < 30)
    assert not any("ethnicity" in name for name in rows)


def test_the_whole_is_a_function_of_inputs_and_seed(cohort: SimpleNamespace) -> None:
    part = replace(cohort, rows=cohort.rows[28:52], points=cohort.points[28:52])
    inputs = part.inputs(part.points)
    rows = utility(inputs, 5)
    assert rows == utility(inputs, 5)
    assert [row.model_dump_json() for row in rows]
    families = list(dict.fromkeys(row.family for row in rows))
    assert families == ["syndrome", "dysmorphology", "expression", "fidelity", "landmarks", "pose", "detectability",
                        "picture", "realism", "group"]  # fmt: skip
    assert len({(row.family, row.name) for row in rows}) == len(rows)
    with pytest.raises(ValueError, match="no photo"):
        utility(replace(part, rows=(), points=()).inputs(()), 5)
