"""Is an output folder what its ledger says? For `ganonym verify`, and for whoever receives a whole folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganonym.batch.ledger import read_ledger, verify_ledger
from ganonym.batch.lock import HELD
from ganonym.batch.replacement import arriving, unfinished
from ganonym.batch.workspace import Workspace
from ganonym.errors import PhotoError, UsageError
from ganonym.photos.encode import prove_clean
from ganonym.types import JSON
from ganonym.weights import sha256_file

_PSEUDONYM = re.compile(r"[a-z2-7]{24}")


@dataclass(frozen=True, slots=True)
class Audit:
    """Number of pictures that were checked, and everything that is wrong, empty when the folder is sound."""

    pictures: int
    problems: tuple[str, ...]


def audit_release(output: Path) -> Audit:
    """Check OUT: ledger chain; every picture and report there, with the bytes the ledger names, pictures clean.

    Whatever else lies in OUT is a problem, too: it would be shared along with the release. Raises UsageError when
    `output` is no output folder.
    """
    space = Workspace(output)
    if not space.ledger.is_file():
        if arriving(space).ledger.is_file():
            return Audit(0, tuple(_replacements(space)))
        raise UsageError(f"{output} is not an output folder of ganonym: no {space.ledger.relative_to(output)}.")
    entries = read_ledger(space.ledger).entries
    problems = [f"ledger: {problem}" for problem in verify_ledger(space.ledger)]
    items = {entry["name"]: entry for entry in entries if entry["kind"] == "item"}
    pictures = [entry for entry in items.values() if entry["outcome"] == "anonymized"]
    problems += _replacements(space)
    problems += _strangers(space, entries, pictures)
    problems += _altered_reports(space, entries)
    for entry in pictures:
        path = space.images / entry["output"]
        try:
            if sha256_file(path) != entry["sha256"]:
                problems.append(f"{entry['output']}: altered since it was verified")
            else:
                prove_clean(path.read_bytes())
        except OSError as error:
            problems.append(f"{entry['output']}: {error.strerror}")
        except PhotoError as error:
            problems.append(f"{entry['output']}: {error}")
    if space.private.stat().st_mode & 0o077:
        problems.append(f"private/ is open to other users (mode {space.private.stat().st_mode & 0o777:o})")
    return Audit(len(pictures), tuple(problems))


def _altered_reports(space: Workspace, entries: Sequence[JSON]) -> Iterator[str]:
    """Reports that are not as the ledger's last closing entry has sealed them."""
    closing = next((entry for entry in reversed(entries) if entry["kind"] == "closed"), None)
    if closing is None:
        return
    if "files" not in closing:
        made = f"by ganonym {entries[0].get('version')}"
        yield (
            f"not sealed: {', '.join(space.sealed())} of this release, made {made}, could be altered unseen; run the "
            "command that made it again, which seals them, or make it anew with --no-resume"
        )
        return
    for name, digest in sorted(closing["files"].items()):
        try:
            if sha256_file(space.root / name) != digest:
                yield f"{name}: altered since the run ended"
        except OSError as error:
            yield f"{name}: {error.strerror}"


def _reports(space: Workspace, entries: Sequence[JSON]) -> Iterator[Path]:
    """The reports that the last closing entry names; all that a run may write where none does."""
    closing = next((entry for entry in reversed(entries) if entry["kind"] == "closed"), {})
    yield from (space.root / name for name in closing["files"]) if "files" in closing else space.reports


def _strangers(space: Workspace, entries: Sequence[JSON], pictures: Sequence[JSON]) -> Iterator[str]:
    """Everything in OUT that no run put there; a folder without files unless it is a pseudonym, as names of people are.

    A replacement that is not in its place is not looked into; `_replacements` names it.
    """
    outputs = {f"images/{entry['output']}" for entry in pictures}
    ours = [*_reports(space, entries), space.ledger, space.analysis, space.key, space.lock]
    ours.append(space.lock.with_name(space.lock.name + HELD))
    known = outputs | {path.relative_to(space.root).as_posix() for path in ours}
    apart = {unfinished(space).root, arriving(space).root}
    for path in sorted(space.root.rglob("*")):
        name = path.relative_to(space.root).as_posix()
        if path in apart or not apart.isdisjoint(path.parents):
            continue
        if path.is_dir() and not path.is_symlink():
            empty = not any(path.iterdir()) and path not in (space.images, space.private)
            if empty and not _PSEUDONYM.fullmatch(path.name):
                yield f"{name}/: an empty folder that is not of this release"
        elif name not in known or path.is_symlink() or (path == space.lock and path.stat().st_size):
            yield f"{name}: not of this release, the ledger does not name it"


def _replacements(space: Workspace) -> Iterator[str]:
    """What is left of a run with --no-resume that did not come to its end."""
    if unfinished(space).root.exists():
        name = unfinished(space).root.relative_to(space.root)
        yield f"{name}/: an unfinished run with --no-resume; run it again to replace this release, or remove the folder"
    if arriving(space).root.exists():
        name = arriving(space).root.relative_to(space.root)
        yield f"{name}/: a new release, complete but not all in its place; run the same command again, which ends that"
