"""A photograph with its diagnosis: what the published classifiers learn from and are tested on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganonym.types import Sex


@dataclass(frozen=True, slots=True)
class Case:
    """One photograph of one patient.

    `image` is the name by which tables call it, `path` the file. `disorder` None: unknown, to be predicted. `present`
    and `absent` are HPO ids ("HP:0000316"). `age` in years. `split` is a published part of a data set ("train", "test",
    or with the number of a random split, "test 3"); None without one. `simulated`: nobody, made by `ganonym phantom`.
    """

    image: str
    path: Path
    subject: str
    disorder: str | None = None
    sex: Sex | None = None
    age: float | None = None
    ancestry: str | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    split: str | None = None
    simulated: bool = False
