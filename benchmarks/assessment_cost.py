"""What an assessment costs against the number of photographs: `python benchmarks/assessment_cost.py --people 50 100`.

Photographs of virtual people, two of each, and as release the same ones blurred by `ganonym baseline blur`. Prints
seconds of the phases and peak memory of the command and its workers (the sum of proportional set sizes, sampled).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from against_deface import memory_of, tree

GANONYM = (sys.executable, "-m", "ganonym_cli")


def measured(*command: str, codes: tuple[int, ...] = (0,)) -> tuple[float, int]:
    """Seconds and peak bytes of a command."""
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(memory_of, tree(process.pid))))
        time.sleep(0.2)
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return time.perf_counter() - started, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[50, 100, 250])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    rows = []
    print(f"{'photographs':>12}{'seconds':>10}{'a photo':>10}{'GiB':>8}")
    for people in arguments.people:
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            measured(*GANONYM, "phantom", str(root), "--people", str(people), "--photos", "2", "--seed", "1")
            given = (str(root / "photos"), str(root / "blurred"))
            measured(*GANONYM, "baseline", "blur", *given, "--manifest", str(root / "people.csv"), codes=(0, 1))
            options = ("--manifest", str(root / "people.csv"), "--out", str(root / "out"))
            seconds, peak = measured(*GANONYM, "assess", *given, *options, codes=(0, 3))
        photos = 2 * people
        print(f"{photos:12d}{seconds:10.0f}{seconds / photos:10.2f}{peak / 2**30:8.2f}", flush=True)
        rows.append({"photos": photos, "seconds": seconds, "peak_bytes": peak})
    if arguments.json:
        arguments.json.write_text(json.dumps({"simulated": True, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
