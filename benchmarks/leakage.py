"""Identity leakage on real photographs, before and after: `python benchmarks/leakage.py --set london`.

Attacks the originals (the ceiling) and the outputs of `ganonym anonymize` for each mechanism with dlib's recognizer,
the landmark-shape attackers and thumbnails. London: neutral photos are the gallery, smiling ones the probes. Portraits:
everybody's first photo is the gallery, second photos taken years apart are the probes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.evaluate.attack_one import attacks
from ganonym.evaluate.attackers.attacker import Attacker, Rows, Sample, locate, templates
from ganonym.evaluate.attackers.landmark_shape import PLAIN_SHAPE, ShapeView, WhitenedShape
from ganonym.evaluate.attackers.recognizers import DLIB
from ganonym.evaluate.attackers.thumbnails import THUMBNAIL
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.scores import People, Photos
from ganonym.faces.find import judge_backends
from ganonym.photos.decode import read_photo

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETTINGS = (OTHER_PHOTO, SAME_PHOTO, ANONYMIZED)
ATTACKERS: tuple[Attacker, ...] = (DLIB, WhitenedShape(), WhitenedShape(informed=True), PLAIN_SHAPE, THUMBNAIL)
VIEWS = tuple({attacker.view.name: attacker.view for attacker in ATTACKERS}.values())
MECHANISMS = {
    "k-same": [],
    "codebook": [],
    "metric": ["--epsilon", "2", "--link", "subject"],
    "none": ["--i-understand"],
}


@dataclass(frozen=True)
class Photo:
    """One row of the data manifest; `name` is relative to the folder of its set."""

    name: str
    subject: str


def photos_of(data: Path, folder: str) -> list[Photo]:
    """The photos of a set, gallery photo first (neutral before smiling, a before c)."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == folder]
    return [
        Photo(row["path"].removeprefix(f"{folder}/"), row["subject"]) for row in sorted(rows, key=lambda r: r["path"])
    ]


def read_samples(root: Path, names: Sequence[str]) -> list[Sample]:
    backends = judge_backends()
    return [sample for name in names for sample in locate([read_photo(root, name)[0]], *backends)]


def other_people(data: Path, folder: str) -> People:
    """Landmark shapes of the people of the other set who have two photos: what an attacker can learn elsewhere."""
    other = "portraits" if folder == "london" else "london"
    photos = photos_of(data, other)
    count = Counter(photo.subject for photo in photos)
    repeated = [photo for photo in photos if count[photo.subject] > 1]
    samples = read_samples(data / other, [photo.name for photo in repeated])
    return People(templates(ShapeView(), samples), tuple(photo.subject for photo in repeated))


def anonymize(source: Path, out: Path, photos: Sequence[Photo], mechanism: str, k: int) -> dict[str, Path]:
    """Runs the command and returns each photo's output, by keymap; photos in quarantine are missing."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        with manifest.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("image", "subject"), *((photo.name, photo.subject) for photo in photos)])
        command = [sys.executable, "-m", "ganonym_cli", "anonymize", str(source), str(out), "--manifest", str(manifest)]
        command += ["--mechanism", mechanism.removesuffix("-plain"), "--quiet", *MECHANISMS[mechanism]]
        command += ["-k", str(k)] if mechanism.startswith("k-same") else []
        if (code := subprocess.run(command, check=False).returncode) not in (0, 1):
            raise SystemExit(f"ganonym anonymize --mechanism {mechanism} ended with exit code {code}")
    subject = {photo.name: photo.subject for photo in photos}
    with (out / "private" / "keymap.csv").open(encoding="utf-8", newline="") as file:
        # Bystanders in a photo carry a subject of their own.
        rows = [row for row in csv.DictReader(file) if row["subject"] == subject[row["source"]]]
    return {row["source"]: out / row["output"] for row in rows}


def measure(
    before: Mapping[str, Rows], released: Sequence[Sample | None], subjects: Sequence[str], background: People
) -> list[Finding]:
    kept = np.array([sample is not None for sample in released], dtype=bool)
    present = [sample for sample in released if sample is not None]
    after = {name: np.full_like(rows, np.nan) for name, rows in before.items()}
    for view in VIEWS:
        after[view.name][kept] = templates(view, present)
    findings: list[Finding] = []
    for attacker in ATTACKERS:
        seen = attacker.view.name
        # The extra people are described by landmarks only.
        extra = background if isinstance(attacker.view, ShapeView) else None
        photos = Photos(before[seen], after[seen], tuple(subjects), ~kept, background=extra)
        findings += [made.finding for made in attacks(attacker, photos) if made.finding.setting in SETTINGS]
    return findings


def show(title: str, findings: Sequence[Finding]) -> None:
    print(f"\n{title}\n{'attacker':14}" + "".join(f"{setting:>34}" for setting in SETTINGS))
    for name in dict.fromkeys(finding.attacker for finding in findings):
        cells = {finding.setting: finding for finding in findings if finding.attacker == name}
        print(f"{name:14}" + "".join(f"{cell(cells.get(setting)):>34}" for setting in SETTINGS))
    chances = {finding.setting: f"{finding.chance:.3f} of {finding.gallery}" for finding in findings}
    print(f"{'chance':14}" + "".join(f"{chances.get(setting, '–'):>34}" for setting in SETTINGS))


def cell(finding: Finding | None) -> str:
    if finding is None:
        return "–"
    rate = finding.rank1
    failed = f" ✗{finding.failures}" if finding.failures else ""
    return f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}] /{rate.n}{failed}"


def as_json(finding: Finding) -> dict[str, Any]:
    return finding.model_dump()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("london", "portraits"), default="london")
    parser.add_argument("--mechanism", choices=("originals", *MECHANISMS), action="append", help="repeatable")
    parser.add_argument("-k", type=int, default=11)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help="keep the outputs here, one folder a mechanism")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    source = arguments.data / arguments.set
    if not source.is_dir():
        print(f"skipped: no photographs at {source} (set GANONYM_DATA or give --data)")
        return
    photos = photos_of(arguments.data, arguments.set)
    subjects = [photo.subject for photo in photos]
    originals = read_samples(source, [photo.name for photo in photos])
    before = {view.name: templates(view, originals) for view in VIEWS}
    background = other_people(arguments.data, arguments.set)
    print(
        f"{arguments.set}: {len(photos)} photos of {len(set(subjects))} subjects; rank-1 [95 % interval] /n ✗failures"
    )
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for mechanism in dict.fromkeys(["originals", *(arguments.mechanism or ("none", "k-same"))]):
            if mechanism == "originals":
                released: list[Sample | None] = [*originals]
            else:
                out = (arguments.out or Path(temporary)) / f"{arguments.set}-{mechanism}"
                outputs = anonymize(source, out, photos, mechanism, arguments.k)
                result = dict(
                    zip(outputs, read_samples(out, [str(p.relative_to(out)) for p in outputs.values()]), strict=True)
                )
                released = [result.get(photo.name) for photo in photos]
            findings = measure(before, released, subjects, background)
            kept = [sample for sample in released if sample is not None]
            faces = sum(sample.points is not None for sample in kept)
            title = f"{mechanism}, k = {arguments.k}" if mechanism.startswith("k-same") else mechanism
            show(f"{title}: {len(kept)} of {len(photos)} released, a face found in {faces}", findings)
            results[title] = {
                "photos": len(photos),
                "released": len(kept),
                "faces": faces,
                "findings": [as_json(finding) for finding in findings],
            }
    if arguments.json:
        arguments.json.write_text(json.dumps({"set": arguments.set, "results": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
