"""Other mechanisms than k-same, merged classes and reports, through the same batch."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tiny_pipeline import PIPELINE

from ganonym.batch.job import BatchJob
from ganonym.batch.run import run_batch
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_merged_classes_share_a_label_in_what_is_shared(photos: Path, key_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text(
        "image,subject,syndrome\n0.png,A,rare\n1.png,B,common\n2.png,C,common\nMüller Anna/two.png,D,common\n"
    )
    for settings, shown in ((SERIAL.changed(small_classes="merge"), 4), (SERIAL, 3)):
        out = tmp_path / settings.small_classes
        run_batch(BatchJob(photos, out, settings, manifest=table, key_file=key_file), PIPELINE)
        labels = [row["syndrome"] for row in rows(out / "manifest.csv")]
        assert labels == ["common or rare" if shown == 4 else "common"] * shown


@pytest.mark.parametrize("mechanism", ["codebook", "metric"])
def test_other_mechanisms_go_through_the_same_batch(photos: Path, tmp_path: Path, mechanism: str) -> None:
    settings = Settings(engine="serial", mechanism=mechanism, epsilon=0.5)  # type: ignore[arg-type]
    result = run_batch(BatchJob(photos, tmp_path / "out", settings), PIPELINE)
    assert (result.mechanism, result.anonymized) == (mechanism, 5)
    text = (tmp_path / "out/REPORT.md").read_text()
    assert "Attacked before it was released: the nearest original identity shape" in text
    assert ("within a factor exp(0.5·t)" in text) == (mechanism == "metric")


def test_report_repeats_the_guarantee_and_never_claims_anonymity(photos: Path, tmp_path: Path) -> None:
    result = run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    text = (tmp_path / "out/REPORT.md").read_text()
    assert result.guarantee in text
    assert "| verification | 1 |" in text
    assert "no manifest" in text
    assert "anonymous" not in text.lower()
    assert "gdpr" not in text.lower()


def test_too_few_people_get_the_codebook(photos: Path, tmp_path: Path) -> None:
    result = run_batch(BatchJob(photos, tmp_path / "out", Settings(engine="serial")), PIPELINE)
    assert result.mechanism == "codebook"
    assert "codebook: there are only" in (tmp_path / "out/REPORT.md").read_text()
