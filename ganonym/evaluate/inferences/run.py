"""What released pictures tell beyond names: attributes, who is among the released, and whose faces they borrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.assessment import Inference
from ganonym.evaluate.attackers.attacker import locate, templates
from ganonym.evaluate.attackers.recognizers import DLIB, DlibView
from ganonym.evaluate.inferences.attributes import infer_attributes
from ganonym.evaluate.inferences.membership import donor_leak, membership
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import People
from ganonym.faces.find import judge_backends
from ganonym.photos.decode import read_photo

VIEWS = ("dlib", "landmarks", "thumbnail")


def infer_all(
    seen: Seen, release: Release, donors: Sequence[tuple[Path, str]], seed: int
) -> tuple[list[Inference], list[str]]:
    """Every inference there are people enough for, and notes on the others.

    Raises PhotoError for a broken donor, UsageError where donors are given and there are too few people to judge.
    """
    out = [index for index, item in enumerate(release.items) if item.released is not None]
    rows = [release.items[index].row for index in out]
    inferences, notes = infer_attributes(rows, release.columns, [seen.released[name][out] for name in VIEWS], seed)
    before, after = seen.originals[DLIB.name], seen.released[DLIB.name]
    try:
        inferences.append(membership(before, after, release.subjects, "recognizer", seed=seed))
    except UsageError as error:
        notes.append(f"not evaluated: {error}")
    if donors:  # asked for: that it cannot be answered is no answer
        inferences.append(donor_leak(after, before, release.subjects, _people(donors), "donors", seed=seed))
    return inferences, notes


def _people(photos: Sequence[tuple[Path, str]]) -> People:
    """Descriptors of donors in whose photo a face is found."""
    samples = locate([read_photo(path.parent, path.name)[0] for path, _ in photos], *judge_backends())
    faces = templates(DlibView(), samples)
    acquired: NDArray[np.bool_] = np.asarray(np.isfinite(faces).all(axis=1))
    return People(faces[acquired], tuple(name for (_, name), there in zip(photos, acquired, strict=True) if there))
