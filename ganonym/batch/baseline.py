"""A run of a baseline: photos in, the same folder out as `anonymize` writes, and a report that promises nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ganonym.baselines.made_faces import average_groups, mean_picture
from ganonym.baselines.methods import NO_GUARANTEE, BaselineSettings
from ganonym.baselines.report import count, report, table
from ganonym.baselines.treat import Treatment, aligned, load_models, treat
from ganonym.batch.engines import Engine, open_engine
from ganonym.batch.ledger import Ledger, digest_of
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.batch.plan import Plan, plan_batch
from ganonym.batch.replacement import open_release
from ganonym.batch.request import Progress, check_ledger, check_output, fingerprints, header_of
from ganonym.batch.run import RunResult
from ganonym.batch.settle import commit, is_done, quarantined
from ganonym.batch.workspace import Workspace, open_ledger
from ganonym.errors import UsageError
from ganonym.faces.find import default_backends
from ganonym.faces.shape import load_shape
from ganonym.files import discard, write_output, write_private
from ganonym.models import LARGEST_YAW, SMALLEST_FACE
from ganonym.photos.encode import encode_png
from ganonym.pseudonym import key_mark, output_name, pseudonym, read_or_create_key, refuse_collisions
from ganonym.release_plan import ReleaseItem
from ganonym.settings import Settings
from ganonym.types import JSON, RGB, Refusal
from ganonym.weights import read_manifest, verified_path
from ganonym.workers import resident_peak

_FILTERED = Refusal("baseline", "made by a baseline: there is no privatized shape")


@dataclass(frozen=True, slots=True)
class _Job:
    treatment: Treatment
    item: ReleaseItem


def run_baseline(
    source: Path,
    output: Path,
    settings: BaselineSettings,
    manifest: Path | None = None,
    key_file: Path | None = None,
    progress: Progress | None = None,
    distinct: Path | None = None,
) -> RunResult:
    """Treat every photo below `source` by a baseline; write OUT/images, manifest.csv, REPORT.md and private.

    Every photo ends as a picture or in quarantine with a reason. Killed and started again with the same arguments it
    ends with the same bytes. `distinct` and errors are those of `run_batch`.
    """
    started = time.perf_counter()
    tell = progress or (lambda _phase, _done, _total: None)
    batch = _batch_settings(settings)
    plan = plan_batch(source, output, batch, manifest, distinct)
    given = check_output(output, key_file)
    weights = _weights()
    photos, refused = fingerprints(source, plan, tell)
    header = header_of(plan, photos, refused, settings.relevant(), weights, given)
    check_ledger(output, header, settings.resume)
    with open_release(output, header, settings.resume) as (home, space):
        key = given or read_or_create_key(home.key)
        jobs = _jobs(source, photos, plan, settings, key)
        header |= {"key": key_mark(key)}
        with (
            closing(open_ledger(space, header)) as ledger,
            open_engine(Pipeline(_load_tools, load_shape, _weights), batch) as engine,
        ):
            for name, refusal in sorted(refused.items()):
                ledger.settle(quarantined(name, refusal))
            if settings.method == "k-same-pixel":
                made, skipped = _average(jobs, plan, settings.group, ledger, space, engine, tell)
            else:
                made, skipped = _treat(jobs, ledger, space, engine, tell)
            memory = resident_peak() + engine.peak_memory()
            reasons = _write_reports(space, plan, ledger, key, settings)
            ledger.finish(space.sealed())
    return RunResult(
        anonymized=made,
        skipped=skipped,
        quarantined=sum(reasons.values()),
        reasons=reasons,
        ignored=dict(plan.ignored),
        mechanism=f"baseline {settings.method}",
        mechanism_reason=f"{settings.method}, as asked",
        guarantee=NO_GUARANTEE,
        seconds=time.perf_counter() - started,
        peak_memory=memory,
    )


def _batch_settings(settings: BaselineSettings) -> Settings:
    """What planning and the engine need to know: with k-same-pixel the plan refuses fewer than k subjects."""
    return Settings(
        mechanism="k-same" if settings.method == "k-same-pixel" else "none",
        k=settings.group,
        i_understand=True,
        jobs=settings.jobs,
        engine=settings.engine,
        timeout=settings.timeout,
    )


def _jobs(
    source: Path, photos: Sequence[tuple[str, str]], plan: Plan, settings: BaselineSettings, key: bytes
) -> list[_Job]:
    """One for each photo, ordered by output name."""
    jobs = []
    for name, digest in photos:
        item = ReleaseItem(
            name, 0, 0, digest, plan.subject_of(name), output_name(key, name), _FILTERED, plan.label_of(name)
        )
        # Bounds as `anonymize` has them, so that both can be compared on the same photos.
        jobs.append(_Job(Treatment(source, name, digest, settings, SMALLEST_FACE, LARGEST_YAW), item))
    jobs.sort(key=lambda job: job.item.output)
    refuse_collisions(job.item.output for job in jobs)
    return jobs


def _weights(_: Settings | None = None) -> str:
    """Hex SHA-256 over the appearance model's digest, checked on disk, and the names of detector and landmarks."""
    verified_path("appearance")
    parts = [read_manifest()["appearance"].sha256] + [backend.name for backend in default_backends()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _treat(jobs: Sequence[_Job], ledger: Ledger, space: Workspace, engine: Engine, tell: Progress) -> tuple[int, int]:
    """Each photo for itself; returns how many pictures were made and how many were there."""
    remaining, skipped = _remaining(jobs, ledger, space)
    made, done = 0, len(jobs) - len(remaining)
    tell("produce", done, len(jobs))
    for job, outcome in engine.stream(_picture, remaining):
        if isinstance(outcome, Refusal):
            ledger.settle(quarantined(job.item.name, outcome))
        else:
            commit(job.item, outcome[0], ledger, space, {"faces": outcome[1]})
            made += 1
        done += 1
        tell("produce", done, len(jobs))
    return made, skipped


def _average(
    jobs: Sequence[_Job], plan: Plan, k: int, ledger: Ledger, space: Workspace, engine: Engine, tell: Progress
) -> tuple[int, int]:
    """All photos together, since each group needs its members; 200 kB of memory a photo. Returns as `_treat` does.

    A subject's pictures are averaged first, so each subject counts once; all its photos become the group's mean.
    """
    pictures: dict[str, list[RGB]] = {}
    labels: dict[str, str | None] = {}
    wrong: dict[str, Refusal] = {}
    seen = hashlib.sha256()
    for done, (job, outcome) in enumerate(engine.stream(_aligned, jobs), start=1):
        if isinstance(outcome, Refusal):
            wrong[job.item.name] = outcome
            seen.update(f"{job.item.name}\0{outcome.reason}\0".encode("utf-8", "surrogateescape"))
        else:
            pictures.setdefault(job.item.subject, []).append(outcome)
            labels[job.item.subject] = job.item.label
            seen.update(job.item.name.encode("utf-8", "surrogateescape") + b"\0" + outcome.tobytes())
        tell("analyse", done, len(jobs))
    _settle_groups(ledger, seen.hexdigest())
    means = [mean_picture(each) for each in pictures.values()]
    known = None if plan.rows is None else list(labels.values())
    becomes = dict(zip(pictures, average_groups(means, known, k), strict=True))
    remaining, skipped = _remaining(jobs, ledger, space)
    made = 0
    tell("produce", len(jobs) - len(remaining), len(jobs))
    for job in remaining:
        result = wrong.get(job.item.name) or becomes[job.item.subject]
        if isinstance(result, Refusal):
            ledger.settle(quarantined(job.item.name, result))
        else:
            commit(job.item, encode_png(result), ledger, space, {"faces": 1})
            made += 1
    tell("produce", len(jobs), len(jobs))
    return made, skipped


def _settle_groups(ledger: Ledger, digest: str) -> None:
    """Fix the faces that are averaged before the first output: means of other groups could be subtracted."""
    earlier = next((entry for entry in ledger.entries if entry["kind"] == "release"), None)
    if earlier is None:
        ledger.append({"kind": "release", "analysis": digest})
    elif earlier["analysis"] != digest:
        raise UsageError(
            "the photos no longer give the faces that the earlier run averaged.", "Use a new folder, or --no-resume."
        )


def _remaining(jobs: Sequence[_Job], ledger: Ledger, space: Workspace) -> tuple[list[_Job], int]:
    """Jobs that the ledger does not show as done, their pictures removed; and how many pictures are there."""
    remaining = [job for job in jobs if not is_done(ledger.items.get(job.item.name), space)]
    waiting = {job.item.name for job in remaining}
    for job in remaining:
        discard(space.images / job.item.output)
    done = (ledger.items[job.item.name] for job in jobs if job.item.name not in waiting)
    return remaining, sum(entry["outcome"] == "anonymized" for entry in done)


def _write_reports(
    space: Workspace, plan: Plan, ledger: Ledger, key: bytes, settings: BaselineSettings
) -> dict[str, int]:
    """Write all four from the ledger; returns the reasons of what is in quarantine, with their counts."""
    shared, text, _, keymap, quarantine, _ = space.reports
    made = sorted(_with_outcome(ledger, "anonymized"), key=lambda entry: str(entry["output"]))
    held = sorted(_with_outcome(ledger, "quarantined"), key=lambda entry: str(entry["name"]))
    people = {entry["subject"]: pseudonym(key, "subject", entry["subject"]) for entry in made}
    images = {entry["output"]: f"images/{entry['output']}" for entry in made}
    rows = [
        (
            images[entry["output"]],
            people[entry["subject"]],
            plan.label_of(entry["source"]) or "",
            f"none ({settings.method})",
        )
        for entry in made
    ]
    write_output(shared, table(("image", "subject", "syndrome", "protection"), rows))
    secret = [(entry["source"], images[entry["output"]], entry["subject"], people[entry["subject"]]) for entry in made]
    write_private(keymap, table(("source", "output", "subject", "pseudonym"), secret))
    withheld = [(entry["name"], entry["reason"], entry["detail"]) for entry in held]
    write_private(quarantine, table(("source", "reason", "detail"), withheld))
    reasons = count(entry["reason"] for entry in held)
    header = ledger.entries[0]
    by = f"ganonym {header['version']}, settings `{digest_of(header['settings'])}`, weights `{header['weights']}`"
    faces = sum(entry["faces"] for entry in made)
    write_output(text, report(settings, len(made), faces, len(people), reasons, _notes(plan), by))
    return reasons


def _notes(plan: Plan) -> tuple[str, ...]:
    if plan.rows is None:  # the plan's own words speak of a guarantee
        return ("No manifest: every photo counts as a person.", *plan.notes[2:])
    return plan.notes[1:]


def _with_outcome(ledger: Ledger, outcome: str) -> Iterator[JSON]:
    return (entry for entry in ledger.items.values() if entry["outcome"] == outcome)


def _load_tools(_: Settings) -> Tools:
    load_models()
    return Tools(_unused, _unused)


def _unused(*_: object) -> NoReturn:
    raise AssertionError("a baseline neither privatizes nor synthesizes")


def _picture(_: Tools, job: _Job) -> tuple[bytes, int]:
    rgb, faces = treat(job.treatment)
    return encode_png(rgb), faces


def _aligned(_: Tools, job: _Job) -> RGB:
    return aligned(job.treatment)
