"""The input folder: which photos it holds, why its other files are not treated, and the bytes of one file below it.

A file is read so that no link, device or odd name leads anywhere else.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ganonym.errors import EnvironmentFault, PhotoError, UsageError
from ganonym.photos.formats import Ignored, describe_name, why_ignored
from ganonym.types import Refusal

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".hif", ".avif"}
)


@dataclass(frozen=True, slots=True)
class WalkResult:
    """Sorted relative POSIX paths: `photos`, by suffix (their content is judged when read), `refused` and `ignored`.

    Together they name every file below the root; a folder in the latter two stands for all it contains and ends in "/".
    Reasons of refusals: "symlink", "special-file", "unsupported", "unreadable", "bad-name" (not UTF-8; shown with
    backslash escapes). What is ignored is no photograph by its name: "hidden", "system" or "text".
    """

    photos: tuple[str, ...]
    refused: tuple[tuple[str, Refusal], ...]
    ignored: tuple[tuple[str, Ignored], ...]


def walk(root: Path) -> WalkResult:
    """List `root` recursively without following any link. Raises UsageError when `root` itself cannot be listed."""
    photos: list[str] = []
    refused: list[tuple[str, Refusal]] = []
    ignored: list[tuple[str, Ignored]] = []
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(root / prefix) as entries:
                for entry in entries:
                    name, folder = prefix + entry.name, entry.is_dir(follow_symlinks=False)
                    shown = _printable(name) + "/" * folder
                    if (why := why_ignored(entry.name, folder)) is not None:
                        ignored.append((shown, why))
                    elif (refusal := _refusal(entry)) is not None:
                        refused.append((shown, refusal))
                    elif folder:
                        pending.append(name + "/")
                    else:
                        photos.append(name)
        except OSError as error:
            if not prefix:
                raise UsageError(f"Cannot list {root}: {error.strerror}.", "Check the path and permissions.") from error
            refused.append((prefix, Refusal("unreadable", f"folder cannot be listed: {error.strerror}")))
    refused.sort(key=lambda item: (item[0], item[1].reason))
    return WalkResult(tuple(sorted(photos)), tuple(refused), tuple(sorted(ignored)))


def twins(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of names that some file systems take for one: equal after NFC normalisation and case folding.

    >>> twins(["a.jpg", "b.jpg", "A.JPG"])
    (('A.JPG', 'a.jpg'),)
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        groups[unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())].append(name)
    return tuple(tuple(group) for _, group in sorted(groups.items()) if len(group) > 1)


def check_folders(source: Path, output: Path | None) -> None:
    """Raises UsageError unless `source` is a readable folder and neither folder lies inside the other.

    Folders are compared by device and inode along all parents, so links, bind mounts and letter case do not deceive.
    `output` need not exist yet.
    """
    try:
        if not source.is_dir():
            what = "is not a folder" if source.exists() else "does not exist"
            raise UsageError(f"The input {source} {what}.", "Give the folder that holds the photos.")
        if not _allowed(source, os.R_OK | os.X_OK):
            raise UsageError(f"The input {source} may not be read.", "Check its permissions.")
        if output is None:
            return
        if output.exists() and not output.is_dir():
            raise UsageError(f"The output {output} is not a folder.", "Name a new or an empty folder.")
        if output.is_symlink() and not output.exists():
            raise UsageError(f"The output {output} is a broken link.", "Name a new or an empty folder.")
        inside, outside = source.resolve(), output.resolve()
        if any(_same(folder, inside) for folder in (outside, *outside.parents)):
            raise UsageError(f"The output {output} lies inside the input {source}.", "Choose a folder beside it.")
        if any(_same(folder, outside) for folder in inside.parents):
            raise UsageError(f"The input {source} lies inside the output {output}.", "Choose a folder beside it.")
    except OSError as error:
        raise UsageError(f"Cannot inspect {source} and {output}: {error.strerror}.", "Check permissions.") from error


def _same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _refusal(entry: os.DirEntry[str]) -> Refusal | None:
    if entry.name != _printable(entry.name):
        return Refusal("bad-name", "the name is not valid UTF-8; rename it")
    if entry.is_symlink():
        return Refusal("symlink", "links are not followed; put the file itself here")
    if entry.is_dir(follow_symlinks=False):
        return None
    if not entry.is_file(follow_symlinks=False):
        return Refusal("special-file", "neither a regular file nor a folder")
    if Path(entry.name).suffix.lower() not in SUFFIXES:
        what, remedy = describe_name(entry.name)
        return Refusal("unsupported", f"it is {what}. {remedy}")
    if not _allowed(entry, os.R_OK):
        return Refusal("unreadable", "no permission to read it")
    return None


def _allowed(path: os.PathLike[str], mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


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
