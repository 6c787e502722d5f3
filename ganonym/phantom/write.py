"""A phantom cohort in files: photographs, written by worker processes, and tables, written in order."""

from __future__ import annotations

import csv
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from ganonym.errors import UsageError
from ganonym.files import make_folder, write_output
from ganonym.phantom.cohort import CONTROL, Cohort, PhantomShape, cohort_of, photos_of, studio
from ganonym.phantom.syndromes import HARD, load_syndromes
from ganonym.photos.encode import encode_png
from ganonym.types import RGB, Progress
from ganonym.workers import compute

Case: TypeAlias = tuple[str | None, int]

Row: TypeAlias = tuple[str, ...]
HEALTHY = ("image", "subject", "sex", "age", "simulated")
LABELLED = ("image", "subject", "syndrome", "sex", "age", "expression", "hpo", "shrink", "simulated")
SIGNS = ("subject", "syndrome", "hpo", "term", "severity", "visible", "simulated")
LANDMARKS = ("image", *(f"{axis}{point}" for point in range(68) for axis in "xy"))
TABLES = ("people.csv", "landmarks.csv", "signs.csv")
_BESIDE = (TABLES[1], LANDMARKS), (TABLES[2], SIGNS)
# Starting a process costs as much as a few dozen photographs.
_WORTH_A_PROCESS = 100


def class_sizes(text: str, people: int) -> dict[str, int]:
    """People by class of "WBS=33,KBG=2,control"; `people` where no number is given. Raises UsageError.

    "all" is every syndrome whose signs show in a frontal photograph, and control; what is named beside it has its own
    number.

    >>> class_sizes("WBS=3,control", 24)
    {'WBS': 3, 'control': 24}
    """
    sizes: dict[str, int] = {}
    everybody: dict[str, int] = {}
    for entry in text.split(","):
        name, given, number = (part.strip() for part in entry.partition("="))
        if given and not (number.isascii() and number.isdigit() and int(number) > 0):
            raise UsageError(f"--syndromes: {entry.strip()!r} gives no number of people.", "Write for example KBG=2.")
        if name in sizes:
            raise UsageError(f"--syndromes: {name} is named twice.", "Name each class once.")
        size = int(number) if given else people
        if name == "all":
            everybody = dict.fromkeys((*(key for key in load_syndromes() if key not in HARD), CONTROL), size)
        else:
            sizes[name] = size
    return everybody | sizes


def write_people(folder: Path, people: int, photos: int, seed: int, tell: Progress = lambda *_: None) -> Path:
    """`write_cohort` of healthy people, in this process."""
    return write_cohort(folder, cohort_of(people, photos, seed), 1, tell)


def write_cohort(folder: Path, cohort: Cohort, jobs: int | None, tell: Progress) -> Path:
    """Write the photos as `folder`/SUBJECT/NUMBER.png and the manifest people.csv beside `folder`; returns the latter.

    A cohort with syndromes has landmarks.csv (exact, in photo pixels) and signs.csv beside it. Files are the same for
    any number of `jobs`. Raises UsageError when `folder` already holds something or a table is there, EnvironmentFault
    when it cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", "Choose another folder.")
    there = [name for name in TABLES if (folder.parent / name).exists()]
    if there:
        raise UsageError(f"{folder.parent / there[0]} is there already.", "Choose another folder.")
    make_folder(folder, 0o750)
    total = cohort.people * cohort.photos
    with tables(folder.parent, cohort.groups is not None) as add:
        for done, person in enumerate(photograph_all(folder, cohort, jobs), start=1):
            add(person)
            tell("sample people", done * cohort.photos, total)
    return folder.parent / "people.csv"


def photograph_all(folder: Path, cohort: Cohort, jobs: int | None) -> Iterator[list[PhantomShape]]:
    """Write everybody's photographs below `folder`; what is known of each person's, in the cohort's order.

    `jobs` None: as many processes as there are cores and work for. Raises EnvironmentFault.
    """
    workers = jobs or max(1, min(os.cpu_count() or 1, cohort.people * cohort.photos // _WORTH_A_PROCESS))
    # One thread each: those of NumPy's BLAS and torch's, in every worker, took twice the processor time.
    return compute(partial(photograph, folder=folder, cohort=cohort), cohort.cases, workers)


def photograph(case: Case, folder: Path, cohort: Cohort) -> list[PhantomShape]:
    """Write one person's photographs below `folder`; what is known of each, without the pixels."""
    written = []
    for photo in photos_of(*case, cohort, studio()):
        encoded = encode_png(photo.rgb) if photo.group is None else _quick_png(photo.rgb)
        write_output(folder / image_name(photo), encoded)
        written.append(photo.shape)
    return written


def _quick_png(rgb: RGB) -> bytes:
    """`rgb` as a PNG in half the time of `encode_png`: grain has no repetitions to look for, and nothing to hide."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_HUFFMAN_ONLY)
    return buffer.getvalue()


def image_name(shape: PhantomShape) -> str:
    """Path of a photograph below the folder of photographs."""
    return f"{shape.subject}/{shape.number}.png"


@contextmanager
def tables(folder: Path, labelled: bool) -> Iterator[Callable[[list[PhantomShape]], None]]:
    """Open people.csv and, for a `labelled` cohort, landmarks.csv and signs.csv in `folder`; to be told each person."""
    with ExitStack() as files:

        def table(name: str, header: Row) -> Callable[[Row], object]:
            file = files.enter_context((folder / name).open("w", encoding="utf-8", newline=""))
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            return writer.writerow

        people = table(TABLES[0], LABELLED if labelled else HEALTHY)
        landmarks, signs = (table(*beside) if labelled else None for beside in _BESIDE)

        def add(person: list[PhantomShape]) -> None:
            for shape in person:
                people(_labelled(shape) if labelled else _healthy(shape))
                if landmarks is not None:
                    landmarks((image_name(shape), *(f"{value:.2f}" for value in shape.points.ravel().tolist())))
            if signs is not None:
                for row in _signs(person[0]):
                    signs(row)

        yield add


def _healthy(shape: PhantomShape) -> Row:
    return image_name(shape), shape.subject, shape.sex, f"{shape.age:.0f}", "true"


def _labelled(shape: PhantomShape) -> Row:
    common = (image_name(shape), shape.subject, shape.group or "", shape.sex, f"{shape.age:.0f}")
    return *common, shape.moment.mood, ";".join(shape.hpo), f"{shape.shrink:.3f}", "true"


def _signs(shape: PhantomShape) -> Iterator[Row]:
    for shown in shape.signs:
        sign, visible = shown.sign, "true" if shown.sign.visible else "false"
        yield shape.subject, shape.group or "", sign.hpo, sign.term, f"{shown.severity:.2f}", visible, "true"
