"""What `verify` has to see: every file of OUT is of the release and as it was sealed, or it is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_pipeline import PIPELINE

from ganonym.batch.audit import audit_release, recheck_originals
from ganonym.batch.job import BatchJob
from ganonym.batch.ledger import GENESIS, canonical, digest_of
from ganonym.batch.run import run_batch
from ganonym.errors import UsageError
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3)
Contents = Callable[[Path], dict[str, bytes]]
SEALED = ("manifest.csv", "REPORT.md", "guarantee.json", "private/keymap.csv", "private/quarantine.csv")


@pytest.fixture
def out(photos: Path, tmp_path: Path) -> Path:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    assert audit_release(tmp_path / "out").problems == ()
    return tmp_path / "out"


def rewrite(out: Path, change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    """The ledger with `change` made to every entry and its hashes made to fit: by somebody who may write it."""
    last, lines = GENESIS, []
    for line in (out / "private/ledger.jsonl").read_text().splitlines():
        entry = {name: value for name, value in json.loads(line).items() if name not in ("prev", "hash")}
        body = {**change(entry), "prev": last}
        last = digest_of(body)
        lines.append(canonical({**body, "hash": last}) + b"\n")
    (out / "private/ledger.jsonl").write_bytes(b"".join(lines))


@pytest.mark.parametrize("name", SEALED)
def test_an_altered_or_missing_report_is_named(out: Path, name: str) -> None:
    data = (out / name).read_bytes()
    (out / name).write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    assert audit_release(out).problems == (f"{name}: altered since the run ended",)
    (out / name).unlink()
    assert audit_release(out).problems == (f"{name}: No such file or directory",)


STRANGERS = (
    "original.jpg",
    "images/original.png",
    "private/list.csv",
    ".hidden",
    "images/.DS_Store",
    "more/deep/x.png",
)


@pytest.mark.parametrize("name", STRANGERS)
def test_a_file_that_is_not_of_the_release_is_named(out: Path, name: str) -> None:
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(b"x")
    assert audit_release(out).problems == (f"{name}: not of this release, the ledger does not name it",)


def test_links_and_folders_of_names_are_named(out: Path, photos: Path) -> None:
    (out / "images/Anna Müller").mkdir()
    (out / "originals").symlink_to(photos)
    picture = next((out / "images").rglob("*.png"))
    shutil.copy(picture, out / "copy")
    picture.unlink()
    picture.symlink_to(out / "copy")
    problems = audit_release(out).problems
    assert {problem.partition(": ")[0] for problem in problems} == {
        "images/Anna Müller/",
        "originals",
        "copy",
        picture.relative_to(out).as_posix(),
    }


def test_copies_of_originals_are_found_wherever_they_lie(out: Path, photos: Path) -> None:
    assert recheck_originals(out, photos) == []
    shutil.copytree(photos, out / "originals")
    originals = recheck_originals(out, photos)
    assert len(originals) == 6
    assert all(problem.startswith("originals/") and "copy of an original" in problem for problem in originals)


def test_a_release_without_seals_says_so_and_running_again_seals_it(
    out: Path, photos: Path, contents: Contents
) -> None:
    """As version 0.1 wrote them. Nothing else changes."""
    before = contents(out)
    rewrite(out, lambda entry: {name: value for name, value in entry.items() if name != "files"})
    (out / "manifest.csv").write_bytes(before["manifest.csv"] + b"forged\n")
    (problem,) = audit_release(out).problems
    assert "not sealed: manifest.csv, REPORT.md, guarantee.json" in problem
    assert "run the command that made it again" in problem
    assert run_batch(BatchJob(photos, out, SERIAL), PIPELINE).anonymized == 0
    assert audit_release(out).problems == ()
    after = contents(out)
    assert {name for name in before if before[name] != after[name]} == {"private/ledger.jsonl"}
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    assert contents(out) == after


def test_a_forged_report_is_made_again_and_a_seal_of_another_is_not_kept(
    out: Path, photos: Path, contents: Contents
) -> None:
    before = contents(out)
    (out / "REPORT.md").write_text("The outputs are perfectly safe.")
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    assert contents(out) == before
    rewrite(
        out, lambda entry: entry | ({"files": entry["files"] | {"REPORT.md": "0" * 64}} if "files" in entry else {})
    )
    assert audit_release(out).problems == ("REPORT.md: altered since the run ended",)
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    assert audit_release(out).problems == ()


def test_an_unfinished_replacement_is_named_and_the_release_is_still_judged(out: Path, photos: Path) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if phase == "produce" and done == 2:
            raise UsageError("stopped.")

    anew = Settings(engine="serial", k=4, resume=False)
    with pytest.raises(UsageError, match="the earlier one in the output folder stays as it is"):
        run_batch(BatchJob(photos, out, anew), PIPELINE, progress=stop)
    (problem,) = audit_release(out).problems
    assert problem.startswith("private/next/: an unfinished run with --no-resume")
    (out / "private/next").replace(out / "private/ready")
    (problem,) = audit_release(out).problems
    assert "run the same command again" in problem


def test_a_report_that_this_release_has_not_is_a_stranger_and_so_is_what_fills_the_lock(
    out: Path, photos: Path
) -> None:
    (out / "private" / "review.csv").write_bytes((photos / "0.png").read_bytes())
    (out / "private" / "lock").write_bytes((photos / "1.png").read_bytes())
    named = {problem.split(":")[0] for problem in audit_release(out).problems}
    assert named == {"private/review.csv", "private/lock"}
