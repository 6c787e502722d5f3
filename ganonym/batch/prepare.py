"""From photographs to what would be released of them: faces found, claimed, counted and privatized; no picture made.

A run does it with its own analysis on disk; a rehearsal does it in a folder that is gone afterwards, so that whatever
the run would refuse, the rehearsal refuses.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ganonym.batch.analysis import ANALYSIS, AnalysisStore
from ganonym.batch.inventory import Inventory
from ganonym.batch.job import BatchJob, CheckedJob, check_job
from ganonym.batch.ledger import digest_of
from ganonym.batch.people import find_same_people, refuse_same_people
from ganonym.batch.pipeline import Engine, Pipeline, Tools, default_pipeline, open_engine
from ganonym.errors import PhotoError
from ganonym.manifest import Row
from ganonym.photos.decode import read_photo
from ganonym.release_plan import (
    Claim,
    ReleasePlan,
    choose_mechanism,
    claim_faces,
    coverable,
    plan_release,
    subjects_of,
)
from ganonym.settings import Settings
from ganonym.types import JSON, FaceRecord, Progress, Refusal

_LISTED = 5
_UNKNOWN_KEY = bytes(32)  # where a run would draw its key, which changes names and draws but nothing that is refused


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be released. `unclaimed` are photos of which no face is, and why; `warnings` name photographs.

    `notes` say the same for everybody, in numbers.
    """

    release: ReleasePlan
    unclaimed: dict[str, Refusal]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would do: its inventory, who is withheld by reason, its release; `warnings` name photographs.

    `subjects` counts the people in the release, `faces` what would be synthesized.
    """

    inventory: Inventory
    reasons: dict[str, int]
    subjects: int
    faces: int
    release: ReleasePlan
    warnings: tuple[str, ...]

    def to_json(self) -> JSON:
        """All of it in numbers, without names of photographs."""
        promise, inventory = self.release.guarantee, self.inventory
        return {
            "dry_run": True,
            "photos": len(inventory.photos),
            "faces": self.faces,
            "subjects": self.subjects,
            "formats": dict(inventory.formats),
            "classes": {label or "": count for label, count in inventory.classes.items()},
            "withheld_classes": [label or "" for label in inventory.small],
            "refused": self.reasons,
            "ignored": dict(inventory.ignored),
            "mechanism": promise.mechanism,
            "mechanism_reason": self.release.why,
            "guarantee": promise.statement,
            "warnings": len(self.warnings),
            "notes": list(inventory.notes),
        }


def prepare(
    checked: CheckedJob, store: AnalysisStore, engine: Engine, pipeline: Pipeline, key: bytes, tell: Progress
) -> Prepared:
    """Analyse what `store` does not hold, and privatize all claimed faces together.

    Raises UsageError when one person would count as several for k-same, or k-same has too few people; GuaranteeBroken
    when the release's own audit refutes it.
    """
    source, settings, inventory = checked.job.source, checked.job.planning, checked.inventory
    analyse_photos(source, checked.photos, store, engine, tell)
    claims, unclaimed = claim_photos(checked.photos, inventory.rows, store, settings)
    repeated = find_same_people(claims, source, engine, inventory.distinct, tell)
    if choose_mechanism(settings, subjects_of(claims))[0] == "k-same":
        refuse_same_people(repeated)
    shape_model = pipeline.load_shape_model()
    release = plan_release(claims, shape_model, key, settings, manifest=inventory.rows is not None)
    warnings = [f"one person under several subjects, {group}" for group in repeated]
    notes = [f"{len(repeated)} people seem to stand under several subjects each, and count as several"]
    taken = _taken_for_largest(claims) if settings.subject_face == "only" else []
    return Prepared(release, unclaimed, (*warnings, *taken), tuple(notes) if repeated else ())


def rehearse_batch(job: BatchJob, pipeline: Pipeline | None = None, progress: Progress | None = None) -> Rehearsal:
    """What `run_batch` would do with the same job, but for making pictures; nothing is written to the output.

    Raises whatever the run would raise before its first picture. What is found on the photographs lies in a temporary
    folder of this user alone meanwhile.
    """
    pipeline = pipeline or default_pipeline()
    tell = progress or (lambda _phase, _done, _total: None)
    settings = job.planning
    checked = check_job(job, pipeline, tell)
    with (
        tempfile.TemporaryDirectory() as folder,
        AnalysisStore(Path(folder) / "analysis.jsonl", analysis_key(checked)) as store,
        open_engine(pipeline, settings) as engine,
    ):
        prepared = prepare(checked, store, engine, pipeline, checked.key or _UNKNOWN_KEY, tell)
    refused = checked.refused | {
        name: refusal for name, refusal in prepared.unclaimed.items() if not coverable(refusal, settings)
    }
    made = [item for item in prepared.release.items if not isinstance(item.face, Refusal)]
    held = [item.face.reason for item in prepared.release.items if isinstance(item.face, Refusal)]
    reasons = Counter([refusal.reason for refusal in refused.values()] + held)
    return Rehearsal(
        inventory=checked.inventory,
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        subjects=len({item.subject for item in made}),
        faces=len(made),
        release=prepared.release,
        warnings=prepared.warnings,
    )


def analysis_key(checked: CheckedJob) -> str:
    """Under which what is found on a photo may be used again: it changes with whatever changes what is found."""
    return digest_of([version("ganonym"), ANALYSIS, checked.header["weights"], checked.job.planning.verify])


def claim_photos(
    photos: Sequence[tuple[str, str]], rows: Mapping[str, Row] | None, store: AnalysisStore, settings: Settings
) -> tuple[list[Claim], dict[str, Refusal]]:
    """The faces of analysed `photos`, (name, SHA-256), that are released; and the photos of which none is, with why."""
    claims: list[Claim] = []
    refused: dict[str, Refusal] = {}
    for photo, digest in photos:
        records = store.read(photo, digest)
        if isinstance(records, Refusal):
            refused[photo] = records
            continue
        faces = claim_faces(photo, digest, records, None if rows is None else rows[photo], settings)
        if isinstance(faces, Refusal):
            refused[photo] = faces
        else:
            claims += faces
    return claims, refused


def _taken_for_largest(claims: Sequence[Claim]) -> list[str]:
    """A warning when faces were taken for the subjects' because they are the largest by far."""
    photos = [claim.photo for claim in claims if claim.others and claim.row is not None and claim.row.face is None]
    if not photos:
        return []
    more = f" and {len(photos) - _LISTED} more" if len(photos) > _LISTED else ""
    named = ", ".join(map(repr, photos[:_LISTED])) + more
    return [f"other people are left out of {named}: is the largest face the subject's? The column `face` can say so"]


def analyse_photos(
    source: Path, photos: Sequence[tuple[str, str]], store: AnalysisStore, engine: Engine, tell: Progress
) -> None:
    """Put into `store` what is found on those `photos`, (name, SHA-256) each, that it does not hold."""
    remaining = [(source, name, digest) for name, digest in photos if (name, digest) not in store]
    done = len(photos) - len(remaining)
    tell("analyse", done, len(photos))
    for (_, name, digest), outcome in engine.stream(_find, remaining):
        store.add(name, digest, outcome)
        done += 1
        tell("analyse", done, len(photos))


def _find(tools: Tools, photo: tuple[Path, str, str]) -> list[FaceRecord]:
    source, name, digest = photo
    rgb, read = read_photo(source, name)
    if read != digest:
        raise PhotoError("changed", f"{name!r} changed while the run was reading it.", "Run again when it is still.")
    faces = tools.analyse(rgb, name)
    if not faces:
        raise PhotoError("no-face", f"{name!r} shows no face that can be found.")
    return faces
