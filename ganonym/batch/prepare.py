"""From photographs to what would be released of them: faces found, claimed, counted and privatized; no picture made.

A run does it with its own analysis on disk; a rehearsal does it in a folder that is gone afterwards, so that whatever
the run would refuse, the rehearsal refuses.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ganonym.batch.analysis import ANALYSIS, AnalysisStore
from ganonym.batch.default import default_pipeline
from ganonym.batch.engines import Engine, open_engine
from ganonym.batch.ledger import digest_of
from ganonym.batch.people import find_same_people, refuse_same_people
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.batch.plan import Plan
from ganonym.batch.request import Progress, Request, check_request
from ganonym.errors import PhotoError
from ganonym.photos.decode import read_photo
from ganonym.release_plan import Claim, ReleasePlan, choose_mechanism, claim_faces, coverable, plan_release, subjects_of
from ganonym.settings import Settings
from ganonym.types import FaceRecord, Refusal

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
    """What a run would do: its plan, who is withheld by reason, its guarantee, and `warnings` that name photographs.

    `subjects` counts the people in the release, `faces` what would be synthesized.
    """

    plan: Plan
    reasons: dict[str, int]
    subjects: int
    faces: int
    release: ReleasePlan
    warnings: tuple[str, ...]


def prepare(
    source: Path,
    request: Request,
    store: AnalysisStore,
    engine: Engine,
    pipeline: Pipeline,
    key: bytes,
    settings: Settings,
    tell: Progress,
) -> Prepared:
    """Analyse what `store` does not hold, and privatize all claimed faces together.

    Raises UsageError when one person would count as several for k-same, or k-same has too few people; GuaranteeBroken
    when the release's own audit refutes it.
    """
    plan, photos = request.plan, request.photos
    _analyse(source, photos, store, engine, tell)
    claims, unclaimed = _claims(plan, photos, store, settings)
    repeated = find_same_people(claims, source, engine, plan.distinct, tell)
    if choose_mechanism(settings, subjects_of(claims))[0] == "k-same":
        refuse_same_people(repeated)
    release = plan_release(claims, pipeline.load_shape_model(), key, settings, manifest=plan.rows is not None)
    warnings = [f"one person under several subjects, {group}" for group in repeated]
    notes = [f"{len(repeated)} people seem to stand under several subjects each, and count as several"]
    taken = _taken_for_largest(claims, settings)
    return Prepared(release, unclaimed, (*warnings, *taken), tuple(notes) if repeated else ())


def rehearse_batch(
    source: Path,
    output: Path,
    settings: Settings,
    manifest: Path | None = None,
    key_file: Path | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress | None = None,
    after: Sequence[Path] = (),
    distinct: Path | None = None,
) -> Rehearsal:
    """What `run_batch` would do with the same arguments, but for making pictures; nothing is written to `output`.

    Raises whatever the run would raise before its first picture. What is found on the photographs lies in a temporary
    folder of this user alone meanwhile.
    """
    pipeline = pipeline or default_pipeline()
    tell = progress or (lambda _phase, _done, _total: None)
    request = check_request(source, output, settings, manifest, key_file, after, distinct, pipeline, tell)
    with (
        tempfile.TemporaryDirectory() as folder,
        AnalysisStore(Path(folder) / "analysis.jsonl", analysis_key(request, settings)) as store,
        open_engine(pipeline, settings) as engine,
    ):
        found = prepare(source, request, store, engine, pipeline, request.key or _UNKNOWN_KEY, settings, tell)
    refused = request.refused | {name: why for name, why in found.unclaimed.items() if not coverable(why, settings)}
    made = [item for item in found.release.items if not isinstance(item.face, Refusal)]
    held = [item.face.reason for item in found.release.items if isinstance(item.face, Refusal)]
    reasons = Counter([refusal.reason for refusal in refused.values()] + held)
    return Rehearsal(
        plan=request.plan,
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        subjects=len({item.subject for item in made}),
        faces=len(made),
        release=found.release,
        warnings=found.warnings,
    )


def analysis_key(request: Request, settings: Settings) -> str:
    """Under which what is found on a photo may be used again: it changes with whatever changes what is found."""
    return digest_of([version("ganonym"), ANALYSIS, request.header["weights"], settings.verify])


def _claims(
    plan: Plan, photos: Sequence[tuple[str, str]], store: AnalysisStore, settings: Settings
) -> tuple[list[Claim], dict[str, Refusal]]:
    """The faces that are released, and the photos of which none is, with the reason."""
    claims: list[Claim] = []
    refused: dict[str, Refusal] = {}
    for photo, digest in photos:
        records = store.read(photo, digest)
        if not isinstance(records, Refusal):
            row = None if plan.rows is None else plan.rows[photo]
            faces = claim_faces(photo, digest, records, row, settings)
            if not isinstance(faces, Refusal):
                claims += faces
                continue
            records = faces
        refused[photo] = records
    return claims, refused


def _taken_for_largest(claims: Sequence[Claim], settings: Settings) -> list[str]:
    """A warning when faces were taken for the subjects' because they are the largest by far."""
    silent = settings.subject_face == "only"
    photos = [
        claim.photo for claim in claims if claim.others and silent and claim.row is not None and claim.row.face is None
    ]
    if not photos:
        return []
    more = f" and {len(photos) - _LISTED} more" if len(photos) > _LISTED else ""
    named = ", ".join(map(repr, photos[:_LISTED])) + more
    return [f"other people are left out of {named}: is the largest face the subject's? The column `face` can say so"]


def _analyse(
    source: Path, photos: Sequence[tuple[str, str]], store: AnalysisStore, engine: Engine, tell: Progress
) -> None:
    remaining = [(source, name, digest) for name, digest in photos if (name, digest) not in store]
    done = len(photos) - len(remaining)
    tell("analyse", done, len(photos))
    for (_, name, digest), outcome in engine.stream(_find, remaining):
        store.add(name, digest, outcome)
        done += 1
        tell("analyse", done, len(photos))


def _find(tools: Tools, photo: tuple[Path, str, str]) -> list[FaceRecord]:
    source, name, digest = photo
    rgb, found = read_photo(source, name)
    if found != digest:
        raise PhotoError("changed", f"{name!r} changed while the run was reading it.", "Run again when it is still.")
    faces = tools.analyse(rgb, name)
    if not faces:
        raise PhotoError("no-face", f"{name!r} shows no face that can be found.")
    return faces
