"""Second looks at a finished output folder that need a face detector or the originals; `audit` does the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganonym.batch.analysis import fingerprint
from ganonym.batch.ledger import read_ledger
from ganonym.batch.workspace import Workspace
from ganonym.errors import PhotoError
from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.overlap import coincide, stray_boxes
from ganonym.photos.decode import read_photo
from ganonym.photos.source import walk
from ganonym.types import JSON, RGB, Box, Face
from ganonym.weights import sha256_file

_EMPTY = hashlib.sha256(b"").hexdigest()  # an empty lock is no copy of an empty original


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
    found = walk(originals)
    present = {*found.photos, *(name for name, _ in found.refused)}
    known = {entry.get("source", entry["name"]) for entry in items}
    problems = [f"{name}: in the originals, but the ledger does not know it" for name in sorted(present - known)]
    digests = {name: fingerprint(originals, name) for name in found.photos}
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
    found = sum(
        any(coincide(face.box, box) for face in faces) or _seen(rgb, box, detector, landmarks) for box in synthesized
    )
    if found != len(synthesized):
        problems.append(f"{entry['output']}: {found} faces found, not {len(synthesized)}")
    return problems


def _seen(rgb: RGB, box: Box, detector: Detector, landmarks: LandmarkModel) -> bool:
    """Whether a closer look finds a face at `box`."""
    left, top = max(0, round(box.left - box.width / 2)), max(0, round(box.top - box.height / 2))
    part = rgb[top : round(box.bottom + box.height / 2), left : round(box.right + box.width / 2)]
    return bool(part.size) and bool(find_faces(np.ascontiguousarray(part), detector, landmarks))


def _items(space: Workspace) -> list[JSON]:
    entries = read_ledger(space.ledger).entries
    return list({entry["name"]: entry for entry in entries if entry["kind"] == "item"}.values())
