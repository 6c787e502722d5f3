"""Second looks at a finished output folder that need a face detector or the originals; `audit` does the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganonym.batch.analysis import fingerprint
from ganonym.batch.ledger import read_ledger
from ganonym.batch.workspace import Workspace
from ganonym.errors import PhotoError
from ganonym.faces.find import default_backends, find_faces
from ganonym.photos.decode import read_photo
from ganonym.photos.walk import walk
from ganonym.types import JSON
from ganonym.weights import sha256_file


def recheck_faces(output: Path, advance: Callable[[int, int], None]) -> list[str]:
    """Pictures of OUT that do not show exactly one face, one problem each; `advance` is told (done, total)."""
    space = Workspace(output)
    detector, landmarks = default_backends()
    pictures = sorted(entry["output"] for entry in _items(space) if entry["outcome"] == "anonymized")
    problems = []
    for done, name in enumerate(pictures, start=1):
        try:
            rgb, _ = read_photo(space.images, name)
            found = len(find_faces(rgb, detector, landmarks))
            if found != 1:
                problems.append(f"{name}: {found} faces found, not one")
        except PhotoError as error:
            problems.append(f"{name}: {error}")
        advance(done, len(pictures))
    return problems


def recheck_originals(output: Path, originals: Path) -> list[str]:
    """What in OUT does not agree with the folder it was made from.

    Every file of `originals` must be in the ledger, anonymized or withheld; every source of an output must be there
    with the bytes that were treated; no picture of OUT may be one of the originals.
    """
    space = Workspace(output)
    items = _items(space)
    found = walk(originals)
    present = {*found.photos, *(name for name, _ in found.refused)}
    known = {entry.get("source", entry["name"]) for entry in items}
    problems = [f"{name}: in the originals, but the ledger does not know it" for name in sorted(present - known)]
    digests = {name: fingerprint(originals, name) for name in found.photos}
    for entry in items:
        if entry["outcome"] == "anonymized" and digests.get(entry["source"]) != entry["input"]:
            problems.append(f"{entry['output']}: its source is gone or was changed since")
    copies = {digest for digest in digests.values() if isinstance(digest, str)}
    for path in sorted(space.images.rglob("*")):
        if path.is_file() and sha256_file(path) in copies:
            problems.append(f"{path.relative_to(space.images).as_posix()}: is a copy of an original")
    return problems


def _items(space: Workspace) -> list[JSON]:
    entries = read_ledger(space.ledger).entries
    return list({entry["name"]: entry for entry in entries if entry["kind"] == "item"}.values())
