"""The reference phantom cohort, and its release: SIMULATED syndromes on people who do not exist."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cohort import Cohort, Portrait, gather, portraits
from ganonym.classify.crops import ArcFaceCrop, RegionCrops
from ganonym.classify.encoders import read_foundation
from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.classify.learner import Arrays
from ganonym.classify.look import embedded
from ganonym.classify.recipe import load_recipe
from ganonym.types import Floats

PEOPLE, PHOTOS, SEED, K = 24, 2, 5, 11
CONTROL = "PHANTOM-CONTROL"


@dataclass(frozen=True)
class Reference:
    """Ten classes of `PEOPLE` people with `PHOTOS` photographs; `embeddings` (n, d) by the bundled encoder.

    `released` (n,) the portrait of each photograph's release, None without one.
    """

    cohort: Cohort
    foundation: Arrays
    embeddings: Floats
    released: tuple[Portrait | None, ...]
    jobs: int

    @property
    def subjects(self) -> list[str]:
        return list(self.cohort.subjects)

    def of(self, *names: str) -> NDArray[np.intp]:
        """Photographs of classes, named without PHANTOM."""
        wanted = [self.cohort.names.index(f"PHANTOM-{name}") for name in names]
        return np.flatnonzero(np.isin(self.cohort.classes, wanted))


def reference(folder: Path, people: int = PEOPLE) -> Reference:
    """Made in `folder` unless it is there already."""
    jobs = os.cpu_count() or 1
    if not (folder / "people.csv").is_file():
        ganonym("phantom", folder, "--syndromes", "all", "--people", people, "--photos", PHOTOS, "--seed", SEED)
    photos = folder / "photos"
    release = folder / "released"
    if not (release / "private" / "keymap.csv").is_file():
        ganonym("anonymize", photos, release, "--manifest", folder / "people.csv", "-k", K, "--seed", SEED)
    with (release / "private" / "keymap.csv").open(encoding="utf-8", newline="") as file:
        outputs = {row["source"]: release / row["output"] for row in csv.DictReader(file)}
    foundation = read_foundation()
    look = embedded(foundation)
    crops = (*look.crops, ArcFaceCrop(), RegionCrops(load_recipe("deepgestalt").small.model_dump()["side"]))
    cohort = gather(read_cases(folder / "people.csv", photos), jobs, crops=crops)
    paths = [outputs.get(case.image) for case in cohort.cases]
    seen = iter(portraits([path for path in paths if path is not None], look.crops, jobs))
    results = [None if path is None else next(seen) for path in paths]
    return Reference(
        cohort,
        foundation,
        np.asarray(look(cohort.portraits), np.float64),
        tuple(entry if isinstance(entry, Portrait) else None for entry in results),
        jobs,
    )


def ganonym(*arguments: object) -> None:
    command = [sys.executable, "-m", "ganonym_cli", *map(str, arguments), "--quiet"]
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 1):
        raise SystemExit(f"ganonym {arguments[0]} ended with exit code {code}")


def only(cohort: Cohort, photos: NDArray[np.intp]) -> Cohort:
    """Some photographs, with the classes that are left numbered anew."""
    numbers = np.unique(cohort.classes[photos])
    return replace(
        cohort,
        cases=tuple(cohort.cases[row] for row in photos),
        portraits=tuple(cohort.portraits[row] for row in photos),
        names=tuple(cohort.names[number] for number in numbers),
        classes=np.searchsorted(numbers, cohort.classes[photos]).astype(np.intp),
    )
