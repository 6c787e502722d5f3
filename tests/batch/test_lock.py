"""Shares as clinics have them: no flock, no permissions, no fsync of folders. One process at a time all the same."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tiny_pipeline import PIPELINE

from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.lock import locked, refuse_locked
from ganonym.batch.run import run_batch
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.files import make_folder, write_output, write_private
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=3)
Contents = Callable[[Path], dict[str, bytes]]
MISSING = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EPERM, errno.EINVAL)


def failing(code: int) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture(params=MISSING, ids=lambda code: errno.errorcode[code])
def no_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(request.param))


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount as of CIFS: no flock, chmod refused, every file shown as closed or open by the mount's own umask."""
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOTSUP))
    monkeypatch.setattr(os, "chmod", failing(errno.EPERM))


def process(code: str) -> subprocess.Popen[str]:
    """Another process that does `code` after `hold(lock)`, which locks without flock."""
    script = (
        "import errno, fcntl, os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from ganonym.batch.lock import locked\n"
        "from ganonym.errors import UsageError\n"
        "def none(*_): raise OSError(errno.ENOTSUP, '')\n"
        "fcntl.flock = none\n" + code
    )
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def test_without_flock_a_file_keeps_others_out_and_goes_at_the_end(no_flock: None, tmp_path: Path) -> None:
    lock, held = tmp_path / "out/private/lock", tmp_path / "out/private/lock.held"
    lock.parent.mkdir(parents=True)
    with locked(lock):
        assert json.loads(held.read_bytes())["pid"] == os.getpid()
        for attempt in (lambda: refuse_locked(lock), lambda: locked(lock).__enter__()):
            with pytest.raises(UsageError, match=rf"process {os.getpid()} on .* is working on .*remove .*lock\.held"):
                attempt()
    assert not held.exists()
    with pytest.raises(ZeroDivisionError), locked(lock):
        raise ZeroDivisionError
    assert not held.exists()
    refuse_locked(lock)


def test_the_lock_file_of_a_killed_process_is_recognised_and_a_living_one_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOTSUP))
    lock = tmp_path / "out/private/lock"
    lock.parent.mkdir(parents=True)
    other = process(f"with locked(Path({str(lock)!r})): print('held', flush=True); time.sleep(600)")
    assert other.stdout is not None
    assert other.stdin is not None
    with other.stdout, other.stdin:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=f"process {other.pid} on"), locked(lock):
            pass
        other.kill()
        other.wait()
    refuse_locked(lock)
    with locked(lock):
        assert json.loads(lock.with_name("lock.held").read_bytes())["pid"] == os.getpid()
    assert [path.name for path in lock.parent.iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "ward-7 4026531836"}, "on ward-7 is working"),
        ({"started": "0"}, None),
        ({"pid": 2**22 + 1}, None),
        ({"pid": "x"}, None),
        ({"host": None, "pid": None}, "on None is working"),
    ],
)
def test_a_lock_is_stale_only_when_its_process_is_known_to_be_gone(
    no_flock: None, tmp_path: Path, change: dict[str, Any], words: str | None
) -> None:
    lock = tmp_path / "out/private/lock"
    lock.parent.mkdir(parents=True)
    with locked(lock):
        owner = json.loads(lock.with_name("lock.held").read_bytes())
    lock.with_name("lock.held").write_text(json.dumps(owner | change))
    if words is None:
        with locked(lock):
            pass
        return
    with pytest.raises(UsageError, match=words), locked(lock):
        pass


def test_a_half_written_lock_file_is_not_taken_away(no_flock: None, tmp_path: Path) -> None:
    lock = tmp_path / "out/private/lock"
    lock.parent.mkdir(parents=True)
    for text in ("", '{"host": "', "[]", "3", '"a"'):
        lock.with_name("lock.held").write_text(text)
        with pytest.raises(UsageError, match=r"another process is working on .*remove .*lock\.held"), locked(lock):
            pass
        assert lock.with_name("lock.held").read_text() == text


def test_of_many_processes_that_find_a_stale_lock_one_gets_it(tmp_path: Path) -> None:
    lock = tmp_path / "out/private/lock"
    lock.parent.mkdir(parents=True)
    code = (
        "sys.stdin.readline()\n"
        "try:\n"
        f"    with locked(Path({str(lock)!r})): print('got', flush=True); sys.stdin.readline()\n"
        "except UsageError: print('refused', flush=True)\n"
    )
    dead = process(f"with locked(Path({str(lock)!r})): os.kill(os.getpid(), signal.SIGKILL)")
    dead.communicate()
    assert lock.with_name("lock.held").exists()
    rivals = [process(code) for _ in range(4)]
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.write("go\n")
        rival.stdin.flush()
    said = [rival.stdout.readline() for rival in rivals if rival.stdout is not None]
    for rival in rivals:
        rival.communicate("end\n")
    assert sorted(said) == ["got\n", "refused\n", "refused\n", "refused\n"]
    assert not lock.with_name("lock.held").exists()


def test_a_whole_run_on_a_share_without_flock_gives_the_same_release(
    no_flock: None, photos: Path, key_file: Path, tmp_path: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SERIAL, key_file=key_file), PIPELINE)
    monkeypatch.undo()
    run_batch(BatchJob(photos, tmp_path / "usual", SERIAL, key_file=key_file), PIPELINE)
    assert contents(tmp_path / "out") == contents(tmp_path / "usual")
    assert audit_release(tmp_path / "out").problems == ()


def test_a_share_that_keeps_no_permissions_is_refused_before_anything_secret_is_on_it(
    share: None, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFault, match=r"private cannot be closed to other users.*umask=077"):
        run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_share_mounted_for_its_owner_alone_is_used(
    share: None, photos: Path, tmp_path: Path, contents: Contents
) -> None:
    before = os.umask(0o077)
    try:
        run_batch(BatchJob(photos, tmp_path / "out", SERIAL), PIPELINE)
    finally:
        os.umask(before)
    assert audit_release(tmp_path / "out").problems == ()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_what_may_be_shared_needs_no_permissions_and_what_is_private_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "chmod", failing(code))
    make_folder(tmp_path / "images", 0o750)
    write_output(tmp_path / "images/a.png", b"x")
    assert (tmp_path / "images/a.png").read_bytes() == b"x"
    (tmp_path / "key").touch()
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, mode=0o777, **more: real(path, flags, mode | 0o044, **more))
    with pytest.raises(EnvironmentFault, match="cannot be closed to other users"):
        write_private(tmp_path / "list.csv", b"secret")
    assert not (tmp_path / "list.csv").exists()
    monkeypatch.setattr(os, "chmod", failing(errno.EROFS))
    with pytest.raises(EnvironmentFault, match="Read-only"):
        write_output(tmp_path / "images/b.png", b"x")


def test_folders_that_cannot_be_flushed_do_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, "")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_output(tmp_path / "a.png", b"x")
    assert (tmp_path / "a.png").read_bytes() == b"x"
