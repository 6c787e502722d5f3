"""What the file tells without its pixels: its name, its place in the folder, its time, its size, what is embedded.

A release whose pictures show nobody is undone by `anon_MILLER_03.png`, by files written in the order of the patients,
or by the camera's serial number. Five attackers look at one view, each at its part.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.errors import PhotoError
from ganonym.evaluate.attackers.attacker import Approach, Attacker, Fixed, Templates
from ganonym.evaluate.attackers.order import Ordered
from ganonym.evaluate.sample import Sample
from ganonym.photos.embedded import embedded
from ganonym.photos.source import read_bytes
from ganonym.types import Floats

GRAMS = (2, 3, 4)
BINS = 512
SECONDS = 2.0  # file systems and archives round times to two seconds at the worst
_NAME = slice(0, BINS)
_EMBEDDED = slice(BINS, 2 * BINS)
_NUMBERS = 6
_BY_NAME, _BY_TIME, _TIME, _BYTES, _ACROSS, _DOWN = range(2 * BINS, 2 * BINS + _NUMBERS)


def metadata_left(path: Path) -> tuple[str, ...]:
    """Kinds of metadata that the picture file carries, such as ("EXIF", "GPS"), sorted; see `photos.embedded`.

    Raises PhotoError when it cannot be read or is no JPEG, PNG, WebP, TIFF or BMP.
    """
    return tuple(sorted({kind for kind, _ in embedded(_content(path), path.name)}))


@dataclass(frozen=True, slots=True)
class MetadataView:
    """Numbers of the file, float64 (1030,): hashed name and metadata, ranks in its folder, time, bytes, frame."""

    name: str = "metadata"
    width: int = 2 * BINS + _NUMBERS

    def template(self, sample: Sample) -> Floats | None:
        """None for a sample without a file. Raises PhotoError when the file is gone.

        In this order: hashed n-grams of the name; hashed items of metadata; ranks by name and time among the files
        of its folder that end alike, in 0 … 1; time of modification in seconds; natural logarithm of its bytes; width
        and height in pixels.
        """
        if sample.file is None:
            return None
        row = np.zeros(self.width)
        row[_NAME] = hashed(grams(sample.file.stem))
        row[_EMBEDDED] = hashed(_items(_content(sample.file), sample.file.name))
        status = sample.file.stat()
        row[[_BY_NAME, _BY_TIME]] = _ranks(sample.file)
        row[_TIME], row[_BYTES] = status.st_mtime, np.log(max(status.st_size, 1))
        row[_ACROSS], row[_DOWN] = sample.rgb.shape[1], sample.rgb.shape[0]
        return row


def grams(stem: str) -> list[str]:
    """Character n-grams of a name in lower case, its ends marked, and its numbers without leading zeros.

    >>> grams("A07")[:4], grams("A07")[-1]
    (['^a', 'a0', '07', '7$'], '#7')
    """
    marked = f"^{stem.lower()}$"
    pieces = [marked[at : at + n] for n in GRAMS for at in range(len(marked) - n + 1)]
    return pieces + [f"#{int(digits)}" for digits in re.findall(r"[0-9]{1,18}", stem)]


def hashed(items: Iterable[str]) -> Floats:
    """How often each item occurs, in one of 512 bins by its SHA-256, scaled to unit length; zeros without items."""
    counts = np.zeros(BINS)
    for item in items:
        counts[int.from_bytes(hashlib.sha256(item.encode("utf-8", "surrogateescape")).digest()[:4], "big") % BINS] += 1
    length = float(np.linalg.norm(counts))
    return counts / length if length > 0 else counts


def by_name(probes: Templates, gallery: Templates) -> Floats:
    """1 − cosine of the n-grams of the names, (p, g) in [0, 1]."""
    return np.asarray(1.0 - probes.rows[:, _NAME] @ gallery.rows[:, _NAME].T, dtype=np.float64)


def by_embedded(probes: Templates, gallery: Templates) -> Floats:
    """1 − cosine of embedded metadata, (p, g) in [0, 1]; 1 where either has none."""
    return np.asarray(1.0 - probes.rows[:, _EMBEDDED] @ gallery.rows[:, _EMBEDDED].T, dtype=np.float64)


def by_time(probes: Templates, gallery: Templates) -> Floats:
    """Difference of ranks by time, plus up to 1 where the times differ: files written in order, or times kept."""
    apart = np.minimum(_differences(probes, gallery, _TIME) / SECONDS, 1.0)
    return _differences(probes, gallery, _BY_TIME) + apart


def by_frame(probes: Templates, gallery: Templates) -> Floats:
    """1 where width or height in pixels differ, else 0, (p, g); NaN in, NaN out."""
    frames = np.maximum(_differences(probes, gallery, _ACROSS), _differences(probes, gallery, _DOWN))
    return np.minimum(frames, 1.0)


def _differences(probes: Templates, gallery: Templates, column: int) -> Floats:
    # Rounded, so that neighbours on both sides tie.
    return np.abs(probes.rows[:, column, None] - gallery.rows[None, :, column]).astype(np.float64).round(9)


def _ranks(file: Path) -> list[float]:
    """Mid-ranks in 0 … 1 of `file` by name and by time, among the files of its folder that end alike."""
    with os.scandir(file.parent) as entries:
        others = [each for each in entries if each.name.lower().endswith(file.suffix.lower())]
    known = [(each.name, each.stat(follow_symlinks=False)) for each in others]
    own = file.lstat()
    return [
        _rank(_natural(file.name), [_natural(name) for name, _ in known]),
        _rank(own.st_mtime_ns, [status.st_mtime_ns for _, status in known]),
    ]


def _rank(own: Any, values: Sequence[Any]) -> float:
    """Where `own` stands among `values`, which hold it, in 0 … 1; equal ones stand at their middle.

    >>> _rank(2, [1, 2, 2, 9, 9])
    0.375
    """
    below = sum(1 for each in values if each < own)
    return (below + (values.count(own) - 1) / 2) / max(len(values) - 1, 1)


def _items(data: bytes, name: str) -> list[str]:
    """Items of metadata as single strings; none of a picture that decodes although its container is odd."""
    try:
        return [" ".join(item) for item in embedded(data, name)]
    except PhotoError:
        return []


def _natural(name: str) -> tuple[tuple[str, int], ...]:
    """Sorts img_9 before img_10."""
    return tuple((text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]{0,18})", name.lower()))


def _content(path: Path) -> bytes:
    if not path.parent.is_dir():
        raise PhotoError("unreadable", f"{path.name!r} cannot be read: its folder is gone.", "Is the disk still there?")
    return read_bytes(path.parent, path.name)


_VIEW = MetadataView()
FILE_NAME = Fixed("metadata name", _VIEW, by_name, Approach("T0", "file name"))
FILE_ORDER = Ordered("metadata order", _VIEW, (_BY_NAME, _BY_TIME), Approach("T0", "order of files"))
FILE_TIME = Fixed("metadata time", _VIEW, by_time, Approach("T0", "times of files"))
FILE_SIZE = Ordered("metadata size", _VIEW, (_BYTES,), Approach("T0", "sizes of files"), by_frame)
EMBEDDED = Fixed("metadata embedded", _VIEW, by_embedded, Approach("T0", "metadata inside the file"))
METADATA: tuple[Attacker, ...] = (FILE_NAME, FILE_ORDER, FILE_TIME, FILE_SIZE, EMBEDDED)
