"""The output folder: its layout, its lock, and what an earlier run left in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganonym.batch.files import cannot_write, locked, make_folder, remove_partials
from ganonym.batch.ledger import Ledger, digest_of, read_ledger
from ganonym.errors import UsageError
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
    def reports(self) -> tuple[Path, ...]:
        """What the end of a run writes; the last of whole photos only."""
        shared = (self.root / "manifest.csv", self.root / "REPORT.md", self.root / "guarantee.json")
        return (*shared, self.private / "keymap.csv", self.private / "quarantine.csv", self.private / "review.csv")


@contextmanager
def open_workspace(root: Path) -> Iterator[Workspace]:
    """Create OUT where needed and keep other processes out of it. Raises UsageError, EnvironmentFault."""
    space = Workspace(root)
    make_folder(space.root, 0o750)
    make_folder(space.images, 0o750)
    make_folder(space.private, 0o700)
    try:
        space.private.chmod(0o700)
    except OSError as error:
        raise cannot_write(space.private, error) from error
    with locked(space.private / "lock"):
        remove_partials(space.root)
        yield space


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
        strays = sorted(stray_images(space, ledger.entries))
        if strays:
            raise UsageError(
                f"{space.images} holds {len(strays)} files that are not of this run, {strays[0]} first.",
                "Move them away, or choose a new output folder.",
            )
        if not ledger.entries:
            ledger.append(header)
    except BaseException:
        ledger.close()
        raise
    return ledger


def forget(space: Workspace) -> None:
    """Remove an earlier run's pictures (those its ledger names, no others), its reports, ledger and analysis."""
    try:
        for entry in read_ledger(space.ledger).entries:
            output = str(entry.get("output", ""))
            if _OUTPUT.fullmatch(output):
                (space.images / output).unlink(missing_ok=True)
        for path in (*space.reports, space.analysis, space.ledger):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(space.root, error) from error


def stray_images(space: Workspace, entries: Iterable[JSON]) -> Iterator[str]:
    """Files below OUT/images that no ledger entry names."""
    known = {str(entry["output"]) for entry in entries if entry.get("outcome") == "anonymized"}
    for path in space.images.rglob("*"):
        name = path.relative_to(space.images).as_posix()
        if name not in known and (path.is_symlink() or not path.is_dir()):
            yield name


def _refuse_other(found: JSON, header: JSON, space: Workspace) -> None:
    changed = [name for name in header if digest_of(found.get(name)) != digest_of(header[name])]
    if changed:
        raise UsageError(
            f"{space.root} holds a release made with other {' and '.join(changed)}; mixing releases of the same people "
            "would weaken the guarantee, because outputs can be averaged.",
            "Use a new output folder, or --no-resume to remove the earlier release.",
        )
