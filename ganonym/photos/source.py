"""Bytes of one file below a root folder, read so that no link, device or odd name leads anywhere else."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

from ganonym.errors import EnvironmentFault, PhotoError

MAX_BYTES = 256 * 2**20

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_bytes(root: Path, name: str, limit: int = MAX_BYTES) -> bytes:
    """The content of `root/name`, `name` a relative POSIX path as `walk` lists it; at most `limit` bytes.

    Every component below `root` is opened relative to its parent's descriptor without following links, so the result
    stays inside `root` even when folders are exchanged meanwhile. Raises PhotoError with reason "outside", "symlink",
    "special-file", "too-large" or "unreadable"; EnvironmentFault when `root` itself cannot be opened.
    """
    parts = name.split("/")
    if "\0" in name or not _encodable(name) or any(part in {"", ".", ".."} for part in parts):
        raise PhotoError("outside", f"{name!r} is not a plain path below the input folder.", "Use names as walk gives.")
    with ExitStack() as stack:
        try:
            folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise EnvironmentFault(f"Cannot open {root}: {error.strerror}.", "Is the disk still there?") from error
        stack.callback(os.close, folder)
        try:
            for part in parts[:-1]:
                folder = _enter(part, folder, name)
                stack.callback(os.close, folder)
            # Opening a device or FIFO can block or act, hence a look before the open as well as after it.
            _require_file(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False), name)
            file = stack.enter_context(os.fdopen(os.open(parts[-1], _FILE, dir_fd=folder), "rb"))
            status = os.fstat(file.fileno())
            _require_file(status, name)
            data = b"" if status.st_size > limit else file.read(status.st_size + 1)
        except OSError as error:
            raise PhotoError(
                "unreadable", f"{name!r} cannot be read: {error.strerror}.", "Check permissions."
            ) from error
    if status.st_size > limit:
        raise PhotoError("too-large", f"{name!r} holds more than {limit} bytes.", "Save it at a smaller size.")
    if len(data) != status.st_size:
        raise PhotoError("unreadable", f"{name!r} changes while it is read.", "Wait until it is copied completely.")
    return data


def _encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _enter(part: str, folder: int, name: str) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except OSError:
        if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
            raise _link(name) from None
        raise


def _require_file(status: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _link(name)
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError("special-file", f"{name!r} is not a regular file.", "Only regular files are read.")


def _link(name: str) -> PhotoError:
    return PhotoError("symlink", f"{name!r} leads through a symbolic link.", "Replace the link by the file itself.")
