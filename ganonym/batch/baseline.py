"""A baseline as the method of a run: the same checks, ledger and folder, and a report that promises nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from ganonym.baselines.made_faces import average_groups, mean_picture
from ganonym.baselines.methods import NO_GUARANTEE, BaselineSettings, report_text
from ganonym.baselines.treat import Treatment, aligned, load_models, treat
from ganonym.batch.ledger import digest_of
from ganonym.batch.outputs import Outcome, Run, produce_all, settle_refused, settle_release
from ganonym.batch.pipeline import FINDER_WEIGHTS, Pipeline, Tools
from ganonym.batch.report import Report, Treated, image, released
from ganonym.batch.wording import count_reasons
from ganonym.faces.find import default_backends
from ganonym.faces.shape import load_shape
from ganonym.models import LARGEST_YAW, SMALLEST_FACE
from ganonym.photos.encode import encode_png
from ganonym.pseudonym import output_name, pseudonym, refuse_collisions
from ganonym.release_plan import ReleaseItem
from ganonym.settings import Settings
from ganonym.types import JSON, RGB, Refusal
from ganonym.weights import read_manifest, verified_path

_WEIGHTS = ("appearance", *FINDER_WEIGHTS)
_FILTERED = Refusal("baseline", "made by a baseline: there is no privatized shape")


def baseline_pipeline() -> Pipeline:
    """Models of the baselines; they neither privatize nor synthesize."""
    return Pipeline(_load_tools, load_shape, _weights_digest)


def apply_baseline(run: Run, settings: BaselineSettings) -> Treated:
    """Every photo as a picture by the baseline's method, or in quarantine with a reason."""
    treatments = _treatments(run, settings)
    settle_refused(run, run.checked.refused)
    if settings.method == "k-same-pixel":
        made, skipped = _average(run, treatments, settings.group)
    else:
        made, skipped = _treat(run, treatments)
    return Treated(
        made,
        skipped,
        _report(run, settings),
        mechanism=f"baseline {settings.method}",
        mechanism_reason=f"{settings.method}, as asked",
        guarantee=NO_GUARANTEE,
    )


def _treatments(run: Run, settings: BaselineSettings) -> dict[str, tuple[ReleaseItem, Treatment]]:
    """One for each photo by its name, ordered by output name."""
    source, inventory = run.checked.job.source, run.checked.inventory
    treatments = []
    for name, digest in run.checked.photos:
        subject, output = inventory.subject_of(name), output_name(run.key, name)
        item = ReleaseItem(name, 0, 0, digest, subject, output, _FILTERED, inventory.label_of(name))
        # Bounds as `anonymize` has them, so that both can be compared on the same photos.
        treatments.append((item, Treatment(source, name, digest, settings, SMALLEST_FACE, LARGEST_YAW)))
    treatments.sort(key=lambda pair: pair[0].output)
    refuse_collisions(item.output for item, _ in treatments)
    return {item.name: (item, treatment) for item, treatment in treatments}


def _treat(run: Run, treatments: Mapping[str, tuple[ReleaseItem, Treatment]]) -> tuple[int, int]:
    """Each photo for itself; returns as `produce_all` does."""

    def work(items: Sequence[ReleaseItem]) -> Iterator[tuple[ReleaseItem, Outcome]]:
        for (item, _), outcome in run.engine.stream(_picture, (treatments[item.name] for item in items)):
            yield item, outcome

    return produce_all(run, [item for item, _ in treatments.values()], work)


def _average(run: Run, treatments: Mapping[str, tuple[ReleaseItem, Treatment]], k: int) -> tuple[int, int]:
    """All photos together, since each group needs its members; 200 kB of memory a photo. Returns as `produce_all` does.

    A subject's pictures are averaged first, so each subject counts once; all its photos become the group's mean.
    """
    pictures: dict[str, list[RGB]] = {}
    labels: dict[str, str | None] = {}
    refused: dict[str, Refusal] = {}
    faces = hashlib.sha256()
    for done, ((item, _), outcome) in enumerate(run.engine.stream(_aligned, treatments.values()), start=1):
        if isinstance(outcome, Refusal):
            refused[item.name] = outcome
            faces.update(f"{item.name}\0{outcome.reason}\0".encode("utf-8", "surrogateescape"))
        else:
            pictures.setdefault(item.subject, []).append(outcome)
            labels[item.subject] = item.label
            faces.update(item.name.encode("utf-8", "surrogateescape") + b"\0" + outcome.tobytes())
        run.tell("analyse", done, len(treatments))
    settle_release(run, faces.hexdigest())
    means = [mean_picture(own) for own in pictures.values()]
    classes = None if run.checked.inventory.rows is None else list(labels.values())
    averages = dict(zip(pictures, average_groups(means, classes, k), strict=True))

    def work(items: Sequence[ReleaseItem]) -> Iterator[tuple[ReleaseItem, Outcome]]:
        for item in items:
            picture = refused.get(item.name) or averages[item.subject]
            yield item, picture if isinstance(picture, Refusal) else (encode_png(picture), {"faces": 1})

    return produce_all(run, [item for item, _ in treatments.values()], work)


def _report(run: Run, settings: BaselineSettings) -> Report:
    lines, inventory, header = released(run.ledger), run.checked.inventory, run.ledger.entries[0]
    people = {line["subject"]: pseudonym(run.key, "subject", line["subject"]) for line in lines}
    rows = [
        (
            image(line),
            people[line["subject"]],
            inventory.label_of(line["source"]) or "",
            f"none ({settings.method})",
        )
        for line in lines
    ]
    notes = inventory.notes[1:]
    if inventory.rows is None:  # the inventory's own words speak of a guarantee
        notes = ("No manifest: every photo counts as a person.", *inventory.notes[2:])
    made = f"ganonym {header['version']}, settings `{digest_of(header['settings'])}`, weights `{header['weights']}`"
    faces = sum(line["faces"] for line in lines)
    reasons = count_reasons(run.ledger.items.values())
    text = report_text(settings, len(lines), faces, len(people), reasons, notes, made)
    return Report(("image", "subject", "syndrome", "protection"), rows, text)


def _weights_digest(_: Settings | None = None) -> str:
    """Hex SHA-256 over the digests of the weights, checked on disk, and the names of detector and landmarks."""
    for name in _WEIGHTS:
        verified_path(name)
    entries = read_manifest()
    parts = [entries[name].sha256 for name in _WEIGHTS] + [backend.name for backend in default_backends()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _load_tools(_: Settings) -> Tools:
    load_models()
    return Tools(_unused, _unused)


def _unused(*_: object) -> NoReturn:
    raise AssertionError("a baseline neither privatizes nor synthesizes")


def _picture(_: Tools, work: tuple[ReleaseItem, Treatment]) -> tuple[bytes, JSON]:
    rgb, faces = treat(work[1])
    return encode_png(rgb), {"faces": faces}


def _aligned(_: Tools, work: tuple[ReleaseItem, Treatment]) -> RGB:
    return aligned(work[1])
