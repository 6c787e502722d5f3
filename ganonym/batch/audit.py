"""Is an output folder what its ledger says? For `ganonym verify`, and for whoever receives a whole folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganonym.batch.analysis import fingerprint
from ganonym.batch.ledger import read_ledger, verify_ledger
from ganonym.batch.lock import HELD
from ganonym.batch.replacement import arriving, unfinished
from ganonym.batch.workspace import Workspace
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.overlap import coincide, stray_boxes
from ganonym.photos.decode import read_photo
from ganonym.photos.encode import prove_clean
from ganonym.photos.source import walk
from ganonym.types import JSON, RGB, Box, Face
from ganonym.weights import sha256_file

_PSEUDONYM = re.compile(r"[a-z2-7]{24}")
_EMPTY = hashlib.sha256(b"").hexdigest()  # an empty lock is no copy of an empty original


@dataclass(frozen=True, slots=True)
class Audit:
    """Number of pictures that were checked, and everything that is wrong, empty when the folder is sound."""

    pictures: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify_release` found: everything that is wrong by the name of the check, empty where all is well.

    `made_by` is "anonymize" or "baseline METHOD". `notes` say what was not checked, and why.
    """

    pictures: int
    made_by: str
    problems: dict[str, list[str]]
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return not any(self.problems.values())

    @property
    def exit_code(self) -> int:
        """0 when everything is as it should be, else 3."""
        return 0 if self.sound else 3

    def to_json(self) -> JSON:
        """All of it, for the steward: problems may name photographs."""
        return {
            "sound": self.sound,
            "pictures": self.pictures,
            "made_by": self.made_by,
            "problems": self.problems,
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


def verify_release(
    output: Path, originals: Path | None = None, progress: Callable[[str, int, int], None] = lambda *_: None
) -> Verification:
    """Check a finished output folder again, trusting nothing but its ledger: `audit_release`, then the faces in it.

    With `originals`, the folder it was made from, also its completeness. Pictures of a baseline are not looked at:
    it says nothing of the faces that they should show. Raises UsageError when `output` is no output folder.
    """
    audit = audit_release(output)
    entries = read_ledger(Workspace(output).ledger).entries
    method = entries[0].get("settings", {}).get("baseline") if entries else None
    problems = {"ledger, digests, metadata, strays": list(audit.problems)}
    notes = []
    if method is None:
        problems["one face each"] = recheck_faces(output, lambda done, total: progress("look for faces", done, total))
    else:
        notes.append(f"made by the baseline {method}, which promises nothing: its faces were not looked at")
    if originals is not None:
        problems["agrees with the originals"] = recheck_originals(output, originals)
    return Verification(audit.pictures, f"baseline {method}" if method else "anonymize", problems, tuple(notes))


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
    named = outputs | {path.relative_to(space.root).as_posix() for path in ours}
    apart = {unfinished(space).root, arriving(space).root}
    for path in sorted(space.root.rglob("*")):
        name = path.relative_to(space.root).as_posix()
        if path in apart or not apart.isdisjoint(path.parents):
            continue
        if path.is_dir() and not path.is_symlink():
            empty = not any(path.iterdir()) and path not in (space.images, space.private)
            if empty and not _PSEUDONYM.fullmatch(path.name):
                yield f"{name}/: an empty folder that is not of this release"
        elif name not in named or path.is_symlink() or (path == space.lock and path.stat().st_size):
            yield f"{name}: not of this release, the ledger does not name it"


def _replacements(space: Workspace) -> Iterator[str]:
    """What is left of a run with --no-resume that did not come to its end."""
    if unfinished(space).root.exists():
        name = unfinished(space).root.relative_to(space.root)
        yield f"{name}/: an unfinished run with --no-resume; run it again to replace this release, or remove the folder"
    if arriving(space).root.exists():
        name = arriving(space).root.relative_to(space.root)
        yield f"{name}/: a new release, complete but not all in its place; run the same command again, which ends that"


def recheck_faces(output: Path, advance: Callable[[int, int], None]) -> list[str]:
    """Pictures of OUT that do not show exactly the faces they should; `advance` is told (done, total).

    One face each; in a whole photo those that the ledger names as synthesized, and none beside them and the covers.
    """
    space = Workspace(output)
    detector, landmarks = judge_backends()
    pictures = sorted(
        (entry for entry in _items(space) if entry["outcome"] == "anonymized"), key=lambda entry: str(entry["output"])
    )
    problems = []
    for done, entry in enumerate(pictures, start=1):
        name = entry["output"]
        try:
            rgb, _ = read_photo(space.images, name)
            faces = find_faces(rgb, detector, landmarks)
            if "synthesized" in entry:
                problems += _photo_problems(rgb, faces, entry, detector, landmarks)
            elif len(faces) != 1:
                problems.append(f"{name}: {len(faces)} faces found, not one")
        except PhotoError as error:
            problems.append(f"{name}: {error}")
        advance(done, len(pictures))
    return problems


def recheck_originals(output: Path, originals: Path) -> list[str]:
    """What in OUT does not agree with the folder it was made from.

    Every file of `originals` must be in the ledger, anonymized or withheld; every source of an output must be there
    with the bytes that were treated; no file of OUT may be one of the originals.
    """
    space = Workspace(output)
    items = _items(space)
    listing = walk(originals)
    present = {*listing.photos, *(name for name, _ in listing.refused)}
    named = {entry.get("source", entry["name"]) for entry in items}
    problems = [f"{name}: in the originals, but the ledger does not know it" for name in sorted(present - named)]
    digests = {name: fingerprint(originals, name) for name in listing.photos}
    for entry in items:
        if entry["outcome"] == "anonymized" and digests.get(entry["source"]) != entry["input"]:
            problems.append(f"{entry['output']}: its source is gone or was changed since")
    copies = {digest for digest in digests.values() if isinstance(digest, str)} - {_EMPTY}
    for path in sorted(space.root.rglob("*")):
        if path.is_file() and sha256_file(path) in copies:
            problems.append(f"{path.relative_to(space.root).as_posix()}: is a copy of an original")
    return problems


def _photo_problems(
    rgb: RGB, faces: list[Face], entry: JSON, detector: Detector, landmarks: LandmarkModel
) -> list[str]:
    synthesized = [Box(*corners) for corners in entry["synthesized"]]
    covered = [Box(*corners) for corners in (*entry["covered"], *(entry.get("text") or ()))]
    strays = len(stray_boxes([face.box for face in faces], synthesized, covered))
    problems = [f"{entry['output']}: {strays} faces found that were not synthesized"] if strays else []
    seen = sum(
        any(coincide(face.box, box) for face in faces) or _seen(rgb, box, detector, landmarks) for box in synthesized
    )
    if seen != len(synthesized):
        problems.append(f"{entry['output']}: {seen} faces found, not {len(synthesized)}")
    return problems


def _seen(rgb: RGB, box: Box, detector: Detector, landmarks: LandmarkModel) -> bool:
    """Whether a closer look finds a face at `box`."""
    left, top = max(0, round(box.left - box.width / 2)), max(0, round(box.top - box.height / 2))
    part = rgb[top : round(box.bottom + box.height / 2), left : round(box.right + box.width / 2)]
    return bool(part.size) and bool(find_faces(np.ascontiguousarray(part), detector, landmarks))


def _items(space: Workspace) -> list[JSON]:
    entries = read_ledger(space.ledger).entries
    return list({entry["name"]: entry for entry in entries if entry["kind"] == "item"}.values())
