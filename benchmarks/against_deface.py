"""Throughput and peak memory of `ganonym anonymize` against `deface`: `python benchmarks/against_deface.py`.

Both treat the same photos in the same run, one after the other, as commands. Startup is left out of the rate: each
runs on N and on 2N photos, and the rate is N over the difference in time. Processor time is printed too, for machines
that have other work: it does not depend on it. Memory is the peak of the summed proportional set sizes of the process
tree, so pages that workers share count once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from PIL import Image

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
TOOLS = ("deface", "ganonym", "ganonym, recognizer")
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run(command: Sequence[str], accepted: tuple[int, ...] = (0,)) -> Cost:
    """Runs `command` to its end. Raises SystemExit with what it printed when its exit code is not accepted."""
    with tempfile.TemporaryFile() as log:
        start, used, peak = time.perf_counter(), processor_seconds(), 0
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, sum(map(memory_of, tree(process.pid))))
            time.sleep(0.05)
        seconds = time.perf_counter() - start
        if process.returncode not in accepted:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)}\nexit code {process.returncode}\n{log.read().decode()[-2000:]}")
    return Cost(seconds, processor_seconds() - used, peak)


def processor_seconds() -> float:
    """User and system time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tree(pid: int) -> list[int]:
    """`pid` and all its living descendants."""
    children = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in path.read_text().split()]
        except OSError:
            continue
    return [pid, *(descendant for child in children for descendant in tree(child))]


def memory_of(pid: int) -> int:
    """Proportional set size in bytes; 0 for a process that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def prepare(source: Path, target: Path, count: int, width: int) -> None:
    """Fills `target` with `count` photos scaled to `width` pixels, and `target`.csv with their subjects."""
    target.mkdir()
    names = sorted(path.name for path in source.glob("*.jpg"))
    if len(names) < count:
        raise SystemExit(f"{source} has {len(names)} photos, {count} are needed")
    for name in names[:count]:
        photo = Image.open(source / name).convert("RGB")
        height = round(photo.height * width / photo.width)
        photo.resize((width, height), Image.Resampling.LANCZOS).save(target / name, quality=92)
    with target.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "subject"), *((name, name.split("_")[0]) for name in names[:count])])


def treat(tool: str, photos: Path, scratch: Path) -> Cost:
    """One run of `tool` over the folder `photos`, from nothing."""
    work = scratch / "work"
    shutil.rmtree(work, ignore_errors=True)
    if tool == "deface":
        # deface writes beside its input; `--output` names one file, so it is of no use for many photos.
        shutil.copytree(photos, work)
        cost, written = run([sys.executable, "-m", "deface.deface", str(work)]), work.glob("*_anonymized.jpg")
    else:
        command = [sys.executable, "-m", "ganonym_cli", "anonymize", str(photos), str(work), "--quiet"]
        command += ["--manifest", str(photos.with_suffix(".csv"))]
        command += ["--verify", "recognizer"] if tool.endswith("recognizer") else []
        cost, written = run(command, accepted=(0, 1)), (work / "images").rglob("*.*")
    count = len(list(photos.iterdir()))
    if (done := len(list(written))) < 0.95 * count:
        raise SystemExit(f"{tool} wrote {done} of {count} photos: its rate means nothing")
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=40, help="N; the second run has 2N")
    parser.add_argument("--width", type=int, default=1350, help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tool", choices=TOOLS, action="append", help="repeatable; default: all")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    source = arguments.data / "london"
    if not source.is_dir():
        print(f"skipped: no photographs at {source} (set GANONYM_DATA or give --data)")
        return
    tools = tuple(arguments.tool or TOOLS)
    n = arguments.photos
    costs: dict[tuple[str, int], list[Cost]] = {(tool, count): [] for tool in tools for count in (n, 2 * n)}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        for count in (n, 2 * n):
            prepare(source, scratch / str(count), count, arguments.width)
        for _ in range(arguments.repeats):
            for tool, count in costs:
                costs[tool, count].append(treat(tool, scratch / str(count), scratch))
    rows: dict[str, dict[str, float]] = {}
    for tool in tools:
        # The fastest of the repeats: whatever else the machine does can only add time.
        short, long = (min(cost.seconds for cost in costs[tool, count]) for count in (n, 2 * n))
        cpu = [min(cost.cpu_seconds for cost in costs[tool, count]) for count in (n, 2 * n)]
        memory = [statistics.median(cost.peak_bytes for cost in costs[tool, count]) / MEBIBYTE for count in (n, 2 * n)]
        if min(long - short, cpu[1] - cpu[0]) <= 0:
            raise SystemExit(f"{tool}: {2 * n} photos took no longer than {n}; the machine is too busy, try again")
        rows[tool] = {
            "photos_per_second": n / (long - short),
            "photos_per_cpu_second": n / (cpu[1] - cpu[0]),
            "startup_seconds": 2 * short - long,
            "peak_mib_n": memory[0],
            "peak_mib_2n": memory[1],
        }
    cores = len(os.sched_getaffinity(0))
    print(f"{n} and {2 * n} photos, {arguments.width} px wide, {cores} cores, deface {version('deface')}")
    print(f"{'':22}{'photos/s':>10}{'× deface':>10}{'/CPU s':>10}{'× deface':>10}{'start s':>9}{'MiB, N':>9}{'2N':>7}")
    for tool, row in rows.items():
        rates = "".join(
            f"{row[kind]:10.2f}" + (f"{row[kind] / rows['deface'][kind]:10.2f}" if "deface" in rows else f"{'–':>10}")
            for kind in ("photos_per_second", "photos_per_cpu_second")
        )
        print(f"{tool:22}{rates}{row['startup_seconds']:9.2f}{row['peak_mib_n']:9.0f}{row['peak_mib_2n']:7.0f}")
    if arguments.json:
        setup = {"photos": n, "width": arguments.width, "repeats": arguments.repeats, "cores": cores}
        arguments.json.write_text(json.dumps({"setup": setup, "tools": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
