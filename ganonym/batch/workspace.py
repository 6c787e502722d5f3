"""The output folder: its layout, its lock, and what an earlier run left in it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ganonym.batch.ledger import Ledger, digest_of, read_ledger, refuse_problems
from ganonym.batch.lock import locked, refuse_locked
from ganonym.errors import UsageError
from ganonym.files import cannot_write, is_partial, make_folder, remove_partials, set_mode
from ganonym.types import JSON

_OUTPUT = re.compile(r"([a-z2-7]{24}/)*[a-z2-7]{24}(-[0-9]+)?\.png")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below OUT. `private` holds names of patients and is never shared."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def private(self) -> Path:
        return self.root / "private"

    @property
    def ledger(self) -> Path:
        return self.private / "ledger.jsonl"

    @property
    def analysis(self) -> Path:
        return self.private / "analysis.jsonl"

    @property
    def key(self) -> Path:
        return self.private / "key"

    @property
    def lock(self) -> Path:
        return self.private / "lock"

    @property
    def reports(self) -> tuple[Path, ...]:
        """What the end of a run writes; the last of whole photos only."""
        shared = (self.root / "manifest.csv", self.root / "REPORT.md", self.root / "guarantee.json")
        return (*shared, self.private / "keymap.csv", self.private / "quarantine.csv", self.private / "review.csv")

    def sealed(self) -> dict[str, Path]:
        """Those of `reports` that there are, by their paths below OUT, for the ledger's closing entry."""
        return {path.relative_to(self.root).as_posix(): path for path in self.reports if path.is_file()}


@contextmanager
def open_workspace(root: Path) -> Iterator[Workspace]:
    """Create OUT where needed and keep other processes out of it. Raises UsageError, EnvironmentFault."""
    space = Workspace(root)
    make_folder(space.root, 0o750)
    make_folder(space.images, 0o750)
    make_folder(space.private, 0o700)
    try:
        set_mode(space.private, 0o700)
    except OSError as error:
        raise cannot_write(space.private, error) from error
    with locked(space.lock):
        remove_partials(space.root)
        yield space


def check_workspace(root: Path) -> None:
    """Refuse what `open_workspace` would, without writing anything: no folder, not writable, another process in it.

    Raises UsageError, EnvironmentFault. What only writing shows (no space, no permissions kept) is not found.
    """
    space = Workspace(root)
    for folder in (space.root, space.images, space.private):
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is not a folder.", "Choose another output.")
    there = [path for path in (space.root, space.images, space.private, space.ledger, space.lock) if path.exists()]
    for path in there or [next(folder for folder in space.root.absolute().parents if folder.exists())]:
        if not os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)):
            code = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
            raise cannot_write(path, OSError(code, os.strerror(code)))
    refuse_locked(space.lock)


def open_ledger(space: Workspace, header: JSON) -> Ledger:
    """The ledger to continue, or a new one that begins with `header`.

    Raises UsageError when the folder holds another release (other inputs, settings, weights, key or version) or
    pictures that no ledger line accounts for: several releases of the same subjects can be averaged, which weakens
    what each promises.
    """
    ledger = Ledger(space.ledger)
    try:
        if ledger.entries:
            _refuse_other(ledger.entries[0], header, space)
        _refuse_strays(space, ledger.entries)
        if not ledger.entries:
            ledger.append(header)
    except BaseException:
        ledger.close()
        raise
    return ledger


def check_release(space: Workspace, ledgers: Sequence[Path], header: JSON, resume: bool) -> None:
    """Refuse what `open_ledger` would, without writing: another release, pictures that are of no run.

    The last of `ledgers` is that of the release; pictures may be of any. With `resume` false, when the release is to be
    replaced, its ledger may say what it likes. Raises as `open_ledger`.
    """
    states = [read_ledger(path) for path in ledgers]
    if resume:
        refuse_problems(ledgers[-1], states[-1])
        if states[-1].entries:
            _refuse_other(states[-1].entries[0], header, space)
    _refuse_strays(space, [entry for state in states for entry in state.entries])


def remove_release(space: Workspace) -> None:
    """Remove a release: the pictures its ledger names, no others, then its reports and analysis, its ledger last."""
    try:
        folders = set()
        for entry in read_ledger(space.ledger).entries:
            output = str(entry.get("output", ""))
            if _OUTPUT.fullmatch(output):
                (space.images / output).unlink(missing_ok=True)
                folders |= {space.images / folder for folder in Path(output).parents if folder.name}
        for folder in sorted(folders, key=lambda path: -len(path.parts)):
            with suppress(OSError):  # not empty: something in it is not of the release
                folder.rmdir()
        for path in (*space.reports, space.analysis, space.ledger):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(space.root, error) from error


def stray_images(space: Workspace, entries: Iterable[JSON]) -> Iterator[str]:
    """Files below OUT/images that no ledger entry names."""
    named = {str(entry["output"]) for entry in entries if entry.get("outcome") == "anonymized"}
    for path in space.images.rglob("*"):
        name = path.relative_to(space.images).as_posix()
        if name not in named and (path.is_symlink() or not path.is_dir()):
            yield name


def _refuse_strays(space: Workspace, entries: Iterable[JSON]) -> None:
    strays = sorted(name for name in stray_images(space, entries) if not is_partial(name))
    if strays:
        raise UsageError(
            f"{space.images} holds {len(strays)} files that are not of this run, {strays[0]} first.",
            "Move them away, or choose a new output folder.",
        )


def _refuse_other(earlier: JSON, header: JSON, space: Workspace) -> None:
    changed = [name for name in header if digest_of(earlier.get(name)) != digest_of(header[name])]
    if changed:
        raise UsageError(
            f"{space.root} holds a release made with other {' and '.join(changed)}; mixing releases of the same people "
            "would weaken the guarantee, because outputs can be averaged.",
            "Use a new output folder, or --no-resume to replace the earlier release.",
        )
