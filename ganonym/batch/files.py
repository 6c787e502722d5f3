"""Files that appear whole or not at all: temporary sibling, fsync, read back, rename."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganonym.errors import EnvironmentFault, UsageError

PARTIAL = ".partial"


def write_output(
    path: Path, data: bytes, before_rename: Callable[[bytes], None] | None = None, mode: int = 0o640
) -> None:
    """Put `data` at `path`; until the last step `path` stays as it was.

    The bytes go to `.NAME.partial` in the same folder, reach the disk, are read back, compared and given to
    `before_rename`, and only then renamed. Raises EnvironmentFault (no space, no permission, read-only, bytes altered)
    and whatever `before_rename` raises; the temporary file is then removed.
    """
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        _write_new(partial, data, mode)
        stored = partial.read_bytes()
        if stored != data:
            raise EnvironmentFault(f"{path.parent} gave back other bytes than were written.", "Check the disk.")
        if before_rename is not None:
            before_rename(stored)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """`write_output` for what must never be shared: mode 600."""
    write_output(path, data, mode=0o600)


def make_folder(path: Path, mode: int) -> None:
    """Create a folder with exactly `mode` unless it exists. Raises EnvironmentFault, UsageError when it is a file."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder.", "Choose another output.")
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(mode)
    except OSError as error:
        raise cannot_write(path, error) from error


def discard(path: Path) -> None:
    """Remove a file if it is there. Raises EnvironmentFault."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_partials(folder: Path) -> None:
    """Remove what a killed run left half-written below `folder`. Raises EnvironmentFault."""
    try:
        for partial in folder.rglob(f".*{PARTIAL}"):
            partial.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` locked, so that one process works on an output at a time. Raises UsageError when it is taken."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another process is working on {path.parent.parent}.", "Wait for it to end.") from error
        yield
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write every byte of `data` to an open file. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def cannot_write(path: Path, error: OSError) -> EnvironmentFault:
    """The fault to raise when writing `path` failed with `error`."""
    return EnvironmentFault(
        f"cannot write {path}: {error.strerror or error}.",
        "Free space or fix permissions, then run the same command again: it resumes.",
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        os.fchmod(handle, mode)
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
