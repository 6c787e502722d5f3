"""Files that appear whole or not at all: temporary sibling, fsync, read back, rename."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ganonym.errors import EnvironmentFault, UsageError

PARTIAL = ".partial"
UNSUPPORTED = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY})
"""What FAT, FUSE and network file systems answer to a call that they do not have."""


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
    """`write_output` for what must never be shared: mode 600, and EnvironmentFault where others could read it."""
    write_output(path, data, mode=0o600)


def make_folder(path: Path, mode: int) -> None:
    """Create a folder with `mode`, as `set_mode` does, unless it exists.

    Raises EnvironmentFault, UsageError when it is a file.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder.", "Choose another output.")
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            set_mode(path, mode)
    except OSError as error:
        raise cannot_write(path, error) from error


def refuse_existing(option: str, path: Path) -> None:
    """Raises UsageError for a file that is there already, named by `option`: it may be somebody's only copy."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{option} {path} is there already.", "Name another file, or remove it first.")


def discard(path: Path) -> None:
    """Remove a file if it is there. Raises EnvironmentFault."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def is_partial(name: str) -> bool:
    """Whether a path is that of a file which a killed run may leave half-written.

    >>> is_partial("a/.b.png.partial"), is_partial("a/b.png")
    (True, False)
    """
    return name.rpartition("/")[2].startswith(".") and name.endswith(PARTIAL)


def remove_partials(folder: Path) -> None:
    """Remove what a killed run left half-written below `folder`. Raises EnvironmentFault."""
    try:
        for partial in folder.rglob(f".*{PARTIAL}"):
            partial.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def set_mode(path: Path, mode: int, handle: int | None = None) -> None:
    """Give a file or folder, open as `handle` or not, the permissions `mode`; some file systems keep none.

    That does not matter for what may be shared. What is for its owner alone (`mode` without bits for others) must then
    be closed by the way its file system is mounted. Raises EnvironmentFault when others can read it, OSError.
    """
    target = path if handle is None else handle
    try:
        os.chmod(target, mode)  # noqa: PTH101  # Path.chmod takes no open file
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    found = stat.S_IMODE(os.stat(target).st_mode)  # noqa: PTH116
    if not mode & 0o077 and found & 0o077:
        raise EnvironmentFault(
            f"{path} cannot be closed to other users: its file system keeps no permissions (mode {found:o}).",
            "It leads back to the patients. Use an output folder on a local disk and copy all but private/ to the "
            "share, or mount the share for yourself alone (umask=077, or file_mode=0600,dir_mode=0700).",
        )


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable, where its file system can. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
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
        set_mode(path, mode, handle)
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
