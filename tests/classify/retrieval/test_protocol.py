"""The four settings: drawn by patient, published splits read, accuracies those of a loop, leaks refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from ganonym.classify.case import Case
from ganonym.classify.metrics.rates import accuracies, places
from ganonym.classify.retrieval.protocol import Plan, Split, draw, evaluate, frequent_disorders, published
from ganonym.classify.retrieval.ranking import Encodings, by_image, by_patient
from ganonym.errors import UsageError


def cohort(people: dict[str, int], photos: int = 2) -> list[Case]:
    return [
        Case(f"{name}-{person}-{photo}", Path("x.png"), f"{name}-{person}", name)
        for name, number in people.items()
        for person in range(number)
        for photo in range(photos)
    ]


def encoded(cases: list[Case], signal: float, seed: int = 0, size: int = 24) -> Encodings:
    """Two encoders: a direction of the disorder, one of the person, and noise."""
    rng = np.random.default_rng(seed)
    names = sorted({case.disorder or "" for case in cases})
    way = {name: rng.normal(size=(2, size)) for name in names}
    person = {subject: rng.normal(size=(2, size)) for subject in sorted({case.subject for case in cases})}
    rows = np.array([signal * way[case.disorder or ""] + person[case.subject] for case in cases])
    rows += 0.3 * rng.normal(size=rows.shape)
    return Encodings(tuple(case.image for case in cases), (rows[:, 0], rows[:, 1]))


COHORT = {"A": 12, "B": 9, "C": 8, "x": 4, "y": 3, "z": 2}


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 12), min_size=2), st.integers(0, 99))
def test_splits_part_patients_and_test_every_disorder(people: dict[str, int], seed: int) -> None:
    cases = cohort(people)
    frequent = frequent_disorders(cases)
    assert frequent == tuple(sorted(name for name, number in people.items() if number > 6))
    plan = draw(cases, frequent, seed)
    assert {image[0] for image in plan.left_out} == {name for name, number in people.items() if number == 1}
    assert (plan.frequent is not None) == bool(frequent)
    rare = {name for name, number in people.items() if 1 < number <= 6}
    assert len(plan.rare) == (10 if rare else 0)
    for split, names in [(plan.frequent, set(frequent)), *((entry, rare) for entry in plan.rare)]:
        if split is None:
            continue
        for part in (split.gallery, split.test):
            assert {cases[index].disorder for index in part} == names
        assert not {cases[index].subject for index in split.gallery} & {cases[index].subject for index in split.test}
        both = sorted([*split.gallery, *split.test])
        assert both == [index for index, case in enumerate(cases) if case.disorder in names]


def test_shares_are_of_patients_and_rare_splits_differ() -> None:
    cases = cohort(COHORT)
    plan = draw(cases, frequent_disorders(cases), 1)
    assert plan.frequent is not None
    assert len(plan.frequent.test) == 2 * 3  # a tenth of 12, 9 and 8 patients, two photos each
    assert len({tuple(split.test.tolist()) for split in plan.rare}) > 3
    half = draw(cases, frequent_disorders(cases), 1, frequent_share=0.5)
    assert half.frequent is not None
    assert len(half.frequent.test) == 2 * (6 + 4 + 4)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(20)))
def test_the_order_of_cases_decides_nothing_the_seed_all(order: list[int]) -> None:
    cases = cohort({"A": 7, "x": 3})
    mixed = [cases[index] for index in order]

    def tested(table: list[Case], seed: int) -> list[set[str]]:
        plan = draw(table, ["A"], seed)
        assert plan.frequent is not None
        return [{table[index].image for index in split.test} for split in (plan.frequent, *plan.rare)]

    assert tested(cases, 5) == tested(mixed, 5)
    assert len({str(sorted(map(sorted, tested(cases, seed)))) for seed in range(5)}) > 1


def loop(cases: list[Case], encodings: Encodings, splits: list[Split], k: int) -> float:
    """The published evaluation written out: mean over splits of the mean over disorders of the top-k hits."""
    row = {image: index for index, image in enumerate(encodings.images)}
    values = []
    for split in splits:
        hits: dict[str, list[bool]] = {}
        for probe in split.test:
            distance = {}
            for other in split.gallery:
                one = [
                    cdist(vector[[row[cases[probe].image]]], vector[[row[cases[other].image]]], "cosine")[0, 0]
                    for vector in encodings.vectors
                ]
                name = cases[other].disorder or ""
                distance[name] = min(distance.get(name, 9.0), float(np.mean(one)))
            first = sorted(distance, key=distance.__getitem__)[:k]
            hits.setdefault(cases[probe].disorder or "", []).append(cases[probe].disorder in first)
        values.append(np.mean([np.mean(hit) for hit in hits.values()]))
    return float(np.mean(values))


def test_accuracies_are_those_of_a_loop() -> None:
    cases = cohort({"A": 8, "B": 7, "x": 4, "y": 3, "z": 2})
    shuffled = np.random.default_rng(3).permutation(len(cases))
    cases = [cases[index] for index in shuffled]
    encodings = encoded(cases, 0.35)
    encodings = Encodings(encodings.images[::-1], tuple(vector[::-1] for vector in encodings.vectors))
    plan = draw(cases, ["A", "B"], 2, splits=3, frequent_share=0.3)
    results = {entry.setting: entry for entry in evaluate(plan, cases, encodings, np.random.default_rng(0), rounds=60)}
    assert list(results) == ["F/F", "R/R", "F/F+R", "R/F+R"]
    assert plan.frequent is not None
    both = [np.concatenate([plan.frequent.gallery, split.gallery]) for split in plan.rare]
    settings_ = {
        "F/F": [plan.frequent],
        "R/R": list(plan.rare),
        "F/F+R": [Split(gallery, plan.frequent.test) for gallery in both],
        "R/F+R": [Split(gallery, split.test) for gallery, split in zip(both, plan.rare, strict=True)],
    }
    values = []
    for name, splits in settings_.items():
        assert list(results[name].top) == [1], "of five disorders at most five are listed"
        assert results[name].top[1].value == pytest.approx(loop(cases, encodings, splits, 1)), name
        assert results[name].top[1].low <= results[name].top[1].value <= results[name].top[1].high
        assert results[name].gallery == np.mean([len(split.gallery) for split in splits])
        assert results[name].test == np.mean([len(split.test) for split in splits])
        assert results[name].candidates == {"F/F": 2, "R/R": 3}.get(name, 5)
        values.append(results[name].top[1].value)
    assert min(values) > 0  # no floor, and all four settings differ, or this shows nothing
    assert len(set(values)) == 4


def test_a_planted_signal_is_found_and_none_is_chance() -> None:
    cases = cohort({name: 6 for name in "abcdefgh"})
    plan = draw(cases, [], 4)
    with_it, without = (
        evaluate(plan, cases, encoded(cases, signal), np.random.default_rng(1), rounds=50)[0] for signal in (2.0, 0.0)
    )
    assert with_it.setting == "R/R"
    assert with_it.top[1].value > 0.9
    assert without.top[1].value == pytest.approx(1 / 8, abs=0.08)
    assert without.top[1].low < 1 / 8 < without.top[1].high


def test_intervals_are_those_of_the_bootstrap_over_the_patients_tested() -> None:
    """One split, so that the mean over splits is the plain macro recall, and its interval known; twice, the same."""
    cases = cohort({"A": 9, "B": 8, "C": 7}, photos=3)
    encodings = encoded(cases, 0.35)
    split = draw(cases, ["A", "B", "C"], 3, frequent_share=0.6).frequent
    assert split is not None
    (result,) = evaluate(Plan(split, ()), cases, encodings, np.random.default_rng(7), rounds=120)
    twice = evaluate(Plan(None, (split, split)), cases, encodings, np.random.default_rng(7), rounds=120)[0]
    disorders = np.array([ord(case.disorder or "") for case in cases]) - ord("A")
    subjects = [case.subject for case in cases]
    _, ranking = by_image(encodings.vectors, disorders, subjects)(split.test, split.gallery)
    rank = places(ranking.disorders, disorders[split.test], 3)
    people = [subjects[row] for row in split.test]
    expected = accuracies(rank, disorders[split.test], people, 3, np.random.default_rng(7), 120)[1]
    for estimate in (result.top[1], twice.top[1]):
        assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert 0 < expected.low < expected.high < 1


def test_photos_of_a_patient_together_are_counted_by_patient() -> None:
    cases = cohort({name: 5 for name in "abcdef"}, photos=4)
    rng = np.random.default_rng(5)
    way = {name: rng.normal(size=16) for name in "abcdef"}
    rows = np.array([way[case.disorder or ""] + 2.0 * rng.normal(size=16) for case in cases])  # noise of the photo
    encodings = Encodings(tuple(case.image for case in cases), (rows,))
    plan = draw(cases, [], 4)
    alone = evaluate(plan, cases, encodings, rng, rounds=50)[0]
    together = evaluate(plan, cases, encodings, rng, by_patient, rounds=50)[0]
    assert (alone.test, together.test) == (24, 6)
    assert together.top[1].value > alone.top[1].value + 0.05


def test_published_splits_are_read() -> None:
    cases = [
        replace(case, split=split)
        for case, split in zip(
            cohort({"A": 4}, 1) + cohort({"x": 2}, 1) * 2,
            ["train", "val", "gallery", "test", "gallery 2", "test 2", "test 10", "gallery 10"],
            strict=True,
        )
    ]
    plan = published(cases)
    assert plan.frequent is not None
    assert (plan.frequent.gallery.tolist(), plan.frequent.test.tolist()) == ([0, 1, 2], [3])
    assert [(entry.gallery.tolist(), entry.test.tolist()) for entry in plan.rare] == [([4], [5]), ([7], [6])]
    result = evaluate(plan, cases, encoded(cases[:6], 2.0), np.random.default_rng(0), rounds=20)
    assert [entry.splits for entry in result] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (["train", "test", None], r"x-2-0 \(None\)"),
        (["train", "test", "holdout"], "holdout"),
        (["train", "train", "gallery"], "no test"),
        (["test 1", "test", "gallery"], "split 1 has no gallery"),
    ],
)
def test_splits_that_cannot_be_read_are_named(splits: list[str | None], message: str) -> None:
    cases = [replace(case, split=split) for case, split in zip(cohort({"x": 3}, 1), splits, strict=True)]
    with pytest.raises(UsageError, match=message):
        published(cases)


def test_subjects_in_gallery_and_test_are_refused_also_across_settings() -> None:
    def table(splits: list[str], subjects: str) -> list[Case]:
        parts = zip(splits, subjects, strict=True)
        return [Case(f"{i}", Path("x"), name, name, split=split) for i, (split, name) in enumerate(parts)]

    with pytest.raises(UsageError, match="gallery and test: q"):
        published(table(["gallery", "gallery", "test"], "pqq"))
    with pytest.raises(UsageError, match="gallery and test: p"):
        published(table(["gallery", "test", "gallery 1", "test 1"], "pqrp"))
    with pytest.raises(UsageError, match="1 images twice"):
        published([*table(["gallery", "test"], "pq"), *table(["gallery"], "p")])
    twice = cohort({"A": 2, "B": 2})
    with pytest.raises(UsageError, match="'A-0' has two disorders"):
        draw([replace(entry, subject="A-0") if entry.subject == "B-1" else entry for entry in twice], [], 0)
    with pytest.raises(UsageError, match="'A-0-0' appears twice"):
        draw([*twice, twice[0]], [], 0)


def test_missing_encodings_and_empty_plans_are_errors() -> None:
    cases = cohort({"A": 3, "B": 3})
    whole = encoded(cases, 1.0)
    part = Encodings(whole.images[1:], tuple(vector[1:] for vector in whole.vectors))
    with pytest.raises(UsageError, match="no encoding: A-0-0"):
        evaluate(draw(cases, [], 0), cases, part, np.random.default_rng(0), rounds=5)
    with pytest.raises(UsageError, match="nothing to evaluate"):
        evaluate(Plan(None, ()), cases, whole, np.random.default_rng(0))


def test_a_disorder_that_the_gallery_lacks_is_missed() -> None:
    cases = cohort({"A": 2, "B": 2, "C": 1}, 1)
    plan = Plan(Split(np.array([0, 2]), np.array([1, 3, 4])), ())
    (result,) = evaluate(plan, cases, encoded(cases, 9.0), np.random.default_rng(0), rounds=50)
    assert result.top[1].value == pytest.approx(2 / 3)
    assert (result.candidates, result.disorders) == (2, 3)
