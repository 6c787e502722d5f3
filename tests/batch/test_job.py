"""What a run refuses, it refuses before it writes; its rehearsal refuses the same in the same words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tiny_pipeline import PIPELINE, save_photo

from ganonym.baselines.methods import BaselineSettings
from ganonym.batch.job import BatchJob, check_job
from ganonym.batch.lock import locked
from ganonym.batch.run import run_batch
from ganonym.errors import GanonymError, UsageError
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3)
Contents = Callable[[Path], dict[str, bytes]]


@contextmanager
def nothing(_: Path) -> Iterator[None]:
    yield


@contextmanager
def busy(out: Path) -> Iterator[None]:
    with locked(out / "private/lock"):
        yield


@contextmanager
def stray(out: Path) -> Iterator[None]:
    (out / "images/holiday.png").write_bytes(b"not ours")
    yield


@contextmanager
def forged(out: Path) -> Iterator[None]:
    ledger = out / "private/ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"quarantined", b"anonymized", 1))
    yield


@contextmanager
def keyless(out: Path) -> Iterator[None]:
    (out / "private/key").unlink()
    yield


BAD: dict[str, tuple[Callable[[Path], object], Settings, dict[str, object], str]] = {
    "after-typo": (nothing, SERIAL, {"after": [Path("TYPO")]}, "TYPO is not an output folder"),
    "key-typo": (nothing, SERIAL, {"key_file": Path("TYPO")}, "cannot read the key file TYPO"),
    "manifest-typo": (nothing, SERIAL, {"manifest": Path("TYPO.csv")}, "TYPO"),
    "distinct-typo": (nothing, SERIAL, {"distinct": Path("TYPO.csv")}, "TYPO"),
    "few-people": (nothing, SERIAL.changed(mechanism="k-same", k=99), {}, "no class has k = 99"),
    "stray": (stray, SERIAL, {}, "holiday.png"),
    "busy": (busy, SERIAL, {}, "another process"),
}
OTHER: dict[str, tuple[Callable[[Path], object], Settings, dict[str, object], str]] = {
    "settings": (nothing, Settings(engine="serial", k=4), {}, "other settings"),
    "key": (keyless, SERIAL, {}, "other key"),
    "ledger": (forged, SERIAL, {}, "was altered"),
}


def quiet(*_: object) -> None:
    """Progress told to nobody."""


def told(act: Callable[[], object]) -> tuple[str, int, str]:
    with pytest.raises(GanonymError) as caught:
        act()
    return type(caught.value).__name__, caught.value.exit_code, str(caught.value)


@pytest.mark.parametrize(
    ("name", "resume"), [(name, flag) for name in BAD for flag in (True, False)] + [(name, True) for name in OTHER]
)
def test_a_refused_job_changes_nothing_and_its_rehearsal_says_the_same(
    photos: Path, tmp_path: Path, contents: Contents, name: str, resume: bool
) -> None:
    out = tmp_path / "out"
    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
    prepare, settings, options, words = (BAD | OTHER)[name]
    settings = settings.changed(resume=resume)
    job = BatchJob(photos, out, settings, **options)
    with prepare(out):  # type: ignore[attr-defined]
        before = contents(out)
        said = told(lambda: run_batch(job, PIPELINE))
        assert contents(out) == before
        assert told(lambda: check_job(job, PIPELINE, quiet)) == said
        assert contents(out) == before
    assert words in said[2]


@pytest.mark.parametrize(
    "options", [{"key_file": Path("TYPO")}, {"manifest": Path("TYPO.csv")}], ids=["key", "manifest"]
)
def test_a_refused_baseline_changes_nothing(
    photos: Path, tmp_path: Path, contents: Contents, options: dict[str, Path]
) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    before = contents(tmp_path / "out")
    settings = BaselineSettings(method="blur", engine="serial", resume=False)
    with pytest.raises(UsageError, match="TYPO"):
        run_batch(BatchJob(photos, tmp_path / "out", settings, **options))
    assert contents(tmp_path / "out") == before


def test_too_few_people_after_an_earlier_release_are_seen_before_any_work(tmp_path: Path, contents: Contents) -> None:
    for number in range(4):
        save_photo(tmp_path / "first" / f"{number}.png", number)
        save_photo(tmp_path / "second" / f"{number + 2}.png", number + 2)
    run_batch(BatchJob(tmp_path / "first", tmp_path / "1", SERIAL), PIPELINE)
    run_batch(BatchJob(tmp_path / "second", tmp_path / "2", SERIAL), PIPELINE)
    before = contents(tmp_path / "2")
    settings = SERIAL.changed(mechanism="k-same", resume=False)
    with pytest.raises(UsageError, match="2 subjects that were not released before are too few for k = 3"):
        run_batch(BatchJob(tmp_path / "second", tmp_path / "2", settings, after=[tmp_path / "1"]), PIPELINE)
    assert contents(tmp_path / "2") == before


def test_a_job_for_a_fresh_folder_passes_and_writes_nothing(photos: Path, tmp_path: Path) -> None:
    checked = check_job(BatchJob(photos, tmp_path / "a/b/out", SERIAL), PIPELINE, quiet)
    assert checked.key is None
    assert len(checked.photos) == 6
    assert not (tmp_path / "a").exists()


def test_a_place_that_cannot_be_written_is_refused_in_the_words_of_the_run(photos: Path, tmp_path: Path) -> None:
    """In a process without root's power over permissions."""
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    (tmp_path / "closed").mkdir()
    process = os.fork()
    if process == 0:
        code = 9
        try:
            for path in [tmp_path, *tmp_path.rglob("*"), *tmp_path.parents[:3]]:
                path.chmod((path.stat().st_mode | 0o055) & ~0o022 if path.is_dir() else 0o444)
            if os.getuid() == 0:
                os.setgroups([])
                os.setuid(65534)
            (tmp_path / "out/private/key").stat()
            said = []
            for out in (tmp_path / "closed/out", tmp_path / "closed", tmp_path / "out"):
                for settings in (SERIAL, SERIAL.changed(resume=False)):
                    job = BatchJob(photos, out, settings)
                    said += [told(partial(run_batch, job, PIPELINE)), told(partial(check_job, job, PIPELINE, quiet))]
            assert all("Permission denied" in text and number == 4 for _, number, text in said)
            assert said[::2] == said[1::2]
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
