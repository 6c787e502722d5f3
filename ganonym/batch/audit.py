"""Is an output folder what its ledger says? For `ganonym verify`, and for whoever receives a whole folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganonym.batch.ledger import read_ledger, verify_ledger
from ganonym.batch.workspace import Workspace, stray_images
from ganonym.errors import PhotoError, UsageError
from ganonym.photos.encode import prove_clean
from ganonym.weights import sha256_file


@dataclass(frozen=True, slots=True)
class Audit:
    """Number of pictures that were checked, and everything that is wrong, empty when the folder is sound."""

    pictures: int
    problems: tuple[str, ...]


def audit_release(output: Path) -> Audit:
    """Check OUT: ledger chain, every picture there with the bytes the ledger names and clean, no other picture.

    Raises UsageError when `output` is no output folder.
    """
    space = Workspace(output)
    if not space.ledger.is_file():
        raise UsageError(f"{output} is not an output folder of ganonym: no {space.ledger.relative_to(output)}.")
    entries = read_ledger(space.ledger).entries
    problems = [f"ledger: {problem}" for problem in verify_ledger(space.ledger)]
    problems += [f"{name}: not in the ledger" for name in sorted(stray_images(space, entries))]
    items = {entry["name"]: entry for entry in entries if entry["kind"] == "item"}
    pictures = [entry for entry in items.values() if entry["outcome"] == "anonymized"]
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
