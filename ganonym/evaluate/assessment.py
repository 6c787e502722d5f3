"""An assessment as its users hold it: what was found, with the reports that can be made of it."""

from __future__ import annotations

from pathlib import Path

from ganonym.evaluate.findings import Assessed
from ganonym.extras import require


class Assessment(Assessed):
    """Everything that was found, with the verdict first: what `ganonym.assess` gives; it can be saved and loaded.

    `strata`: findings over some of the trials; none is judged. Frozen; unknown fields are errors.

    >>> Assessment.load("nowhere")
    Traceback (most recent call last):
    ganonym.errors.UsageError: cannot read the assessment nowhere: No such file or directory. Name an --out of assess.
    """

    def save(self, folder: Path | str) -> list[Path]:
        """Write evidence.html, card.md and assessment.json to `folder`, and return their paths.

        report.html and trials.parquet need the photographs: `assess(…, out=folder)` writes them, too. Raises
        EnvironmentFault when a package for pages lacks, or the folder cannot be written.
        """
        require("assess", "an assessment")
        from ganonym.evaluate.report.write import write_public  # not above: one that is read needs no attackers

        return write_public(Path(folder), self)
