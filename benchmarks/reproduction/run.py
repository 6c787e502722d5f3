"""Do published claims hold on simulated syndromes? `python benchmarks/reproduction/run.py` prints a row a claim.

SIMULATED people, drawn from the appearance model with signs at the frequencies that HPO tells: a claim that holds here
may fail on patients, and the other way round; what is tested is that our implementations do what they are for. Each
row compares macro top-1 (or AUROC, where it says so) over the same people, in five folds over people, by paired
bootstrap. "not told apart": the interval holds 0. Under an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

from network_claims import class_weights, ensemble, pretrained, regions
from people_claims import angles, dysmorphism, few_shot, leaks, measured, released
from reference import PEOPLE, reference
from rows import Row

from ganonym.statistics.intervals import Estimate

CLAIMS = (few_shot, angles, leaks, dysmorphism, measured, released, class_weights, ensemble, pretrained, regions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the cohort here, and take it from here")
    parser.add_argument("--people", type=int, default=PEOPLE, help="of each class")
    parser.add_argument("--claim", action="append", choices=[claim.__name__ for claim in CLAIMS])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "The least populated class")
    with tempfile.TemporaryDirectory() as temporary:
        started = time.perf_counter()
        ref = reference(arguments.folder or Path(temporary) / "cohort", arguments.people)
        print(
            f"{len(ref.subjects)} photographs of {len(set(ref.subjects))} people, {time.perf_counter() - started:.0f} s"
        )
        rows: list[Row] = []
        for claim in CLAIMS:
            if arguments.claim and claim.__name__ not in arguments.claim:
                continue
            began = time.perf_counter()
            result = claim(ref)
            rows += result
            for row in result:
                print(line(row), flush=True)
            print(f"    {time.perf_counter() - began:.0f} s", flush=True)
        print(f"{time.perf_counter() - started:.0f} s in all")
    if arguments.json:
        told = [
            {name: value.model_dump() if isinstance(value, Estimate) else value for name, value in vars(row).items()}
            | {"told": row.told}
            for row in rows
        ]
        arguments.json.write_text(json.dumps({"simulated": True, "rows": told}, indent=1), encoding="utf-8")


def line(row: Row) -> str:
    def cell(each: Estimate | None) -> str:
        return "" if each is None else f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"

    values = f"{cell(row.one)} against {cell(row.other)}, difference {cell(row.difference)}" if row.one else ""
    return f"{row.claim} ({row.source}: {row.published or 'no claim'})\n    {row.told}  {values}"


if __name__ == "__main__":
    main()
