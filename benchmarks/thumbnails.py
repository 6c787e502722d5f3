"""How like their sources sound outputs and copies look to the judge: `python benchmarks/thumbnails.py`.

Virtual people, some of them in grey, and drawn ones are anonymized with each maker (BlazeFace with the mesh, dlib), by
the codebook and by k-same, with the first surrogate. Copies show the source's own pixels where the output's eyes and
mouth would lie: as they are, and disguised in the ways of DISGUISES. Likeness is what `ganonym.verify.problems` bounds:
the highest correlation of thumbnails at the judge's landmarks, those asked for and the maker's. "Pass" counts what
keeps every limit, of outputs as well as of copies.
"""

from __future__ import annotations

import argparse
import io
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from ganonym.errors import PhotoError
from ganonym.faces.align import crop, similarity
from ganonym.faces.aligned import correlation, face_thumbnail
from ganonym.faces.find import find_faces, free_backends, judge_backends
from ganonym.manifest import Row
from ganonym.models import Models, analyse, open_models
from ganonym.phantom.cohort import phantom_cohort
from ganonym.photos.decode import read_photo
from ganonym.release_plan import Claim, claim_faces, plan_release
from ganonym.settings import Settings
from ganonym.types import CANVAS, RGB, FaceRecord, Floats, PrivateFace, Refusal, luma
from ganonym.verify import problems

SETTINGS = {"codebook": Settings(mechanism="codebook"), "k-same": Settings(mechanism="k-same", k=5)}
ANCHORS = (slice(36, 42), slice(42, 48), slice(48, 60))
Disguise = Callable[[Image.Image], Image.Image]


def recompressed(copy: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    copy.save(stream, "JPEG", quality=30)
    return Image.open(stream)


def noisy(copy: Image.Image) -> Image.Image:
    grain = np.random.default_rng(0).normal(0.0, 12.0, (CANVAS, CANVAS, 3))
    return Image.fromarray((np.asarray(copy) + grain).clip(0, 255).astype(np.uint8))


DISGUISES: dict[str, Disguise] = {
    "as it is": lambda copy: copy,
    "JPEG 30": recompressed,
    "blurred by 4 px": lambda copy: copy.filter(ImageFilter.GaussianBlur(4)),
    "blurred by 6 px": lambda copy: copy.filter(ImageFilter.GaussianBlur(6)),
    "darkened": lambda copy: ImageEnhance.Brightness(copy).enhance(0.6),
    "bleached": lambda copy: Image.fromarray((255 * np.sqrt(np.asarray(copy) / 255)).astype(np.uint8)),
    "low contrast": lambda copy: ImageEnhance.Contrast(copy).enhance(0.6),
    "noisy": noisy,
    "rolled by 6°": lambda copy: copy.rotate(6, Image.Resampling.BICUBIC),
}
MOVED: dict[str, tuple[float, tuple[float, float]]] = {"shifted": (1.0, (7.0, -5.0)), "smaller": (0.85, (-8.0, 7.0))}
"""Scale about the canvas's middle, and shift in its pixels."""


def copies(rgb: RGB, record: FaceRecord, face: PrivateFace) -> dict[str, RGB]:
    """The source's pixels in the output's place, by disguise."""
    there = np.array([record.points[part].mean(axis=0) for part in ANCHORS])
    here = np.array([face.points[part].mean(axis=0) for part in ANCHORS])

    def cut(places: Floats) -> RGB:
        return crop(rgb, similarity(there, places), CANVAS)

    pictures = {name: np.asarray(change(Image.fromarray(cut(here)))) for name, change in DISGUISES.items()}
    middle = CANVAS / 2
    return pictures | {name: cut((here - middle) * k + middle + np.array(step)) for name, (k, step) in MOVED.items()}


def likeness(rgb: RGB, face: PrivateFace, record: FaceRecord, models: Models) -> float:
    """What the judge compares with its limit; only what was asked for where it finds no face."""
    judge = models.judge
    places = [face.points]
    for shown in find_faces(rgb, judge.detector, judge.landmarks)[:1]:
        places += [shown.points, models.landmarks.locate(rgb, shown.box)]
    return max(correlation(face_thumbnail(rgb, place), record.thumbnail) for place in places)


def photographs(data: Path, count: int) -> dict[str, RGB]:
    """`count` virtual people, a tenth as many in grey, and half as many drawn ones where the photographs are."""
    people = [photo.rgb for photo in phantom_cohort(count + count // 10, 1, seed=101)]
    photos = {f"virtual {number}": rgb for number, rgb in enumerate(people[:count])}
    for number, rgb in enumerate(people[count:]):
        photos[f"grey {number}"] = np.repeat(luma(rgb).round().astype(np.uint8)[..., None], 3, axis=2)
    for path in sorted((data / "generated").glob("*.jpg"))[::9][: count // 2]:
        photos[path.stem] = read_photo(path.parent, path.name)[0]
    return photos


def claimed(photos: Mapping[str, RGB], models: Models) -> dict[str, Claim]:
    claims: dict[str, Claim] = {}
    for name, rgb in photos.items():
        try:
            faces = claim_faces(
                name, "", analyse(rgb, name, models), Row(image=name, subject=name), SETTINGS["codebook"]
            )
        except PhotoError:
            continue
        if not isinstance(faces, Refusal):
            claims[name] = faces[0]
    return claims


def measure(photos: Mapping[str, RGB], models: Models) -> dict[str, list[tuple[float, bool]]]:
    """Likeness, and whether every limit is kept, of sound outputs by mechanism and of copies by disguise."""
    claims = claimed(photos, models)
    rows: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for mechanism, settings in SETTINGS.items():
        plan = plan_release([*claims.values()], models.synthesizer.model.shape, bytes(32), settings, manifest=True)
        for item in plan.items:
            record, face = claims[item.source].record, item.face
            if isinstance(face, Refusal):
                continue
            pictures = {f"output, {mechanism}": models.synthesizer.render(face, 0)}
            if mechanism == "codebook":
                pictures |= {f"copy, {name}": rgb for name, rgb in copies(photos[item.source], record, face).items()}
            for name, rgb in pictures.items():
                passes = not problems(rgb, face, record, models.judge)
                rows[name].append((likeness(rgb, face, record, models), passes))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GANONYM_DATA", "../shared/data")))
    parser.add_argument("--count", type=int, default=80, help="virtual people")
    arguments = parser.parse_args()
    photos, models = photographs(arguments.data, arguments.count), open_models()
    print("| maker | | n | lowest | median | highest | over the limit | pass |\n|---|---|---|---|---|---|---|---|")
    for maker, (detector, landmarks) in {"mesh": free_backends(), "dlib": judge_backends()}.items():
        made = replace(models, detector=detector, landmarks=landmarks, judge=replace(models.judge, maker=landmarks))
        for name, pairs in measure(photos, made).items():
            values, passes = np.array([value for value, _ in pairs]), sum(kept for _, kept in pairs)
            over = int((values > models.judge.limits.correlation).sum())
            cells = f"{values.min():.3f} | {np.median(values):.3f} | {values.max():.3f} | {over} | {passes}"
            print(f"| {maker} | {name} | {len(values)} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
