"""Everything that a run may refuse before its first step on the disk: for the run itself and for its rehearsal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from ganonym.batch.analysis import dataset_digest, fingerprint
from ganonym.batch.earlier import refuse_released, released_before
from ganonym.batch.pipeline import Pipeline
from ganonym.batch.plan import Plan, plan_batch
from ganonym.batch.replacement import ledgers_of
from ganonym.batch.workspace import Workspace, check_release, check_workspace
from ganonym.errors import UsageError
from ganonym.pseudonym import key_mark, read_key
from ganonym.release_plan import choose_mechanism
from ganonym.settings import Settings
from ganonym.types import JSON, Refusal

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the phase ("read", "analyse", "produce"), how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request. `photos` are (name, SHA-256) of those to treat, `refused` the others; `key` None: none yet.

    `header` is the ledger's, with the mark of the key that is there.
    """

    plan: Plan
    photos: tuple[tuple[str, str], ...]
    refused: dict[str, Refusal]
    key: bytes | None
    header: JSON


def check_request(
    source: Path,
    output: Path,
    settings: Settings,
    manifest: Path | None,
    key_file: Path | None,
    after: Sequence[Path],
    distinct: Path | None,
    pipeline: Pipeline,
    tell: Progress,
) -> Request:
    """Check all of a request by reading alone. Raises UsageError and EnvironmentFault, as the run would."""
    plan = plan_batch(source, output, settings, manifest, distinct)
    key = check_output(output, key_file)
    if any(folder.resolve() == output.resolve() for folder in after):
        raise UsageError(f"--after {output} is the output folder itself.", "Name the folders of earlier releases.")
    earlier = released_before(after)
    weights = pipeline.weights_digest(settings)
    photos, refused = fingerprints(source, plan, tell)
    again = refuse_released(plan, photos, earlier)
    kept = tuple(photo for photo in photos if photo[0] not in again)
    if photos and not kept:
        raise UsageError("every photo, or its subject, was released before.", "Nothing is left to release.")
    if after:
        plan = _without_released(plan, kept, settings)
        plan = replace(plan, notes=(*plan.notes, f"released after {len(after)} earlier releases, without their people"))
    header = header_of(plan, kept, refused | again, settings.relevant(), weights, key)
    check_ledger(output, header, settings.resume)
    return Request(plan, kept, refused | again, key, header)


def check_output(output: Path, key_file: Path | None) -> bytes | None:
    """The key of file names that a run would use, None where it would draw one. Raises as opening OUT would."""
    check_workspace(output)
    kept = Workspace(output).key
    if key_file is not None:
        return read_key(key_file)
    return read_key(kept) if kept.exists() else None


def check_ledger(output: Path, header: JSON, resume: bool) -> None:
    """Refuse an output folder that holds another release, or pictures of none. Raises UsageError, EnvironmentFault."""
    space = Workspace(output)
    check_release(space, ledgers_of(space), header, resume)


def fingerprints(source: Path, plan: Plan, tell: Progress) -> tuple[list[tuple[str, str]], dict[str, Refusal]]:
    """(name, SHA-256) of every photo of the plan, and what is refused: by the plan, or because it cannot be read."""
    photos: list[tuple[str, str]] = []
    refused = dict(plan.refused)
    for done, name in enumerate(plan.photos, start=1):
        digest = fingerprint(source, name)
        if isinstance(digest, Refusal):
            refused[name] = digest
        else:
            photos.append((name, digest))
        tell("read", done, len(plan.photos))
    return photos, refused


def header_of(
    plan: Plan,
    photos: Iterable[tuple[str, str]],
    refused: Iterable[str],
    settings: JSON,
    weights: str,
    key: bytes | None,
) -> JSON:
    """The ledger's first entry: everything that decides what a release holds."""
    rows = [asdict(row) for _, row in sorted((plan.rows or {}).items())]
    return {
        "kind": "header",
        "version": version("ganonym"),
        "settings": settings,
        "weights": weights,
        "inputs": dataset_digest(photos, refused, rows),
        "key": "" if key is None else key_mark(key),
    }


def _without_released(plan: Plan, kept: Sequence[tuple[str, str]], settings: Settings) -> Plan:
    """The plan for the photos that earlier releases leave. Raises UsageError when k-same lacks people for a group."""
    people = {plan.subject_of(name): plan.label_of(name) for name, _ in kept}
    mechanism, why = choose_mechanism(settings, people)
    classes = Counter(people.values())
    merged = settings.small_classes == "merge" and classes.total() - classes[None] >= settings.k
    if mechanism == "k-same" and not merged and max(classes.values(), default=0) < settings.k:
        raise UsageError(
            f"{len(people)} subjects that were not released before are too few for k = {settings.k}.",
            "Add subjects, lower -k, or use --mechanism codebook.",
        )
    few = [label for label, count in classes.items() if count < settings.k and (label is None or not merged)]
    return replace(
        plan,
        photos=tuple(name for name, _ in kept),
        classes=dict(sorted(classes.items(), key=lambda item: str(item[0] or ""))),
        small=tuple(sorted(few, key=str)) if mechanism == "k-same" else (),
        mechanism=mechanism,
        notes=(why, *plan.notes[1:]),
    )
