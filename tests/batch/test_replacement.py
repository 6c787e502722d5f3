"""A release made anew: killed or failed at any step, the old one or the new one stands, and it is known which."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from killer import digests, killed
from tiny_pipeline import BROKEN, PIPELINE, save_photo

from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.run import run_batch
from ganonym.errors import EnvironmentFault
from ganonym.settings import Settings

Contents = Callable[[Path], dict[str, bytes]]
OLD = Settings(engine="serial", k=2, link="subject")  # with folders in images/, which a replacement has to move
NEW = OLD.changed(seed=1)
ANEW = NEW.changed(resume=False)


@pytest.fixture
def replaced(tmp_path: Path, key_file: Path, contents: Contents) -> Callable[[Settings], dict[str, bytes]]:
    """Makes tmp_path/SEED of the same two photos: the contents of a release with these settings."""
    for number in range(2):
        save_photo(tmp_path / "in" / f"{number}" / f"{number}.png", number)

    def make(settings: Settings) -> dict[str, bytes]:
        out = tmp_path / f"{settings.seed}"
        run_batch(BatchJob(tmp_path / "in", out, settings, key_file=key_file), PIPELINE)
        return contents(out)

    return make


def test_a_replacement_killed_at_any_step_leaves_the_old_release_or_the_new_one(
    replaced: Callable[[Settings], dict[str, bytes]],
    key_file: Path,
    quick_disk: Path,
    tmp_path: Path,
    contents: Contents,
) -> None:
    before, whole = replaced(OLD), replaced(NEW)
    assert before.keys() == whole.keys()
    assert digests(before).items().isdisjoint(digests(whole).items())
    kept = {name: hashlib.sha256(data).hexdigest() for name, data in before.items()}
    ready = "private/ready/private/ledger.jsonl"
    standing = []
    *deaths, _ = killed(tmp_path / "in", quick_disk, key_file, tmp_path / "0")
    for run in deaths:
        assert contents(quick_disk / str(run["limit"])) == whole, f"step {run['limit']}: the same command ends it"
        out, old_whole = quick_disk / f"{run['limit']}-killed", kept.items() <= run["held"].items()
        problems = audit_release(out).problems
        if old_whole and ready not in run["held"]:
            standing.append("old")
            assert all(problem.startswith("private/next/: an unfinished run") for problem in problems)
            run_batch(BatchJob(tmp_path / "in", out, OLD, key_file=key_file), PIPELINE)
            assert contents(out) == before, "who goes on with the old one has it, and nothing of the new one is left"
        else:
            standing.append("new")
            assert problems == () or any("run the same command again" in problem for problem in problems)
            run_batch(BatchJob(tmp_path / "in", out, NEW, key_file=key_file), BROKEN)
            assert contents(out) == whole, "a run that resumes puts the new one in its place, and has nothing to make"
    assert standing == sorted(standing, reverse=True), "once the new one stands, it stays"
    assert min(standing.count("old"), standing.count("new")) > 10


@pytest.mark.parametrize("step", ["write", "replace", "unlink", "mkdir"])
def test_a_disk_fault_in_a_replacement_says_which_release_stands(
    replaced: Callable[[Settings], dict[str, bytes]],
    key_file: Path,
    quick_disk: Path,
    tmp_path: Path,
    contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    before, whole = replaced(OLD), replaced(NEW)
    real, said, out = getattr(os, step), set(), quick_disk / "out"
    for moment in range(1, 1000, 2):
        shutil.copytree(tmp_path / "0", out)
        calls = 0

        def failing(*arguments: object, moment: int = moment, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls >= moment:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing)
            try:
                run_batch(BatchJob(tmp_path / "in", out, ANEW, key_file=key_file), PIPELINE)
                break
            except EnvironmentFault as error:
                message = str(error)
        if "the earlier one in the output folder stays as it is" in message:
            said.add("old")
            result = contents(out)
            assert {name: data for name, data in result.items() if not name.startswith("private/next/")} == before
        elif "The new release is complete" in message:
            said.add("new")
        else:  # before anything was begun, or after all was done
            assert contents(out) in (before, whole)
        run_batch(BatchJob(tmp_path / "in", out, ANEW, key_file=key_file), PIPELINE)
        assert contents(out) == whole
        shutil.rmtree(out)
    assert said == {"write": {"old"}, "mkdir": {"old", "new"}}.get(step, {"old", "new"})
