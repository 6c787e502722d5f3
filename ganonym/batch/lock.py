"""One process at a time on an output: `flock` where the file system has it, else a file that only one can create."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganonym.errors import UsageError
from ganonym.files import cannot_write, write_all
from ganonym.types import JSON

HELD = ".held"
_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` locked, so that one process works on an output at a time.

    Where the file system has no `flock`, `NAME.held` beside it says who holds it: host, process and the moment it
    started. It is removed at the end; that of a dead process of this host is recognised. Raises UsageError when
    another process holds the lock, EnvironmentFault when the files cannot be written.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        if _flock(handle, fcntl.LOCK_EX, path):
            yield
        else:
            with _held(path.with_name(path.name + HELD)):
                yield
    finally:
        os.close(handle)


def refuse_locked(path: Path) -> None:
    """Raise UsageError when another process holds `path` locked, EnvironmentFault when that cannot be told."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        if not _flock(handle, fcntl.LOCK_SH, path):
            _owner(path.with_name(path.name + HELD))
    finally:
        os.close(handle)


def _flock(handle: int, kind: int, path: Path) -> bool:
    """Whether the open file was locked; False where the file system cannot. Raises UsageError when it is taken."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise UsageError(f"another process is working on {path.parent.parent}.", "Wait for it to end.") from error
        return False
    return True


@contextmanager
def _held(path: Path) -> Iterator[None]:
    stale = _owner(path)
    if stale is not None:
        _take_away(path, stale)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise UsageError(f"another process began to work on {path.parent.parent}.", "Wait for it to end.") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            write_all(handle, json.dumps(_this_process()).encode())
        except OSError as error:
            raise cannot_write(path, error) from error
        finally:
            os.close(handle)
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def _owner(path: Path) -> bytes | None:
    """What a dead process of this host wrote to the lock file, None when there is no such file.

    Raises UsageError when its owner lives, or cannot be asked.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        owner: JSON = dict(json.loads(text))
        if owner["host"] == _host() and _started(owner["pid"]) != owner["started"]:
            return text
        who = f"process {owner['pid']} on {str(owner['host']).partition(' ')[0]}"
    except (ValueError, TypeError, KeyError):  # half-written: by a process that is at it, or was killed at it
        who = "another process"
    raise UsageError(f"{who} is working on {path.parent.parent}.", f"Wait for it to end; if it is gone, remove {path}.")


def _take_away(path: Path, stale: bytes) -> None:
    """Remove a stale lock file, and no other: two processes may have found it at once."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.rename(aside)
        if aside.read_bytes() != stale:
            aside.rename(path)
        else:
            aside.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error


def _this_process() -> JSON:
    return {"host": _host(), "pid": os.getpid(), "started": _started(os.getpid())}


def _host() -> str:
    """This machine; on Linux with the space of process numbers, since containers may share a name."""
    try:
        space = f" {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        space = ""
    return socket.gethostname() + space


def _started(pid: int) -> str | None:
    """When a process of this host started, in words of its own; None when there is none, or only a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
