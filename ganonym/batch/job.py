"""What a run is asked to do, and everything that may be refused of it before its first step on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from ganonym.baselines.methods import BaselineSettings
from ganonym.batch.analysis import dataset_digest, fingerprint
from ganonym.batch.inventory import Inventory, take_inventory
from ganonym.batch.ledger import read_ledger
from ganonym.batch.pipeline import Pipeline
from ganonym.batch.replacement import ledgers_of
from ganonym.batch.workspace import Workspace, check_release, check_workspace
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.pseudonym import key_mark, read_key
from ganonym.release_plan import choose_mechanism, withheld_classes
from ganonym.settings import Settings
from ganonym.subjects import canonical_id
from ganonym.types import JSON, Progress, Refusal


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What to do with which folder: every photo below `source` is treated, what is made of them goes to `output`.

    `settings` are those of the anonymizer or of a baseline. `manifest` is the CSV that says who is on which photo,
    `key_file` holds the key of the file names (None: OUT/private/key, drawn where there is none). `after` are output
    folders of earlier releases, whose subjects are withheld from this one; `distinct` is a CSV of subjects who are
    different people although their ids or photos look like one person's.
    """

    source: Path
    output: Path
    settings: Settings | BaselineSettings
    manifest: Path | None = None
    key_file: Path | None = None
    after: Sequence[Path] = ()
    distinct: Path | None = None

    @property
    def planning(self) -> Settings:
        """The settings that inventory and engine read."""
        return self.settings if isinstance(self.settings, Settings) else self.settings.planning()


@dataclass(frozen=True, slots=True)
class CheckedJob:
    """A job that may begin. `photos` are (name, SHA-256) of those to treat, `refused` the others and why.

    `key` is None where a run would draw one. `header` is the ledger's first entry, with the mark of the key that is
    there.
    """

    job: BatchJob
    inventory: Inventory
    photos: tuple[tuple[str, str], ...]
    refused: dict[str, Refusal]
    key: bytes | None
    header: JSON


@dataclass(frozen=True, slots=True)
class Earlier:
    """Who and what was released: canonical ids of subjects, SHA-256 of photographs."""

    subjects: frozenset[str]
    inputs: frozenset[str]


def check_job(job: BatchJob, pipeline: Pipeline, tell: Progress) -> CheckedJob:
    """Check all of a job by reading alone. Raises UsageError and EnvironmentFault, as the run would."""
    settings = job.planning
    inventory = take_inventory(job.source, job.output, settings, job.manifest, job.distinct)
    key = _key_of(job)
    if any(folder.resolve() == job.output.resolve() for folder in job.after):
        raise UsageError(f"--after {job.output} is the output folder itself.", "Name the folders of earlier releases.")
    earlier = released_before(job.after)
    weights = pipeline.weights_digest(settings)
    photos, refused = fingerprints(job.source, inventory, tell)
    again = _released_again(inventory, photos, earlier)
    kept = tuple(photo for photo in photos if photo[0] not in again)
    if photos and not kept:
        raise UsageError("every photo, or its subject, was released before.", "Nothing is left to release.")
    if job.after:
        inventory = _without_released(inventory, kept, settings)
        note = f"released after {len(job.after)} earlier releases, without their people"
        inventory = replace(inventory, notes=(*inventory.notes, note))
    rows = [asdict(row) for _, row in sorted((inventory.rows or {}).items())]
    header: JSON = {
        "kind": "header",
        "version": version("ganonym"),
        "settings": job.settings.relevant(),
        "weights": weights,
        "inputs": dataset_digest(kept, refused | again, rows),
        "key": "" if key is None else key_mark(key),
    }
    space = Workspace(job.output)
    check_release(space, ledgers_of(space), header, job.settings.resume)
    return CheckedJob(job, inventory, kept, refused | again, key, header)


def released_before(folders: Iterable[Path]) -> Earlier:
    """What the output folders of earlier runs released.

    Nobody is released twice, because two releases of one person can be intersected (docs/guarantees.md). The first
    release stays as it is, the new one groups new subjects among themselves. Raises UsageError for a folder without a
    ledger, EnvironmentFault for a ledger that was altered.
    """
    subjects, inputs = set(), set()
    for folder in folders:
        space = Workspace(folder)
        if not any(ledger.is_file() for ledger in ledgers_of(space)):
            raise UsageError(
                f"{folder} is not an output folder of ganonym: no {space.ledger.relative_to(folder)}.",
                "Name the folder of the earlier release, with its private part.",
            )
        for ledger in ledgers_of(space):
            state = read_ledger(ledger)
            if state.problems:
                raise EnvironmentFault(f"the ledger {ledger} was altered ({state.problems[0]}).")
            for entry in state.entries:
                # Once anonymized counts for good: the picture may have been shared before it was removed.
                if entry.get("outcome") == "anonymized":
                    subjects.add(canonical_id(str(entry["subject"])))
                    inputs.add(str(entry["input"]))
    return Earlier(frozenset(subjects), frozenset(inputs))


def _key_of(job: BatchJob) -> bytes | None:
    """The key of file names that a run would use, None where it would draw one. Raises as opening OUT would."""
    check_workspace(job.output)
    kept = Workspace(job.output).key
    if job.key_file is not None:
        return read_key(job.key_file)
    return read_key(kept) if kept.exists() else None


def fingerprints(
    source: Path, inventory: Inventory, tell: Progress
) -> tuple[list[tuple[str, str]], dict[str, Refusal]]:
    """(name, SHA-256) of every photo, and what is refused: by the inventory, or because it cannot be read."""
    photos: list[tuple[str, str]] = []
    refused = dict(inventory.refused)
    for done, name in enumerate(inventory.photos, start=1):
        digest = fingerprint(source, name)
        if isinstance(digest, Refusal):
            refused[name] = digest
        else:
            photos.append((name, digest))
        tell("read", done, len(inventory.photos))
    return photos, refused


def _released_again(inventory: Inventory, photos: Sequence[tuple[str, str]], earlier: Earlier) -> dict[str, Refusal]:
    """Those of `photos`, (name, SHA-256) each, whose subject or very file was released before."""
    refused = {}
    for name, digest in photos:
        if digest in earlier.inputs:
            refused[name] = Refusal("released-before", "this very photo was released before")
        elif canonical_id(inventory.subject_of(name)) in earlier.subjects:
            detail = "its subject was released before; another group would narrow down who it is"
            refused[name] = Refusal("released-before", detail)
    return refused


def _without_released(inventory: Inventory, kept: Sequence[tuple[str, str]], settings: Settings) -> Inventory:
    """The inventory of photos that earlier releases leave. Raises UsageError when k-same lacks people for a group."""
    people = {inventory.subject_of(name): inventory.label_of(name) for name, _ in kept}
    mechanism, why = choose_mechanism(settings, people)
    classes = Counter(people.values())
    few = withheld_classes(settings, classes)
    if mechanism == "k-same" and len(few) == len(classes):
        raise UsageError(
            f"{len(people)} subjects that were not released before are too few for k = {settings.k}.",
            "Add subjects, lower -k, or use --mechanism codebook.",
        )
    return replace(
        inventory,
        photos=tuple(name for name, _ in kept),
        classes=dict(sorted(classes.items(), key=lambda item: str(item[0] or ""))),
        small=few if mechanism == "k-same" else (),
        mechanism=mechanism,
        notes=(why, *inventory.notes[1:]),
    )
