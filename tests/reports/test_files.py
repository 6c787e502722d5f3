"""assessment.json and trials.parquet: what is written comes back, the same bytes each time, faults are told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import invented

from ganonym.errors import UsageError
from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.metrics.ranking import Trials, trials_of
from ganonym.evaluate.report.files import salted, to_json, trials_file, write_assessment
from ganonym.evaluate.scores import Scores

SALT = bytes(range(32))


def test_an_assessment_survives_the_file(tmp_path: Path) -> None:
    before = invented()
    write_assessment(tmp_path / "out" / "assessment.json", before)
    assert Assessment.load(tmp_path / "out") == before == Assessment.load(tmp_path / "out" / "assessment.json")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["assessment.json"]


def test_keys_are_sorted_whatever_order_they_came_in() -> None:
    one, other = invented(), invented()
    turned = other.provenance.model_copy(update={"versions": dict(reversed(other.provenance.versions.items()))})
    assert to_json(one) == to_json(other.model_copy(update={"provenance": turned}))
    text = to_json(one).decode()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert text.endswith("}\n")


def test_numbers_that_json_lacks_are_refused() -> None:
    broken = invented().findings[0].model_copy(update={"p_value": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json(invented(findings=(broken,)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[: len(data) // 2], "is no JSON"),
        (lambda data: b"\xff\xfe" + data, "is no JSON"),
        (lambda _: b"[]", "schema version None"),
        (lambda data: data.replace(b'"schema_version": 1', b'"schema_version": 2'), "schema version 2"),
        (lambda data: data.replace(b'"verdict": "PASS"', b'"verdict": "FINE"'), "verdict"),
        (lambda data: data.replace(b'"headline"', b'"slogan"'), "slogan"),
        (lambda data: data.replace(b'"p_value": 0.21', b'"p_value": NaN'), "NaN"),
    ],
)  # fmt: skip
def test_broken_files_are_told(tmp_path: Path, change: object, said: str) -> None:
    path = tmp_path / "assessment.json"
    path.write_bytes(change(to_json(invented())))  # type: ignore[operator]
    with pytest.raises(UsageError, match=said) as told:
        Assessment.load(path)
    assert str(path) in told.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        Assessment.load(tmp_path / "nowhere")


def test_the_schema_knows_every_field() -> None:
    schema = Assessment.model_json_schema()
    assert set(schema["properties"]) == set(json.loads(to_json(invented())))
    assert schema["additionalProperties"] is False


def scores(seed: int, people: int = 12, attacker: str = "dlib", setting: str = "other photo") -> Scores:
    """Distances of two photos a person, with ties, missing candidates and failed probes."""
    rng = np.random.default_rng(seed)
    names = np.array([f"person {number}" for number in range(people)])
    owners = np.repeat(names, 2)
    distances = np.round(rng.random((2 * people, people)), 1)
    distances[rng.random(distances.shape) < 0.05] = np.nan
    distances[rng.integers(2 * people)] = np.nan
    return Scores(attacker, "T1", setting, distances, owners, names, np.arange(2 * people))


def write_trials(path: Path, trials: Iterable[Trials], photos: list[str], salt: bytes) -> None:
    with trials_file(path, photos, salt) as write:
        for attack in trials:
            write(attack)


def masked(entry: Scores) -> Scores:
    """The same among people of one half only, as where released columns narrow the gallery."""
    half = np.arange(len(entry.gallery)) % 2
    return replace(entry, mask=half[entry.truth][:, None] == half)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans())
def test_rank1_and_cmc_can_be_computed_again(
    tmp_path_factory: pytest.TempPathFactory, seed: int, narrowed: bool
) -> None:
    result = masked(scores(seed)) if narrowed else scores(seed)
    path = tmp_path_factory.mktemp("trials") / "trials.parquet"
    write_trials(path, [trials_of(result)], [f"{number}.png" for number in range(24)], SALT)
    rows = pq.read_table(path).to_pydict()
    wanted = finding(result, np.random.default_rng(0), rounds=10)
    assert set(rows["candidates"]) == {6 if narrowed else 12}
    for place in (1, 3, 12):
        misses: dict[str, float] = {}
        for subject, ahead, tied in zip(rows["subject"], rows["ahead"], rows["tied"], strict=True):
            misses[subject] = misses.get(subject, 1.0) * (1.0 - min(max((place - ahead) / tied, 0.0), 1.0))
        rate = 1.0 - sum(misses.values()) / len(misses)
        assert rate == pytest.approx(wanted.cmc[place - 1])
    assert sum(rows["failed"]) == wanted.failures
    assert wanted.rank1.value == pytest.approx(wanted.cmc[0])


def test_match_rates_can_be_computed_again(tmp_path: Path) -> None:
    result = scores(5)
    write_trials(tmp_path / "t.parquet", [trials_of(result)], [f"{number}.png" for number in range(24)], SALT)
    rows = pq.read_table(tmp_path / "t.parquet").to_pydict()
    own = result.distances[np.arange(24), result.truth]
    others = np.array(result.distances)
    others[np.arange(24), result.truth] = np.nan
    accepted = [entry is not None and entry <= 0.3 for entry in rows["mated"]]
    assert accepted == np.nan_to_num(own <= 0.3).tolist()
    for nearest, row in zip(rows["nearest_other"], others, strict=True):
        assert nearest == (None if np.isnan(row).all() else np.nanmin(row))


def test_bytes_are_the_same_and_each_attack_has_its_row_group(tmp_path: Path) -> None:
    photos = [f"{number}.png" for number in range(24)]
    for name in ("a", "b"):
        attacks = (
            trials_of(scores(seed, setting=setting)) for seed, setting in enumerate(("other photo", "same photo"))
        )
        write_trials(tmp_path / name, attacks, photos, SALT)
        assert pq.read_table(tmp_path / name).num_rows == 48
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    file = pq.ParquetFile(tmp_path / "a")
    assert file.num_row_groups == 2
    assert file.read_row_group(1)["setting"].to_pylist() == ["same photo"] * 24


def test_names_of_photos_and_subjects_are_not_in_the_file(tmp_path: Path) -> None:
    write_trials(tmp_path / "t", [trials_of(scores(1))], [f"canary-{number}.png" for number in range(24)], SALT)
    table = pq.read_table(tmp_path / "t")
    assert table["subject"][0].as_py() == salted("subject", "person 0", SALT) != salted("photo", "person 0", SALT)
    everything = (tmp_path / "t").read_bytes() + str(table.to_pydict()).encode()
    assert b"canary" not in everything
    assert b"person" not in everything
    write_trials(
        tmp_path / "other", [trials_of(scores(1))], [f"canary-{number}.png" for number in range(24)], SALT[::-1]
    )
    assert set(pq.read_table(tmp_path / "other")["photo"].to_pylist()).isdisjoint(table["photo"].to_pylist())


def test_a_short_salt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        write_trials(tmp_path / "t", [trials_of(scores(1))], [""] * 24, b"1234")


def test_an_interrupted_run_leaves_no_file(tmp_path: Path) -> None:
    def breaking() -> Iterator[Trials]:
        yield trials_of(scores(1))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_trials(tmp_path / "t", breaking(), [""] * 24, SALT)
    assert list(tmp_path.iterdir()) == []
