"""How many photographs the informed attacker names, who reruns the mechanism: `python benchmarks/informed.py`.

Several releases of the same photographs under keys of their own, in memory. In the space of rows he sees exactly what
is shown, which no picture tells so well; from `--pictures` he reads outputs with the judge's landmarks, and pairs are
contrasted, too. Printed: the mean rate over the releases with its standard error over them, beside the bound declared.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError, UsageError
from ganonym.evaluate.attack_one import attacks
from ganonym.evaluate.attackers.attacker import Attacker, Rows, Sample, stack
from ganonym.evaluate.attackers.contrastive import Contrastive
from ganonym.evaluate.attackers.informed import READINGS, Informed
from ganonym.evaluate.scores import Photos
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.shape import from_canvas, split
from ganonym.manifest import Row
from ganonym.models import Models, analyse, open_models, produce
from ganonym.photos.decode import read_photo
from ganonym.release_plan import Claim, ReleaseItem, claim_faces, plan_release
from ganonym.settings import Settings
from ganonym.types import RGB, Floats, Refusal

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Photo:
    """A photograph that can be treated: what analysis claims of it, and what is read of it by the judge's landmarks."""

    claim: Claim
    row: Floats
    reading: Rows | None


def photographs(data: Path, sets: Sequence[str], models: Models, limit: int | None) -> Iterator[Photo]:
    """The first `limit` photographs of each set that can be treated; nothing is known of anybody's age and sex."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] in sets]
    count = dict.fromkeys(sets, 0)
    for row in rows:
        if limit is not None and count[row["set"]] >= limit:
            continue
        try:
            rgb, _ = read_photo(data, row["path"])
            records = analyse(rgb, row["path"], models)
            claims = claim_faces(
                row["path"],
                "",
                records,
                Row(row["path"], row["subject"]),
                Settings(policy="public", subject_face="largest"),
            )
        except PhotoError:
            continue
        if isinstance(claims, Refusal) or claims[0].record.row is None:
            continue
        count[row["set"]] += 1
        yield Photo(claims[0], claims[0].record.row, reading(rgb))


def reading(rgb: RGB) -> Rows | None:
    """What is read from a picture; None where no face is found."""
    faces = find_faces(rgb, *judge_backends())
    return READINGS.template(Sample(rgb, faces[0].points)) if faces else None


def shown(item: ReleaseItem, models: Models) -> Floats | None:
    """The row that a private face shows."""
    if isinstance(item.face, Refusal):
        return None
    assert item.face.texture is not None
    model = models.synthesizer.model.shape
    identity, expression = split(from_canvas(item.face.points), model)
    return np.concatenate([identity / model.identity_sd, item.face.texture, expression / model.expression_sd])


def pictured(item: ReleaseItem, photo: Photo, models: Models) -> Rows | None:
    """The reading of an output; None where none is released, or no face is found in it."""
    try:
        return None if isinstance(item.face, Refusal) else reading(produce(item.face, photo.claim.record, models))
    except PhotoError:
        return None


def rates(attacker: Attacker, before: Rows, after: Rows, items: Sequence[ReleaseItem]) -> dict[str, float]:
    """The attacker's rank-1 rate in every setting; empty where there are too few people or photos."""
    groups: NDArray[np.intp] = np.array([-1 if item.group is None else item.group for item in items])
    withheld = np.array([isinstance(item.face, Refusal) for item in items])
    told = groups if (groups >= 0).any() else None
    photos = Photos(before, after, tuple(item.subject for item in items), withheld, groups=told)
    try:
        return {attack.finding.setting: attack.finding.rank1.value for attack in attacks(attacker, photos)}
    except UsageError:
        return {}


def main() -> None:
    """Print a line for each attacker and setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=["portraits", "london"])
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--link", choices=["photo", "subject"], default="photo")
    parser.add_argument("--draws", type=int, default=8, help="releases")
    parser.add_argument("--pictures", type=int, default=1, help="of so many of them the pictures are made and read")
    parser.add_argument("--limit", type=int, default=None, help="photographs of each set")
    given = parser.parse_args()
    if not (given.data / "manifest.csv").is_file():
        parser.exit(1, f"{given.data} has no photographs: point --data or GANONYM_DATA at the development sets.\n")
    models = open_models()
    photos = list(photographs(given.data, given.sets, models, given.limit))
    place = {photo.claim.photo: number for number, photo in enumerate(photos)}
    rows = np.array([photo.row for photo in photos])
    readings = stack((photo.reading for photo in photos), READINGS.width)
    settings = Settings(mechanism="k-same", k=given.k, link=given.link)
    result: dict[tuple[str, str], list[float]] = {}
    for draw in range(given.draws):
        plan = plan_release(
            [photo.claim for photo in photos], models.synthesizer.model.shape, os.urandom(32), settings, manifest=True
        )
        items = sorted(plan.items, key=lambda item: place[item.source])
        if not draw:
            people = len({item.subject for item in items})
            print(f"{len(photos)} photographs of {people} people. {plan.guarantee.statement}", flush=True)
        after = stack((shown(item, models) for item in items), rows.shape[1])
        results = {"informed, rows": rates(Informed(), rows, after, items)}
        if draw < given.pictures:
            outputs = [pictured(item, photo, models) for item, photo in zip(items, photos, strict=True)]
            read = stack(outputs, READINGS.width)
            attackers: list[Attacker] = [Informed(), *(Contrastive(references) for references in (1, 5, None))]
            results |= {f"{attacker.name}, pictures": rates(attacker, readings, read, items) for attacker in attackers}
        for name, own in results.items():
            for setting, value in own.items():
                result.setdefault((name, setting), []).append(value)
    for (name, setting), values in result.items():
        error = f"± {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}" if len(values) > 1 else ""
        print(f"{name:40s} {setting:26s} {np.mean(values):.4f} {error:9s} ({len(values)} releases)", flush=True)


if __name__ == "__main__":
    main()
