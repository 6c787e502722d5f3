"""The demonstration: photographs of virtual people, anonymized, then attacked; nobody's data needed."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganonym.batch.run import RunResult, anonymize_folder
from ganonym.errors import UsageError
from ganonym.evaluate.attack_all import attack_samples
from ganonym.evaluate.attackers.attacker import Attacker, Sample, locate
from ganonym.evaluate.attackers.landmark_shape import WhitenedShape
from ganonym.evaluate.attackers.recognizers import DLIB
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.sheet import sheet
from ganonym.faces.find import judge_backends
from ganonym.files import cannot_write
from ganonym.phantom.write import write_people
from ganonym.photos.decode import read_photo
from ganonym.photos.encode import encode_png
from ganonym.settings import Settings
from ganonym.types import RGB, Progress

PEOPLE, PHOTOS, K, SHOWN = 24, 2, 11, 6
KEY, FRESH = "demo.key", ".new"


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demonstration made in its folder: the run, how many photos, and attacks before and after, in one order."""

    run: RunResult
    photos: int
    before: Sequence[Finding]
    after: Sequence[Finding]


def make_demo(out: Path, seed: int = 0, jobs: int = 0, tell: Progress = lambda *_: None) -> Demo:
    """Photographs of `PEOPLE` virtual people in `out`/photos, anonymized with k-same in `out`/anonymized, and attacked.

    `out`/sheet.png shows photos beside outputs. The same seed gives the same files. An earlier demo in `out` stays
    until the new one is complete. Needs no extra. Raises UsageError when `out` holds anything else, EnvironmentFault
    when it cannot be written.
    """
    _refuse_other(out)
    fresh = _start_afresh(out)
    photos, anonymized = fresh / "photos", fresh / "anonymized"
    manifest = write_people(photos, PEOPLE, PHOTOS, seed, tell)
    settings = Settings(mechanism="k-same", k=K, seed=seed, jobs=jobs)
    key = _key(fresh, seed)
    run = anonymize_folder(photos, anonymized, settings, manifest=manifest, key_file=key, progress=tell)
    subjects, originals, released = _pairs(manifest, photos, anonymized)
    before, after = _attack(subjects, originals, released, tell)
    (fresh / "sheet.png").write_bytes(encode_png(_sheet(originals, released)))
    _replace(out, fresh)
    return Demo(run, len(originals), before, after)


def _refuse_other(out: Path) -> None:
    """Raise UsageError unless `out` is empty, or holds a demo and in its photos nothing that the demo did not make."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder.", "Choose another.")
    present = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if present and not present & {KEY, FRESH}:
        raise UsageError(f"{out} is not empty and holds no earlier demo.", "Choose another folder.")
    foreign = [path for path in sorted((out / "photos").rglob("*")) if not path.is_dir() and not _simulated(path, out)]
    if foreign:
        raise UsageError(f"{foreign[0]} is no photo of a demo, and would be removed.", "Choose another folder.")


def _simulated(path: Path, out: Path) -> bool:
    return path.relative_to(out / "photos").parts[0].startswith("phantom-") and not path.is_symlink()


def _start_afresh(out: Path) -> Path:
    """An empty folder inside `out`, where the demo is made; an earlier one stays until it is complete."""
    fresh = out / FRESH
    try:
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(fresh, error) from error
    return fresh


def _replace(out: Path, fresh: Path) -> None:
    """Put what was made in place of an earlier demo; killed at it, the next demo begins anew."""
    try:
        for path in sorted(fresh.iterdir()):
            if (out / path.name).is_dir():
                shutil.rmtree(out / path.name)
            path.replace(out / path.name)
        fresh.rmdir()
    except OSError as error:
        raise cannot_write(out, error) from error


def _key(folder: Path, seed: int) -> Path:
    """A key that follows from the seed, so that the same seed gives the same demo. Real releases draw theirs."""
    path = folder / KEY
    path.touch(mode=0o600)
    path.write_text(hashlib.sha256(f"ganonym demo {seed}".encode()).hexdigest())
    return path


def _pairs(manifest: Path, photos: Path, anonymized: Path) -> tuple[list[str], list[RGB], list[RGB | None]]:
    """Subject, original and output (None: withheld) of every photo, in the manifest's order."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (anonymized / "private" / "keymap.csv").open(encoding="utf-8", newline="") as file:
        outputs = {row["source"]: row["output"] for row in csv.DictReader(file)}
    originals = [read_photo(photos, row["image"])[0] for row in rows]
    released = [read_photo(anonymized, outputs[row["image"]])[0] if row["image"] in outputs else None for row in rows]
    return [row["subject"] for row in rows], originals, released


def _attack(
    subjects: Sequence[str], originals: Sequence[RGB], released: Sequence[RGB | None], tell: Progress
) -> tuple[list[Finding], list[Finding]]:
    """Findings on the originals and on the outputs, attacker by attacker in the same order."""
    backends = judge_backends()
    located: list[Sample | None] = []
    for done, rgb in enumerate((*originals, *released), start=1):
        located.append(None if rgb is None else locate([rgb], *backends)[0])
        tell("find faces", done, 2 * len(originals))
    people = [sample for sample in located[: len(originals)] if sample is not None]
    outputs = located[len(originals) :]
    before: list[Finding] = []
    after: list[Finding] = []
    attackers: tuple[Attacker, ...] = (DLIB, WhitenedShape())
    for done, attacker in enumerate(attackers, start=1):
        before += attack_samples([attacker], people, people, subjects)
        after += attack_samples([attacker], people, outputs, subjects)
        tell("attack", done, len(attackers))
    return before, after


def _sheet(originals: Sequence[RGB], released: Sequence[RGB | None]) -> RGB:
    """The first people: each photo beside its output, a white square where it was withheld."""
    blank = np.full((256, 256, 3), 255, dtype=np.uint8)
    pairs = [
        picture
        for rgb, output in zip(originals, released, strict=True)
        for picture in (rgb, blank if output is None else output)
    ]
    width = 2 * PHOTOS
    rows = [pairs[start : start + width] for start in range(0, SHOWN * width, width)]
    return sheet(rows, ["photo", "anonymized"] * PHOTOS)
