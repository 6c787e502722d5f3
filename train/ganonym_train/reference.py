"""Learn the bundled classifier of simulated syndromes from the reference phantom cohort."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganonym.classify.cohort import gather
from ganonym.classify.encoders import read_foundation
from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.classify.learning.discriminant import Discriminant, save_reference
from ganonym.classify.looks import embedded
from ganonym.errors import UsageError


def train_reference(manifest: Path, folder: Path, output: Path, jobs: int, log: Callable[[str], None]) -> None:
    """Write `output`. Raises UsageError unless everybody in `manifest` is simulated: nobody else may be in the file."""
    cases = read_cases(manifest, folder)
    if not all(case.simulated for case in cases):
        raise UsageError(f"{manifest} has people who are not simulated.", "Make one: ganonym phantom --syndromes all")
    look = embedded(read_foundation())
    cohort = gather(cases, jobs, crops=look.crops)
    people = len(set(cohort.subjects))
    log(f"{len(cohort.cases)} photographs of {people} virtual people, {len(cohort.left_out)} left out")
    found = look(cohort.portraits)
    save_reference(output, cohort.names, Discriminant().learn(found, cohort.classes, len(cohort.names), 0))
