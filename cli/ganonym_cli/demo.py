"""`ganonym demo`: photographs of virtual people, anonymized, then attacked; nobody's data needed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Advance, Output
from ganonym_cli.options import Jobs, Json, Quiet, Seed
from ganonym_cli.phantom import write_people
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.evaluate.assessment import Finding
    from ganonym.evaluate.attackers.attacker import Attacker, Sample
    from ganonym.types import RGB

PEOPLE, PHOTOS, K, SHOWN = 24, 2, 11, 6
KEY, FRESH = "demo.key", ".new"


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write, replaced.")] = Path("demo"),
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample 48 photos of 24 virtual people, anonymize them with k = 11, attack the result, show a table."""
    from ganonym.batch.run import anonymize_folder
    from ganonym.photos.encode import encode_png
    from ganonym.settings import Settings

    output = Output(as_json, quiet)
    _refuse_other(out)
    fresh = _start_afresh(out)
    photos, anonymized = fresh / "photos", fresh / "anonymized"
    with output.progress() as advance:
        manifest = write_people(photos, PEOPLE, PHOTOS, seed, advance)
        settings = Settings(mechanism="k-same", k=K, seed=seed, jobs=jobs or 0)
        key = _key(fresh, seed)
        run = anonymize_folder(photos, anonymized, settings, manifest=manifest, key_file=key, progress=advance)
        subjects, originals, released = _pairs(manifest, photos, anonymized)
        before, after = _attack(subjects, originals, released, advance)
    (fresh / "sheet.png").write_bytes(encode_png(_sheet(originals, released)))
    _replace(out, fresh)

    table = _table(before, after)
    summary = f"{run.anonymized} photos anonymized, {run.quarantined} withheld. {run.guarantee}."
    payload = {
        "simulated": True,
        "people": PEOPLE,
        "photos": len(originals),
        "anonymized": run.anonymized,
        "withheld": run.quarantined,
        "guarantee": run.guarantee,
        "rank1": [_row(*pair) for pair in zip(before, after, strict=True)],
        "sheet": str(out / "sheet.png"),
    }
    output.result(
        payload, table, summary, f"Side by side: {out / 'sheet.png'}   Report: {out / 'anonymized/REPORT.md'}"
    )


def _refuse_other(out: Path) -> None:
    """Raise UsageError unless `out` is empty, or holds a demo and in its photos nothing that the demo did not make."""
    from ganonym.errors import UsageError

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder.", "Choose another.")
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if found and not found & {KEY, FRESH}:
        raise UsageError(f"{out} is not empty and holds no earlier demo.", "Choose another folder.")
    foreign = [path for path in sorted((out / "photos").rglob("*")) if not path.is_dir() and not _simulated(path, out)]
    if foreign:
        raise UsageError(f"{foreign[0]} is no photo of a demo, and would be removed.", "Choose another folder.")


def _simulated(path: Path, out: Path) -> bool:
    return path.relative_to(out / "photos").parts[0].startswith("phantom-") and not path.is_symlink()


def _start_afresh(out: Path) -> Path:
    """An empty folder inside `out`, where the demo is made; an earlier one stays until it is complete."""
    from ganonym.files import cannot_write

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
    from ganonym.files import cannot_write

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
    import csv

    from ganonym.photos.decode import read_photo

    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (anonymized / "private" / "keymap.csv").open(encoding="utf-8", newline="") as file:
        outputs = {row["source"]: row["output"] for row in csv.DictReader(file)}
    originals = [read_photo(photos, row["image"])[0] for row in rows]
    released = [read_photo(anonymized, outputs[row["image"]])[0] if row["image"] in outputs else None for row in rows]
    return [row["subject"] for row in rows], originals, released


def _attack(
    subjects: Sequence[str], originals: Sequence[RGB], released: Sequence[RGB | None], advance: Advance
) -> tuple[list[Finding], list[Finding]]:
    """Findings on the originals and on the outputs, attacker by attacker in the same order."""
    from ganonym.evaluate.attack_all import attack_samples
    from ganonym.evaluate.attackers.attacker import locate
    from ganonym.evaluate.attackers.landmark_shape import WhitenedShape
    from ganonym.evaluate.attackers.recognizers import DLIB
    from ganonym.faces.find import judge_backends

    backends = judge_backends()
    located: list[Sample | None] = []
    for done, rgb in enumerate((*originals, *released), start=1):
        located.append(None if rgb is None else locate([rgb], *backends)[0])
        advance("find faces", done, 2 * len(originals))
    people = [sample for sample in located[: len(originals)] if sample is not None]
    outputs = located[len(originals) :]
    before: list[Finding] = []
    after: list[Finding] = []
    attackers: tuple[Attacker, ...] = (DLIB, WhitenedShape())
    for done, attacker in enumerate(attackers, start=1):
        before += attack_samples([attacker], people, people, subjects)
        after += attack_samples([attacker], people, outputs, subjects)
        advance("attack", done, len(attackers))
    return before, after


def _row(before: Finding, after: Finding) -> dict[str, object]:
    def rate(finding: Finding) -> dict[str, float]:
        return {"rank1": finding.rank1.value, "low": finding.rank1.low, "high": finding.rank1.high}

    names = {"attacker": after.attacker, "setting": after.setting, "chance": after.chance, "failures": after.failures}
    return names | {"before": rate(before), "after": rate(after)}


def _table(before: Sequence[Finding], after: Sequence[Finding]) -> Table:
    settings = list(dict.fromkeys(finding.setting for finding in after))
    table = Table("attacker", *settings, title=f"Simulated people: {PEOPLE} who do not exist, k = {K}")
    table.caption = (
        "Share of people named at the first guess, before → after [exact 95 % interval].\n"
        f"Blind guessing: {after[0].chance:.0%}; the shape may give 1/{K}, kept expression adds to it."
    )
    for attacker in dict.fromkeys(finding.attacker for finding in after):
        cells = [
            f"{old.rank1.value:.0%} → {new.rank1.value:.0%} [{new.rank1.low:.0%}, {new.rank1.high:.0%}]"
            for old, new in zip(before, after, strict=True)
            if new.attacker == attacker
        ]
        table.add_row(attacker, *cells)
    return table


def _sheet(originals: Sequence[RGB], released: Sequence[RGB | None]) -> RGB:
    """The first people: each photo beside its output, a white square where it was withheld."""
    import numpy as np

    from ganonym.evaluate.sheet import sheet

    blank = np.full((256, 256, 3), 255, dtype=np.uint8)
    pairs = [
        picture
        for rgb, output in zip(originals, released, strict=True)
        for picture in (rgb, blank if output is None else output)
    ]
    width = 2 * PHOTOS
    rows = [pairs[start : start + width] for start in range(0, SHOWN * width, width)]
    return sheet(rows, ["photo", "anonymized"] * PHOTOS)
