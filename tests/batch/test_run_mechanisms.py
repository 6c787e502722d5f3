"""Other mechanisms than k-same, merged classes, links between outputs and reports, through the same batch."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from tiny_pipeline import PIPELINE, save_photo

from ganonym.batch.job import BatchJob
from ganonym.batch.report import SHARED, fold_circles
from ganonym.batch.run import run_batch
from ganonym.privacy.guarantee import Guarantee
from ganonym.pseudonym import pseudonym
from ganonym.release_plan import ReleaseItem, ReleasePlan
from ganonym.settings import Link, Mechanism, Settings
from ganonym.types import Refusal

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
    assert "Attacked before it was released: " in text
    assert "with 99.9 % confidence; declared at most" in text
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


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder for each of seven people, two photos each, three of them of a second class; and their manifest."""
    lines = ["image,subject,syndrome"]
    for person in range(7):
        for photo in range(2):
            name = f"{person}/{photo}.png"
            save_photo(tmp_path / "in" / name, 10 * person + photo)
            lines.append(f"{name},{person},{'x' if person < 4 else 'y'}")
    (tmp_path / "people.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("mechanism", ["k-same", "codebook"])
def test_unless_asked_for_nothing_that_leaves_links_the_outputs_of_a_person(
    pairs: Path, key_file: Path, mechanism: Mechanism
) -> None:
    for link in get_args(Link):
        settings = Settings(engine="serial", mechanism=mechanism, k=3, link=link)
        run_batch(BatchJob(pairs / "in", pairs / link, settings, pairs / "people.csv", key_file), PIPELINE)
    owners = {row["output"]: row["subject"] for row in rows(pairs / "photo/private/keymap.csv")}
    shared = rows(pairs / "photo/manifest.csv")
    assert list(shared[0]) == ["image", "fold", "syndrome", "protection"]
    assert set(shared[0]) < set(SHARED), "the documentation describes every column"
    assert {row["image"].count("/") for row in shared} == {1}, "folders are people"
    if mechanism == "codebook":
        folds = {
            person: {row["fold"] for row in shared if owners[row["image"]] == person} for person in owners.values()
        }
        assert {len(own) for own in folds.values()} == {1}, "all photos of a person are in one fold"
        assert sorted(int(fold) for own in folds.values() for fold in own) == [0, 0, 1, 1, 2, 3, 4]
    else:  # both classes have two groups, of four photos and of three: of no person two, and no more people
        assert sorted(Counter(row["fold"] for row in shared).values()) == [3, 3, 4, 4]
    said = {path.name: path.read_text() for path in (pairs / "photo").iterdir() if path.is_file()}
    key = key_file.read_bytes()
    for person in range(7):
        assert not any(pseudonym(key, "subject", str(person)) in text for text in said.values())
    assert "nothing says which outputs are of one person" in said["REPORT.md"]
    linked = rows(pairs / "subject/manifest.csv")
    assert list(linked[0]) == ["image", "subject", "syndrome", "protection"]
    assert len({row["subject"] for row in linked}) == 7
    assert len({row["image"].split("/")[1] for row in linked}) == 7


def test_a_fold_keeps_a_group_together_and_says_no_more() -> None:
    """Two people of two photos each, in three groups; one output without a group."""
    lines = [{"output": f"{number}.png", "subject": "AB"[number % 2]} for number in range(5)]
    nothing = Refusal("baseline", "not asked for here")
    items = tuple(
        ReleaseItem("", 0, 0, "", line["subject"], line["output"], nothing, None, group)
        for line, group in zip(lines, (0, 1, 1, 2, None), strict=True)
    )
    grouped = ReleasePlan(items, Guarantee("k-same", "", (), {}), None, "")
    assert fold_circles(lines, grouped) == ["group 0", "group 1", "group 1", "group 2", "output 4.png"]
    alone = ReleasePlan(items, Guarantee("codebook", "", (), {}), None, "")
    assert fold_circles(lines, alone) == ["person A", "person B", "person A", "person B", "person A"]
