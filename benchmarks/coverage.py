"""How many photographs are anonymized, and why the rest are not: `python benchmarks/coverage.py`."""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from collections import Counter
from pathlib import Path

from ganonym.batch.run import anonymize_folder
from ganonym.settings import Settings

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
BARS = {"london": 0.99, "synthetic": 0.95, "portraits": 0.97}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the development sets (%(default)s)")
    parser.add_argument("--only", choices=BARS, help="only this set")
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else BARS:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            result = anonymize_folder(arguments.data / name, out, Settings(mechanism="k-same"))
            with (out / "private" / "keymap.csv").open(encoding="utf-8", newline="") as file:
                treated = {row["source"] for row in csv.DictReader(file)}
            with (out / "private" / "quarantine.csv").open(encoding="utf-8", newline="") as file:
                withheld = [(row["source"], row["reason"]) for row in csv.DictReader(file)]
        photos = sum(1 for path in (arguments.data / name).iterdir() if path.suffix == ".jpg")
        share = len(treated) / photos
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(r for _, r in withheld).items())
        print(
            f"{name}: {len(treated)} of {photos} photos ({share:.1%}, bar {BARS[name]:.0%}), "
            f"{result.anonymized} faces; withheld: {reasons or 'none'}; "
            f"{result.rate:.1f} faces/s, {result.peak_memory / 2**30:.2f} GiB"
        )


if __name__ == "__main__":
    main()
