"""A second batch must not break the first: nobody twice, and what cannot be known is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_pipeline import PIPELINE, save_photo

from ganonym.batch.job import BatchJob, released_before
from ganonym.batch.run import run_batch
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3, mechanism="k-same")


def batch(root: Path, people: dict[str, int], start: int = 0) -> Path:
    """A folder of photographs and its manifest: subject → number of photos."""
    lines, number = [], start
    for subject, photos in people.items():
        for _ in range(photos):
            save_photo(root / "in" / f"{number}.png", number)
            lines.append((f"{number}.png", subject))
            number += 1
    with (root / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "subject"), *lines])
    return root


def released(out: Path) -> dict[str, str]:
    with (out / "private/keymap.csv").open(newline="") as file:
        return {row["source"]: row["subject"] for row in csv.DictReader(file)}


def withheld(out: Path) -> dict[str, str]:
    with (out / "private/quarantine.csv").open(newline="") as file:
        return {row["source"]: row["reason"] for row in csv.DictReader(file)}


def job_after(first: Path, second: Path) -> BatchJob:
    return BatchJob(second / "in", second / "out", SERIAL, manifest=second / "m.csv", after=[first / "out"])


def test_the_second_batch_leaves_out_everybody_of_the_first(tmp_path: Path) -> None:
    first, second = batch(tmp_path / "1", dict.fromkeys("ABC", 1)), batch(tmp_path / "2", dict.fromkeys("CDEFG", 2), 50)
    (second / "in/999.png").write_bytes((first / "in/0.png").read_bytes())
    with (second / "m.csv").open("a", newline="") as file:
        csv.writer(file).writerow(("999.png", "A under another name"))
    run_batch(BatchJob(first / "in", first / "out", SERIAL, manifest=first / "m.csv"), PIPELINE)
    before = {path: path.read_bytes() for path in (first / "out").rglob("*") if path.is_file()}
    run_batch(
        BatchJob(second / "in", second / "out", SERIAL, manifest=second / "m.csv", after=[first / "out"]), PIPELINE
    )
    assert set(released(second / "out").values()) == set("DEFG")
    assert withheld(second / "out") == dict.fromkeys(("50.png", "51.png", "999.png"), "released-before")
    assert {path: path.read_bytes() for path in (first / "out").rglob("*") if path.is_file()} == before
    report = (second / "out/REPORT.md").read_text()
    assert "1 earlier releases" in report
    assert "1/4" in report, "the groups are of new people only"


def test_too_few_new_people_are_too_few(tmp_path: Path) -> None:
    first, second = batch(tmp_path / "1", dict.fromkeys("ABC", 1)), batch(tmp_path / "2", dict.fromkeys("ABCDE", 1), 50)
    run_batch(BatchJob(first / "in", first / "out", SERIAL, manifest=first / "m.csv"), PIPELINE)
    with pytest.raises(UsageError, match="too few for k = 3"):
        run_batch(
            BatchJob(second / "in", second / "out", SERIAL, manifest=second / "m.csv", after=[first / "out"]), PIPELINE
        )
    assert not list((second / "out/images").rglob("*.png"))


def test_an_earlier_release_that_cannot_be_read_stops_the_run(tmp_path: Path) -> None:
    first, second = batch(tmp_path / "1", dict.fromkeys("ABC", 1)), batch(tmp_path / "2", dict.fromkeys("DEF", 1), 50)
    with pytest.raises(UsageError, match="not an output folder"):
        run_batch(
            BatchJob(second / "in", second / "out", SERIAL, manifest=second / "m.csv", after=[first / "out"]), PIPELINE
        )
    run_batch(BatchJob(first / "in", first / "out", SERIAL, manifest=first / "m.csv"), PIPELINE)
    ledger = first / "out/private/ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"subject":"A"', '"subject":"X"', 1))
    with pytest.raises(EnvironmentFault, match="altered"):
        run_batch(
            BatchJob(second / "in", second / "out", SERIAL, manifest=second / "m.csv", after=[first / "out"]), PIPELINE
        )


def test_people_of_a_release_that_is_about_to_replace_another_count_with_those_of_the_other(tmp_path: Path) -> None:
    """Both were shared, or may have been."""
    old, new = batch(tmp_path / "1", dict.fromkeys("ABC", 1)), batch(tmp_path / "2", dict.fromkeys("CDE", 1), 50)
    for root in (old, new):
        run_batch(BatchJob(root / "in", root / "out", SERIAL, manifest=root / "m.csv"), PIPELINE)
    (new / "out").rename(old / "out/private/ready")
    assert released_before([old / "out"]).subjects == set("abcde")
    (old / "out/private/ledger.jsonl").unlink()
    assert released_before([old / "out"]).subjects == set("cde")


def test_a_release_is_not_made_after_itself(tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    for number in range(3):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    out = tmp_path / "out"
    run_batch(BatchJob(tmp_path / "in", out, SERIAL), PIPELINE)
    before = contents(out)
    for resume in (True, False):
        again = SERIAL.changed(resume=resume)
        with pytest.raises(UsageError, match="is the output folder itself"):
            run_batch(BatchJob(tmp_path / "in", out, again, after=[tmp_path / "in" / ".." / "out"]), PIPELINE)
    with pytest.raises(UsageError, match="Nothing is left to release"):
        run_batch(BatchJob(tmp_path / "in", tmp_path / "second", SERIAL, after=[out]), PIPELINE)
    assert contents(out) == before
