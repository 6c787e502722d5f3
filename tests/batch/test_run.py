"""The batch from end to end with the tiny pipeline: what it writes, what it withholds, what it refuses."""

from __future__ import annotations

import csv
import json
import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pipeline import BROKEN, BUG, CRASH, EXIT, HANG, MEMORY, PIPELINE, REFUSING, save_photo

from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.lock import locked
from ganonym.batch.run import run_batch
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.pseudonym import output_name, pseudonym
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3)
POOL = Settings(engine="processes", jobs=2, k=3, timeout=1.5)

Contents = Callable[[Path], dict[str, bytes]]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_photo_is_released_or_in_quarantine(photos: Path, key_file: Path, tmp_path: Path) -> None:
    (photos / "scan.pdf").write_text("not a photo")
    (photos / "notes.txt").write_text("not a photo, and never one")
    result = run_batch(BatchJob(photos, tmp_path / "out", SERIAL, key_file=key_file), PIPELINE)
    keymap = rows(tmp_path / "out/private/keymap.csv")
    quarantine = {row["source"]: row["reason"] for row in rows(tmp_path / "out/private/quarantine.csv")}
    sources = [row["source"] for row in keymap]
    assert sorted(sources) == sorted(["0.png", "1.png", "2.png"] + ["Müller Anna/two.png"] * 2)
    assert quarantine == {
        "Müller Anna/none.png": "no-face",
        "Müller Anna/refused.png": "verification",
        "scan.pdf": "unsupported",
    }
    assert result.ignored == {"text": 1}
    assert (result.anonymized, result.skipped, result.quarantined, result.exit_code) == (5, 0, 3, 1)
    assert list(keymap[0]) == ["source", "output", "subject", "pseudonym", "group"]
    assert {row["output"] for row in keymap} == {
        f"images/{path.relative_to(tmp_path / 'out/images')}" for path in (tmp_path / "out/images").rglob("*.png")
    }


def test_outputs_hold_what_the_pipeline_makes_of_the_privatized_face(
    photos: Path, key_file: Path, tmp_path: Path
) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL, key_file=key_file), PIPELINE)
    originals = [np.asarray(Image.open(path).convert("RGB")) for path in photos.rglob("*.png")]
    for path in (tmp_path / "out/images").rglob("*.png"):
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (16, 16, 3)
        assert not any(np.array_equal(pixels[:8, :8], original) for original in originals)


def test_nothing_shareable_tells_a_name(photos: Path, key_file: Path, tmp_path: Path, contents: Contents) -> None:
    linked = SERIAL.changed(link="subject")
    run_batch(BatchJob(photos, tmp_path / "out", linked, key_file=key_file), PIPELINE)
    run_batch(BatchJob(photos, tmp_path / "lone", SERIAL, key_file=key_file), PIPELINE)
    every = contents(tmp_path / "out") | {f"lone/{name}": data for name, data in contents(tmp_path / "lone").items()}
    shared = {name: data for name, data in every.items() if "private/" not in name}
    assert any("/" in name.removeprefix("images/") for name in shared), "the folder layout is kept"
    for name, data in shared.items():
        for secret in ("Müller", "Anna", "two.png", "refused.png"):
            assert secret not in name
            assert name.endswith(".png") or secret.encode() not in data


def test_modes(photos: Path, tmp_path: Path) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    mode = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")}
    assert mode[tmp_path / "out/private"] == 0o700
    assert mode[tmp_path / "out/private/key"] == 0o600
    assert all(mode[path] == 0o640 for path in (tmp_path / "out/images").rglob("*.png"))
    assert all(bits & 0o007 == 0 for bits in mode.values())


def test_engines_and_job_numbers_agree_to_the_byte(
    photos: Path, key_file: Path, tmp_path: Path, contents: Contents
) -> None:
    run_batch(BatchJob(photos, tmp_path / "serial", SERIAL, key_file=key_file), PIPELINE)
    run_batch(BatchJob(photos, tmp_path / "pool", POOL, key_file=key_file), PIPELINE)
    assert contents(tmp_path / "serial") == contents(tmp_path / "pool")


def test_a_worker_that_dies_hangs_or_fails_costs_only_its_photo(photos: Path, key_file: Path, tmp_path: Path) -> None:
    for number, fate in enumerate((CRASH, HANG, BUG, MEMORY, EXIT), start=10):
        save_photo(photos / f"analysis-{fate}.png", number, fate=fate)
        save_photo(photos / f"production-{fate}.png", number + 10, later=fate)
    result = run_batch(BatchJob(photos, tmp_path / "out", POOL, key_file=key_file), PIPELINE)
    results = {row["source"]: row["reason"] for row in rows(tmp_path / "out/private/quarantine.csv")}
    for step in ("analysis", "production"):
        assert results.pop(f"{step}-{CRASH}.png") in {"crash", "timeout"}  # pebble may miss a very quick death
        assert results.pop(f"{step}-{EXIT}.png") in {"crash", "timeout"}
        assert results.pop(f"{step}-{HANG}.png") == "timeout"
        assert results.pop(f"{step}-{BUG}.png") == "internal"
        assert results.pop(f"{step}-{MEMORY}.png") == "memory"
    assert set(results) == {"Müller Anna/none.png", "Müller Anna/refused.png"}
    assert result.anonymized == 5
    assert multiprocessing.active_children() == []
    assert audit_release(tmp_path / "out").problems == ()


@pytest.mark.parametrize("settings", [SERIAL, POOL], ids=["serial", "pool"])
def test_missing_weights_stop_the_run_with_their_own_error(photos: Path, tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(EnvironmentFault, match=r"surrogate\.safetensors is missing"):
        run_batch(BatchJob(photos, tmp_path / "out", settings), BROKEN)
    assert list((tmp_path / "out/images").rglob("*")) == []


def test_running_again_changes_nothing(photos: Path, tmp_path: Path, contents: Contents) -> None:
    first = run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    before = contents(tmp_path / "out")
    again = run_batch(BatchJob(photos, tmp_path / "out", SERIAL), BROKEN)  # no work left: no tools needed
    assert contents(tmp_path / "out") == before
    assert (again.anonymized, again.skipped, again.quarantined) == (0, first.anonymized, first.quarantined)


@pytest.mark.parametrize("damage", ["removed", "altered", "original"])
def test_an_output_that_is_gone_or_altered_is_made_again(
    photos: Path, tmp_path: Path, contents: Contents, damage: str
) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    before = contents(tmp_path / "out")
    victim = sorted((tmp_path / "out/images").rglob("*.png"))[1]
    if damage == "removed":
        victim.unlink()
    else:
        victim.write_bytes(b"x" if damage == "altered" else (photos / "0.png").read_bytes())
        assert len(audit_release(tmp_path / "out").problems) == 1
    assert run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE).anonymized == 1
    assert contents(tmp_path / "out") == before


def test_an_altered_output_that_cannot_be_made_again_does_not_stay(photos: Path, tmp_path: Path) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    victim = sorted((tmp_path / "out/images").rglob("*.png"))[1]
    victim.write_bytes((photos / "0.png").read_bytes())
    result = run_batch(BatchJob(photos, tmp_path / "out", SERIAL), REFUSING)
    assert not victim.exists()
    assert (result.anonymized, result.skipped, result.quarantined) == (0, 4, 3)
    assert audit_release(tmp_path / "out").problems == ()


def test_other_settings_inputs_or_key_are_refused_in_the_same_output(
    photos: Path, key_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_batch(BatchJob(photos, out, SERIAL, key_file=key_file), PIPELINE)
    with pytest.raises(UsageError, match=r"other settings.*averaged"):
        run_batch(BatchJob(photos, out, Settings(engine="serial", k=4), key_file=key_file), PIPELINE)
    with pytest.raises(UsageError, match="other key"):
        run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    save_photo(photos / "new.png", 99)
    with pytest.raises(UsageError, match="other inputs"):
        run_batch(BatchJob(photos, out, SERIAL, key_file=key_file), PIPELINE)
    (photos / "new.png").unlink()
    run_batch(BatchJob(photos, out, Settings(engine="serial", k=3, timeout=9), key_file=key_file), PIPELINE)


def test_no_resume_starts_over_and_touches_only_our_files(photos: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_batch(BatchJob(photos, out, SERIAL, key_file=key_file), PIPELINE)
    (out / "mine.txt").write_text("keep")
    (photos / "0.png").unlink()
    fresh = Settings(engine="serial", k=3, resume=False)
    assert run_batch(BatchJob(photos, out, fresh, key_file=key_file), PIPELINE).anonymized == 4
    assert (out / "mine.txt").read_text() == "keep"
    assert audit_release(out).problems == ("mine.txt: not of this release, the ledger does not name it",)
    (out / "images" / "holiday.png").write_bytes(b"not ours")
    with pytest.raises(UsageError, match=r"holiday\.png"):
        run_batch(BatchJob(photos, out, fresh, key_file=key_file), PIPELINE)
    assert (out / "images" / "holiday.png").read_bytes() == b"not ours"


def test_lost_analysis_that_no_longer_gives_the_same_faces_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    analysis = (out / "private/analysis.jsonl").read_bytes()
    (out / "private/analysis.jsonl").unlink()
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    (out / "private/analysis.jsonl").write_bytes(analysis.replace(b'"tone":0', b'"tone":3', 1))
    with pytest.raises(UsageError, match="no longer give the faces"):
        run_batch(BatchJob(photos, out, SERIAL), PIPELINE)


def test_one_process_at_a_time(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    with locked(out / "private/lock"), pytest.raises(UsageError, match="another process"):
        run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)


def test_a_photo_that_changes_during_the_run_is_withheld(photos: Path, tmp_path: Path) -> None:
    def alter(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("read", total):
            save_photo(photos / "1.png", 77)

    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE, progress=alter)
    results = {row["source"]: row["reason"] for row in rows(tmp_path / "out/private/quarantine.csv")}
    assert results["1.png"] == "changed"


def test_manifest_decides_subjects_classes_and_what_is_released(photos: Path, key_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "manifest.csv"
    table.write_text(
        "image,subject,syndrome,age,session\n0.png,A,x,34,2020-01-02\n1.png,B,x,7,v1\n2.png,C,rare,3,v1\n"
        "Müller Anna/two.png,D,x,61,v2\nMüller Anna/none.png,E,x,,\nghost.png,F,x,,\n"
    )
    settings = Settings(engine="serial", k=3, release=("age", "session"), link="subject")
    result = run_batch(BatchJob(photos, tmp_path / "out", settings, manifest=table, key_file=key_file), PIPELINE)
    results = {row["source"]: row["reason"] for row in rows(tmp_path / "out/private/quarantine.csv")}
    assert results == {
        "2.png": "small-class",
        "Müller Anna/none.png": "no-face",
        "Müller Anna/refused.png": "not-in-manifest",
        "ghost.png": "missing-photo",
    }
    assert result.mechanism == "k-same"
    key = key_file.read_bytes()
    shared = {row["image"]: row for row in rows(tmp_path / "out/manifest.csv")}
    assert shared[f"images/{output_name(key, '0.png')}"] == {
        "image": f"images/{output_name(key, '0.png')}",
        "subject": pseudonym(key, "subject", "A"),
        "syndrome": "x",
        "age": "30-39",
        "session": pseudonym(key, "session", "2020-01-02"),
        "protection": "k-same by subject: rank-1 by identity and skin ≤ 1/3",
    }
    assert list(shared) == sorted(shared)
    assert "1/3" in (tmp_path / "out/REPORT.md").read_text()
    promise = json.loads((tmp_path / "out/guarantee.json").read_text())
    assert (promise["mechanism"], promise["rank1"]) == ("k-same", pytest.approx(1 / 3))
    assert promise["statement"] in (tmp_path / "out/REPORT.md").read_text()


def test_progress_counts_every_phase_to_its_end(photos: Path, tmp_path: Path) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}

    def tell(phase: str, done: int, total: int) -> None:
        seen.setdefault(phase, []).append((done, total))

    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE, tell)
    assert list(seen) == ["read", "analyse", "produce"]
    for steps in seen.values():
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


def test_output_order_does_not_follow_source_names(tmp_path: Path, key_file: Path) -> None:
    for number in range(30):
        save_photo(tmp_path / "in" / f"{number:02}.png", number)
    run_batch(BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, key_file=key_file), PIPELINE)
    written = sorted((tmp_path / "out/images").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert [path.name for path in written] == sorted(path.name for path in written)
    keymap = {row["output"].removeprefix("images/"): row["source"] for row in rows(tmp_path / "out/private/keymap.csv")}
    assert [keymap[path.name] for path in written] != sorted(keymap.values())
