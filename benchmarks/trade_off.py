"""Every anonymizer on the same real photographs, judged by `ganonym assess`: `python benchmarks/trade_off.py`.

Sets: `london` (81 people, neutral and smiling), `portraits` (298 officials, 53 with a second photo years apart), and
`people`, both as one dataset: 134 people with two photos, which is what a bound of 0.09 needs. A row is a release in
--out: baselines, `deface`, noise, grey squares, synthesis from exact landmarks, and ours at several k; each is made
once and assessed once, so an interrupted run goes on. Ends with `ganonym compare`. Nothing of what it writes may be
published: it shows people.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = {"london": ("london",), "portraits": ("portraits",), "people": ("london", "portraits")}
COLUMNS = ("image", "subject", "expression", "sex", "ethnicity", "age")
OURS = {f"k-same-{k}": ["anonymize", "--mechanism", "k-same", "-k", str(k)] for k in (2, 5, 11, 20)}
OURS["codebook"] = ["anonymize", "--mechanism", "codebook"]
OURS["metric-2"] = ["anonymize", "--mechanism", "metric", "--epsilon", "2", "--link", "subject"]
OURS["exact"] = ["anonymize", "--mechanism", "none", "--i-understand"]
BASELINES = {
    name: ["baseline", name] for name in ("blur", "pixelate", "blackout", "eyebar", "k-same-pixel", "composite")
}
NOTHING = ("noise", "constant")
"""Pictures that say nothing of anybody: what attackers reach on them is chance, or the harness is at fault."""
RELEASES = {**BASELINES, "deface": [], **{name: [] for name in NOTHING}, **OURS}


def prepare(data: Path, folders: tuple[str, ...], out: Path) -> None:
    """`out`/photos and `out`/people.csv, each subject's neutral or first photo before the others."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] in folders]
    rows.sort(key=lambda row: row["path"])
    sex = {row["subject"]: row["sex"] for row in rows if row["sex"]}  # second photographs say nothing
    for row in rows:
        target = out / "photos" / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(data / row["path"], target)
    with (out / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            # The officials' "age" is a date of birth, which is no age at the time of the photograph.
            age = row["age"] if row["age"].isdigit() else ""
            cells = row | {"image": row["path"], "sex": sex.get(row["subject"], ""), "age": age}
            writer.writerow([cells[name] for name in COLUMNS])


def release(name: str, out: Path) -> Path:
    """The folder of a release, made where it is not there yet."""
    target = out / "releases" / name
    if target.is_dir():
        return target
    partial = target.with_name(f"{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    photos = out / "photos"
    if name == "deface":
        shutil.copytree(photos, partial)
        for folder in sorted({path.parent for path in photos.rglob("*.jpg")}):
            run(sys.executable, "-m", "deface.deface", str(partial / folder.relative_to(photos)))
        for path in photos.rglob("*.jpg"):  # deface leaves the originals beside its outputs
            (partial / path.relative_to(photos)).unlink()
    elif name in NOTHING:
        rng = np.random.default_rng(0)
        for path in sorted(photos.rglob("*.jpg")):
            pixels = rng.integers(0, 256, (256, 256, 3)) if name == "noise" else np.full((256, 256, 3), 128)
            blank = (partial / path.relative_to(photos)).with_suffix(".png")
            blank.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(blank)
    else:
        command, *options = RELEASES[name]
        run(*GANONYM, command, *positional(command, options, photos, partial), "--quiet", codes=(0, 1))
    partial.rename(target)
    return target


def positional(command: str, options: list[str], photos: Path, target: Path) -> list[str]:
    """The command's arguments: a baseline's method comes before the folders."""
    first = options[:1] if command == "baseline" else []
    return [*first, str(photos), str(target), *options[len(first) :], "--manifest", str(photos.parent / "people.csv")]


GANONYM = (sys.executable, "-m", "ganonym_cli")


def run(*command: str, codes: tuple[int, ...] = (0,)) -> int:
    code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    if code not in codes:
        raise SystemExit(f"{' '.join(command)} ended with exit code {code}")
    return code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, default="people")
    parser.add_argument("--release", choices=RELEASES, action="append", help="repeatable; all without it")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help="keep releases and assessments here, privately; goes on where it was")
    parser.add_argument("--policy", default="public")
    parser.add_argument("--only-make", action="store_true", help="make the releases, assess nothing")
    arguments = parser.parse_args()
    if not all((arguments.data / folder).is_dir() for folder in SETS[arguments.set]):
        print(f"skipped: no photographs at {arguments.data} (set GANONYM_DATA or give --data)")
        return
    with tempfile.TemporaryDirectory() as temporary:
        trade_off(arguments, (arguments.out or Path(temporary)) / arguments.set)


def trade_off(arguments: argparse.Namespace, out: Path) -> None:
    prepare(arguments.data, SETS[arguments.set], out)
    names = arguments.release or list(RELEASES)
    for name in names:
        started = time.perf_counter()
        folder = release(name, out)
        made = time.perf_counter() - started
        target = out / "assessments" / name
        if not arguments.only_make and not (target / "assessment.json").is_file():
            manifest = ["--manifest", str(out / "people.csv"), "--policy", arguments.policy, "--out", str(target)]
            run(*GANONYM, "assess", str(out / "photos"), str(folder), *manifest, "--quiet", codes=(0, 3))
        print(f"{name}: made in {made:.0f} s, in all {time.perf_counter() - started:.0f} s", flush=True)
    if not arguments.only_make and len(names) > 1:
        assessed = [str(out / "assessments" / name) for name in names]
        run(*GANONYM, "compare", *assessed, "--out", str(out / "comparison"))


if __name__ == "__main__":
    main()
