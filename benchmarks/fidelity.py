"""What a release keeps of its photographs, on real and on synthetic people: `python benchmarks/fidelity.py`.

Anonymizes the sets in memory for every k (one release each, kept together by subject), reads the outputs with the
judge's landmarks as every assessment does (`ganonym.evaluate.utility.fidelity`), and prints one row a measure: what the
originals allow, then each release, then what the outputs of other people give. `--expressions` names the expression of
labelled photographs (`data/emotions`) from the outputs by a discriminant that has learned on originals of other people.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.classify.learning.tabular import Discriminant
from ganonym.errors import PhotoError
from ganonym.evaluate.attackers.readings import read
from ganonym.evaluate.utility.fidelity import expression_measures, fidelity
from ganonym.evaluate.utility.inputs import CROP_SIDE, UtilityInputs
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.shape import load_shape, normalize
from ganonym.manifest import Row
from ganonym.models import Models, analyse, open_models, produce
from ganonym.photos.decode import read_photo
from ganonym.release_plan import Claim, claim_faces, plan_release
from ganonym.settings import Settings
from ganonym.types import RGB, Floats, Points, Refusal

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
NAMED = (
    "neutral",
    "happy",
    "sad",
    "angry",
    "surprised",
    "disgusted",
    "scared",
    "exhausted",
    "shocked",
    "smug",
    "playful",
)
SHOWN = 176
COPIES = {"generated/c49.jpg", "generated/c40.jpg", "generated/c46.jpg"}
"""Pictures that are in the set twice, under two names."""


@dataclass(frozen=True)
class Photo:
    """A photograph that can be treated: its row, what analysis claims of it, and what the judge reads of it."""

    row: Row
    claim: Claim
    points: Points
    coordinates: Floats


def photographs(data: Path, sets: Sequence[str], models: Models, limit: int | None) -> Iterator[Photo]:
    """The first `limit` photographs of each set in which maker and judge find one face."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] in sets and row["path"] not in COPIES]
    count = dict.fromkeys(sets, 0)
    for row in rows:
        if limit is not None and count[row["set"]] >= limit:
            continue
        rgb, _ = read_photo(data, row["path"])
        age = float(row["age"]) if row["age"] and "-" not in row["age"] else None
        stated = Row(row["path"], row["subject"], age=age, expression=row["expression"] or None)
        try:
            claims = claim_faces(
                row["path"], "", analyse(rgb, row["path"], models), stated, Settings(subject_face="largest")
            )
        except PhotoError:
            continue
        seen = judged(rgb)
        if isinstance(claims, Refusal) or seen is None:
            continue
        count[row["set"]] += 1
        yield Photo(stated, claims[0], *seen)


def judged(rgb: RGB) -> tuple[Points, Floats] | None:
    """Landmarks and coordinates as the judge reads them; None where it finds no face."""
    faces = find_faces(rgb, *judge_backends())
    return (faces[0].points, read(rgb, faces[0].points)) if faces else None


def released(photos: Sequence[Photo], k: int, models: Models) -> list[RGB | None]:
    """The outputs of one release of all photographs, None where one is withheld."""
    shape = models.synthesizer.model.shape
    claims = [Claim(**_without_given(photo.claim)) for photo in photos]
    plan = plan_release(claims, shape, os.urandom(32), Settings(mechanism="k-same", k=k), manifest=True)
    print(f"k = {k}: {plan.guarantee.statement}", flush=True)
    faces = {item.source: item.face for item in plan.items}
    pictures: list[RGB | None] = []
    for photo in photos:
        face = faces[photo.row.image]
        try:
            pictures.append(None if isinstance(face, Refusal) else produce(face, photo.claim.record, models))
        except PhotoError:
            pictures.append(None)
    return pictures


def _without_given(claim: Claim) -> dict[str, object]:
    """The claim without age and sex of the manifest: what a face shows must do."""
    fields = {name: getattr(claim, name) for name in claim.__slots__}
    row = fields["row"]
    return fields | {"row": Row(row.image, row.subject)}


def measured(photos: Sequence[Photo], outputs: Sequence[RGB | None]) -> tuple[UtilityInputs, list[Floats | None]]:
    count = len(photos)
    seen = [None if picture is None else judged(picture) for picture in outputs]
    blank = np.full(len(photos[0].coordinates), np.nan)
    grey = np.zeros((count, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    inputs = UtilityInputs(
        rows=tuple(photo.row for photo in photos),
        released=np.array([picture is not None for picture in outputs]),
        original_points=tuple(photo.points for photo in photos),
        released_points=tuple(None if face is None else face[0] for face in seen),
        in_place=np.zeros(count, bool),
        original_crops=grey,
        released_crops=grey,
        agreement=(None,) * count,
        original_coordinates=np.array([photo.coordinates for photo in photos]),
        released_coordinates=np.array([blank if face is None else face[1] for face in seen]),
    )
    return inputs, [None if face is None else face[1] for face in seen]


def expressions_named(photos: Sequence[Photo], inputs: UtilityInputs) -> tuple[float, float, int]:
    """Share of the labelled photographs whose expression is named right: originals, outputs; and how many there are."""
    labelled = [place for place, photo in enumerate(photos) if photo.row.expression in NAMED]
    classes = np.array([NAMED.index(str(photos[place].row.expression)) for place in labelled], dtype=np.intp)
    people = np.array([photos[place].row.subject for place in labelled])
    shapes = load_shape()

    def features(points: Sequence[Points | None], coordinates: Floats | None) -> Floats:
        assert coordinates is not None
        blank = np.zeros(len(shapes.expression_sd) + 4)
        rows = []
        for place in labelled:
            result = points[place]
            own = coordinates[place, -len(shapes.expression_sd) :]
            rows.append(
                blank
                if result is None
                else np.concatenate([own, 50 * np.array(expression_measures(normalize(result, shapes)))])
            )
        return np.array(rows)

    before = features(inputs.original_points, inputs.original_coordinates)
    after = features(inputs.released_points, inputs.released_coordinates)
    right: dict[str, NDArray[np.bool_]] = {side: np.zeros(len(labelled), bool) for side in ("before", "after")}
    for person in np.unique(people):
        others = people != person
        trained = Discriminant().learn(before[others], classes[others], len(NAMED), 0)
        for side, rows in (("before", before), ("after", after)):
            right[side][~others] = trained(rows[~others]).argmax(axis=1) == classes[~others]
    shown = np.array([inputs.shown[place] for place in labelled])
    return float(right["before"].mean()), float((right["after"] & shown).mean()), len(labelled)


def sheet(photos: Sequence[Photo], outputs: Sequence[RGB | None], names: Sequence[str], data: Path) -> RGB:
    """Sources above their outputs, in the order of `names`; for pictures of people who do not exist only."""
    columns = []
    for name in names:
        place = next((place for place, photo in enumerate(photos) if photo.row.image == name), None)
        if place is None:
            print(f"{name} was not treated")
            continue
        rgb, points = read_photo(data, name)[0], photos[place].points
        side = 1.9 * float(np.ptp(points[:, 0]))
        left, top = points.mean(axis=0) - [side / 2, 0.55 * side]
        box = tuple(round(edge) for edge in (left, top, left + side, top + side))
        source = Image.fromarray(rgb).crop(box).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
        output = outputs[place]
        picture = (
            np.full((SHOWN, SHOWN, 3), 255, np.uint8)
            if output is None
            else np.asarray(Image.fromarray(output).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))
        )
        columns.append(np.concatenate([np.asarray(source), picture]))
    if len(columns) % 2:
        columns.append(np.full_like(columns[0], 255))
    half = len(columns) // 2
    return np.concatenate([np.concatenate(columns[:half], axis=1), np.concatenate(columns[half:], axis=1)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=["portraits", "london"])
    parser.add_argument("-k", nargs="+", type=int, default=[20])
    parser.add_argument("--limit", type=int, default=None, help="photographs of each set")
    parser.add_argument("--expressions", action="store_true", help="name expressions of labelled photographs")
    parser.add_argument("--json", type=Path, default=None, help="also write the rows there")
    parser.add_argument("--sheet", type=Path, default=None, help="a picture of --shown beside their outputs")
    parser.add_argument("--shown", nargs="+", default=[], help="an even number of names of synthetic photographs")
    given = parser.parse_args()
    if not (given.data / "manifest.csv").is_file():
        parser.exit(1, f"{given.data} has no photographs: point --data or GANONYM_DATA at the development sets.\n")
    models = open_models()
    photos = list(photographs(given.data, given.sets, models, given.limit))
    print(f"{len(photos)} photographs of {len({photo.row.subject for photo in photos})} people", flush=True)
    tables = {}
    for k in given.k:
        outputs = released(photos, k, models)
        if given.sheet is not None:
            Image.fromarray(sheet(photos, outputs, given.shown, given.data)).save(given.sheet)
        inputs, _ = measured(photos, outputs)
        rows = {}
        for row in fidelity(inputs, np.random.default_rng(0)):
            ceiling = "" if row.original is None else f"{row.original.value:.2f}"
            value = (
                ""
                if row.released is None
                else f"{row.released.value:.2f} [{row.released.low:.2f}, {row.released.high:.2f}]"
            )
            print(f"{row.name:58s} {ceiling:>6s} {value:22s} {row.note}", flush=True)
            rows[row.name] = None if row.released is None else row.released.value
        signs = [rows[name] for name in rows if name.startswith("sign ")]
        print(f"{'signs, mean of eight':58s}        {np.mean([value for value in signs if value is not None]):.2f}")
        if given.expressions:
            before, after, count = expressions_named(photos, inputs)
            print(f"{'expression of 11 named':58s} {before:6.2f} {after:.2f}  (n = {count}; chance .09)")
            rows["expression of 11 named"] = after
        tables[str(k)] = rows
    if given.json is not None:
        given.json.write_text(json.dumps(tables, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
