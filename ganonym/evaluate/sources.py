"""What is handed to an assessment in memory, as files: there is one way through an assessment, and it reads files.

Photos, a manifest and outputs are written into a private folder as if a steward had put them there. Outputs get names
and times that say nothing: attackers read those, too, and they would be ours, not the anonymizer's.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, Union

import numpy as np
from PIL import Image

from ganonym.errors import PhotoError, UsageError
from ganonym.files import make_folder
from ganonym.manifest import match, read_manifest
from ganonym.photos.decode import read_photo
from ganonym.photos.encode import encode_png
from ganonym.photos.source import walk
from ganonym.types import RGB

Picture: TypeAlias = Union[RGB, Image.Image]  # noqa: UP007  # a name for documentation, resolved at run time
Originals: TypeAlias = Union[Path, str, Sequence[Picture]]  # noqa: UP007
"""A folder, or pictures in memory."""
Person: TypeAlias = Union[str, Mapping[str, str]]  # noqa: UP007
"""The subject of a photo, or what a manifest says of it: {"subject": "A", "syndrome": "WBS", …}."""
People: TypeAlias = Union[Path, str, Sequence[Person], Mapping[str, Person], None]  # noqa: UP007
"""A manifest; or who is on each photo, in order; or by the photo's path; None: everybody has one photo."""
Anonymize: TypeAlias = Callable[[RGB], Picture | None]
"""Anyone's anonymizer: RGB (H, W, 3) uint8 → the same of any size; None, or PhotoError, where it withholds a photo."""
Released: TypeAlias = Union[Path, str, Anonymize, Sequence[Picture | None]]  # noqa: UP007
"""A folder of outputs; or what makes them; or the outputs, in the photos' order."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything lies: the folders, the manifest, and the list of pairs, None where names or a keymap pair.

    `mock`: the folder of a second run and, where that was made here, the list of its pairs.
    """

    originals: Path
    released: Path
    manifest: Path
    pairs: Path | None
    mock: Path | None = None
    mock_pairs: Path | None = None


def as_files(
    private: Path,
    originals: Originals,
    released: Released,
    people: People,
    pairs: str | Path | None = None,
    mock: str | Path | Anonymize | None = None,
) -> Files:
    """Write below `private` whatever is no file yet. Raises UsageError on pictures or people that do not fit."""
    photos = originals_as_folder(private / "photos", originals)
    manifest = people_as_manifest(private / "people.csv", photos, people)
    listed_pairs = path_of(pairs)
    if isinstance(released, (str, Path)):
        folder = Path(released)
    elif listed_pairs is not None:
        raise UsageError("a list of pairs is about a folder of outputs.", "Leave it out, or name the folder.")
    else:
        folder, listed_pairs = private / "released", private / "pairs.csv"
        images = list(match(read_manifest(manifest), walk(photos).photos).rows)
        outputs = _treated(photos, images, released) if callable(released) else _listed(images, released)
        _write_outputs(folder, listed_pairs, outputs)
    if not callable(mock):
        return Files(photos, folder, manifest, listed_pairs, path_of(mock))
    again, listed = private / "mock", private / "mock.csv"
    images = list(match(read_manifest(manifest), walk(photos).photos).rows)
    _write_outputs(again, listed, _treated(photos, images, mock), "second output")
    return Files(photos, folder, manifest, listed_pairs, again, listed)


def path_of(given: str | Path | None) -> Path | None:
    """A file or folder that may be left out.

    >>> path_of("pairs.csv"), path_of(None)
    (PosixPath('pairs.csv'), None)
    """
    return None if given is None else Path(given)


def originals_as_folder(folder: Path, originals: Originals) -> Path:
    """The folder of originals, written to `folder` as 000001.png, … when they are pictures in memory."""
    if isinstance(originals, (str, Path)):
        return Path(originals)
    make_folder(folder, 0o700)
    for number, picture in enumerate(originals, start=1):
        _write(folder / f"{number:06d}.png", rgb_of(picture, f"original {number}"))
    if not any(folder.iterdir()):
        raise UsageError("there is no original to assess.", "Give the photographs, or the folder that holds them.")
    return folder


def people_as_manifest(path: Path, photos: Path, people: People) -> Path:
    """The manifest, written to `path` when people are told in memory."""
    if isinstance(people, (str, Path)):
        return Path(people)
    images = list(walk(photos).photos)
    told: dict[str, Person]
    if people is None:
        told = {image: f"person {number}" for number, image in enumerate(images, start=1)}
    elif isinstance(people, Mapping):
        told = dict(people)
    else:
        if len(people) != len(images):
            raise UsageError(f"{len(people)} names are told of {len(images)} photos.", "Name the subject of each.")
        told = dict(zip(images, people, strict=True))
    rows = [
        {"image": image} | ({"subject": person} if isinstance(person, str) else dict(person))
        for image, person in told.items()
    ]
    columns = dict.fromkeys(("image", "subject", *(name for row in rows for name in row)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)
    return path


def rgb_of(picture: object, what: str) -> RGB:
    """Pixels of a picture. Raises UsageError, naming it as `what`, for anything but RGB uint8 (H, W, 3) or PIL's.

    >>> rgb_of(Image.new("L", (4, 3)), "output 1").shape
    (3, 4, 3)
    >>> rgb_of(np.zeros((3, 4)), "output 1")
    Traceback (most recent call last):
    ganonym.errors.UsageError: output 1 is float64 of shape (3, 4). Give RGB pictures: uint8 of shape (H, W, 3).
    """
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UsageError(
            f"{what} is {pixels.dtype} of shape {pixels.shape}.", "Give RGB pictures: uint8 of shape (H, W, 3)."
        )
    return pixels


def _treated(photos: Path, images: Sequence[str], anonymize: Anonymize) -> Iterator[tuple[str, RGB]]:
    for image in images:
        try:
            rgb = read_photo(photos, image)[0]
        except PhotoError:
            continue  # the assessment itself says which originals cannot be read
        try:
            output = anonymize(rgb.copy())
        except PhotoError:
            continue  # withheld
        except Exception as error:
            error.add_note(f"The anonymizer raised this for the photo {image}.")
            raise
        if output is not None:
            yield image, rgb_of(output, f"the output of {image}")


def _listed(images: Sequence[str], outputs: Sequence[Picture | None]) -> Iterator[tuple[str, RGB]]:
    if len(outputs) != len(images):
        raise UsageError(f"{len(outputs)} outputs are given for {len(images)} photos.", "Give None for a withheld one.")
    for image, output in zip(images, outputs, strict=True):
        if output is not None:
            yield image, rgb_of(output, f"the output of {image}")


def _write_outputs(folder: Path, listed: Path, outputs: Iterator[tuple[str, RGB]], kind: str = "output") -> None:
    """Write outputs in no telling order or time, and the list that pairs them with their photos.

    `kind` goes into their names: two outputs of one photo must not have the same, either.
    """
    make_folder(folder, 0o700)
    with listed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("source", "output"))
        for image, rgb in outputs:
            name = f"{hashlib.sha256(f'{kind} of {image}'.encode()).hexdigest()[:16]}.png"
            _write(folder / name, rgb)
            writer.writerow((image, name))


def _write(path: Path, rgb: RGB) -> None:
    path.write_bytes(encode_png(rgb))
    os.utime(path, (0, 0))
