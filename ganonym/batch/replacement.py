"""A release made anew beside the one it replaces, which stays as it is until the new one stands.

`--no-resume` works in OUT/private/next, laid out as OUT is. Once its ledger is closed, one renaming makes that folder
OUT/private/ready, and from then on the new release counts: the old one is removed, its ledger last, then the files of
the new one are put in their places, their ledger last. Where the ledgers lie thus says what is left to do, and whoever
opens OUT next does it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganonym.batch.ledger import digest_of, read_ledger
from ganonym.batch.workspace import Workspace, check_release, open_workspace, remove_release
from ganonym.errors import GanonymError
from ganonym.files import cannot_write, make_folder, sync_folder
from ganonym.types import JSON

KEPT = "Until the new release stands, the earlier one in the output folder stays as it is."
ARRIVING = "The new release is complete; run the same command again: it puts the rest of it in its place."


def unfinished(space: Workspace) -> Workspace:
    """Where a replacement of the release in `space` is made."""
    return Workspace(space.private / "next")


def arriving(space: Workspace) -> Workspace:
    """Where a replacement lies that is complete but not yet in its place."""
    return Workspace(space.private / "ready")


def ledgers_of(space: Workspace) -> list[Path]:
    """The ledgers of `space` that there are; the last is that of the release it holds, or will once it is in place."""
    return [path for path in (space.ledger, arriving(space).ledger) if path.is_file()] or [space.ledger]


@contextmanager
def open_release(root: Path, header: JSON, resume: bool) -> Iterator[tuple[Workspace, Workspace]]:
    """Open OUT for a run: its workspace (lock, key), and the one to make the release in, another without `resume`.

    A replacement that an earlier run completed is put in its place first. One that was begun goes on when `header` is
    the same, and is removed otherwise, also by a run that resumes what is in OUT. When the context ends well, the
    release made is that of OUT. Raises UsageError and EnvironmentFault; the remedy says which release stands.
    """
    with open_workspace(root) as space:
        _put_in_place(space)
        _remove(_waste(space))
        if resume:
            yield space, space
            _discard(space)
            return
        check_release(space, [space.ledger], header, resume)
        place = unfinished(space)
        state = read_ledger(place.ledger)
        if state.problems or not state.entries or digest_of(_said(state.entries[0], header)) != digest_of(header):
            _discard(space)
        try:
            for folder in (place.root, place.images, place.private):
                make_folder(folder, 0o700 if folder == place.private else 0o750)
            yield space, place
        except GanonymError as error:
            _say(error, KEPT)
            raise
        _announce(space)
        _put_in_place(space)


def _said(entry: JSON, header: JSON) -> JSON:
    return {name: entry.get(name) for name in header}


def _announce(space: Workspace) -> None:
    """Make the replacement the release that counts, all of it on the disk."""
    place = unfinished(space)
    try:
        for folder in (place.root, *(path for path in place.root.rglob("*") if path.is_dir())):
            sync_folder(folder)
        place.root.replace(arriving(space).root)
        sync_folder(space.private)
    except OSError as error:
        fault = cannot_write(place.root, error)
        _say(fault, KEPT)
        raise fault from error


def _put_in_place(space: Workspace) -> None:
    """Finish what `_announce` began, from wherever it was left."""
    ready = arriving(space)
    try:
        if ready.ledger.is_file():
            if space.ledger.is_file():
                remove_release(space)
            _move_files(ready, space)
            ready.ledger.replace(space.ledger)
            sync_folder(space.private)
        _remove(ready.root)
    except OSError as error:
        fault = cannot_write(space.root, error)
        _say(fault, ARRIVING)
        raise fault from error
    except GanonymError as error:
        _say(error, ARRIVING)
        raise


def _move_files(ready: Workspace, space: Workspace) -> None:
    folders = set()
    for path in sorted(ready.root.rglob("*")):
        if path.is_dir() or path == ready.ledger:
            continue
        target = space.root / path.relative_to(ready.root)
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        path.replace(target)
        folders |= {folder for folder in target.parents if folder.is_relative_to(space.root)}
    for folder in folders:
        sync_folder(folder)


def _discard(space: Workspace) -> None:
    """Remove an unfinished replacement; renamed first, so that half of it is never taken for one."""
    place = unfinished(space)
    if place.root.is_dir():
        try:
            place.root.replace(_waste(space))
        except OSError as error:
            raise cannot_write(place.root, error) from error
        _remove(_waste(space))


def _waste(space: Workspace) -> Path:
    return space.private / "waste"


def _remove(folder: Path) -> None:
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _say(error: GanonymError, which: str) -> None:
    error.remedy = f"{error.remedy} {which}".strip()
    error.args = (f"{error.message} {error.remedy}",)
