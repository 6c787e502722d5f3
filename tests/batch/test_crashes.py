"""Kill −9, a full disk and a read-only output at every moment: nothing lost, doubled, half-written or unverified."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from killer import digests, killed
from tiny_pipeline import PIPELINE, save_photo

from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.run import run_batch
from ganonym.errors import EnvironmentFault
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3)
HERE = Path(__file__).parent

Contents = Callable[[Path], dict[str, bytes]]


def test_killed_before_any_step_on_the_disk_it_resumes_to_the_same_bytes(
    photos: Path, key_file: Path, quick_disk: Path, tmp_path: Path, contents: Contents
) -> None:
    run_batch(BatchJob(photos, tmp_path / "whole", SERIAL, key_file=key_file), PIPELINE)
    whole = contents(tmp_path / "whole")
    verified = digests(whole)
    runs = killed(photos, quick_disk, key_file)
    assert len(runs) > 100, "every step was a moment to die"
    shown = [
        {name.removeprefix("images/"): digest for name, digest in run["held"].items() if name.startswith("images/")}
        for run in runs
    ]
    assert {len(entry) for entry in shown} == set(range(len(verified) + 1)), "deaths before, between and after"
    for run, pictures in zip(runs, shown, strict=True):
        assert pictures.items() <= verified.items(), f"step {run['limit']}: something unverified in OUT/images"
        assert all(digest in run["ledger"] for digest in pictures.values()), "no picture without a ledger line"
        assert contents(quick_disk / str(run["limit"])) == whole, f"step {run['limit']}"


@pytest.mark.parametrize("seed", [1, 2])
def test_worker_pool_killed_at_a_random_moment_resumes(
    tmp_path: Path, key_file: Path, contents: Contents, seed: int
) -> None:
    for number in range(40):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    run_batch(BatchJob(tmp_path / "in", tmp_path / "whole", SERIAL, key_file=key_file), PIPELINE)
    whole = contents(tmp_path / "whole")
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from pathlib import Path; from tiny_pipeline import PIPELINE\n"
        "from ganonym.batch.job import BatchJob; from ganonym.batch.run import run_batch\n"
        "from ganonym.settings import Settings\n"
        "if __name__ == '__main__':\n"
        f"    source, out = Path({str(tmp_path / 'in')!r}), Path({str(tmp_path / 'out')!r})\n"
        f"    key = Path({str(key_file)!r})\n"
        "    job = BatchJob(source, out, Settings(jobs=2, k=3), key_file=key)\n"
        "    run_batch(job, PIPELINE, lambda *_: print(flush=True))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    moment = random.Random(seed).randint(50, 115)  # 40 files read, 40 analysed, 40 produced
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    with process.stdout:
        for _ in range(moment):
            assert process.stdout.readline(), "the run ended by itself"
        process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert digests(contents(tmp_path / "out")).items() <= digests(whole).items()
    result = run_batch(BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, key_file=key_file), PIPELINE)
    assert contents(tmp_path / "out") == whole
    assert result.anonymized + result.skipped == 40
    deadline = time.monotonic() + 20
    while _orphans(script) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _orphans(script) == [], "workers end when their parent is killed"


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_disk_fault_at_any_step_stops_the_run_cleanly_and_a_resume_completes_it(
    photos: Path,
    key_file: Path,
    quick_disk: Path,
    contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    fault: int,
) -> None:
    run_batch(BatchJob(photos, quick_disk / "whole", SERIAL, key_file=key_file), PIPELINE)
    whole = contents(quick_disk / "whole")
    real = getattr(os, step)
    for moment in range(1, 1000):
        calls = 0

        def failing(*arguments: object, moment: int = moment, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls >= moment:  # a full disk stays full
                if step == "write":
                    real(arguments[0], bytes(arguments[1])[:7])  # type: ignore[call-overload]
                raise OSError(fault, os.strerror(fault))
            return real(*arguments, **options)

        out = quick_disk / f"out-{moment}"
        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing)
            message = _fault(photos, out, key_file)
        result = contents(out)
        assert not any(".partial" in name for name in result)
        assert digests(result).items() <= digests(whole).items()
        if message is None:
            assert moment > 5
            assert result == whole
            return
        assert os.strerror(fault) in message
        assert "resumes" in message
        run_batch(BatchJob(photos, out, SERIAL, key_file=key_file), PIPELINE)
        assert contents(out) == whole
    pytest.fail("the run never ended")


def test_a_really_full_disk(photos: Path, key_file: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("no permission to mount a small file system")
    try:
        with pytest.raises(EnvironmentFault, match="No space left"):
            run_batch(BatchJob(photos, disk / "out", SERIAL, key_file=key_file), PIPELINE)
        assert not list(disk.rglob(".*.partial"))
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        run_batch(BatchJob(photos, disk / "out", SERIAL, key_file=key_file), PIPELINE)
        assert audit_release(disk / "out").problems == ()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_output_on_a_read_only_place(photos: Path, tmp_path: Path) -> None:
    """In a process without root's power over permissions."""
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    (tmp_path / "closed").mkdir(mode=0o555)
    process = os.fork()
    if process == 0:
        code = 9
        try:
            if os.getuid() == 0:
                for path in [tmp_path, *tmp_path.rglob("*"), *tmp_path.parents[:3]]:
                    path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else 0o444)
                os.setgroups([])
                os.setuid(65534)
            faults = []
            for out in (tmp_path / "closed" / "out", tmp_path / "out"):
                try:
                    run_batch(BatchJob(photos, out, SERIAL), PIPELINE)
                except EnvironmentFault as error:
                    faults.append(str(error))
            code = (
                0
                if len(faults) == 2
                and all("Permission denied" in fault or "not permitted" in fault for fault in faults)
                else 8
            )
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _fault(photos: Path, out: Path, key_file: Path) -> str | None:
    try:
        run_batch(BatchJob(photos, out, SERIAL, key_file=key_file), PIPELINE)
    except EnvironmentFault as error:
        return str(error)
    return None


def _orphans(script: Path) -> list[int]:
    results = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            command = (path.parent / "cmdline").read_bytes()
            inside = (path.parent / "cwd").readlink()
        except OSError:
            continue
        if str(script).encode() in command or (b"multiprocessing.spawn" in command and inside == script.parent):
            results.append(int(path.parent.name))
    return results
