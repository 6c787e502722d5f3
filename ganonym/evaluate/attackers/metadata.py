"""What the file tells without its pixels: its name, its place in the folder, its time, its size, what is embedded.

A release whose pictures show nobody is undone by `anon_MILLER_03.png`, by files written in the order of the patients,
or by the camera's serial number. Five attackers look at one view, each at its part. Of numbers that keep their order, a
few people give the rest: the attacker knows which outputs belong to those who told, and reads the others off between
them (`Ordered`).
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
from ganonym.evaluate.attackers.attacker import (
    Approach,
    Attacker,
    Fixed,
    Lesson,
    Matcher,
    Rows,
    Sample,
    Templates,
    View,
)
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
FEWEST = 8
"""Photos of which both sides must be known before any order is believed in."""
DOUBT = 0.001
"""Probability of an order as clear as the one seen if there is none, above which it is not believed in."""


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
        others = [entry for entry in entries if entry.name.lower().endswith(file.suffix.lower())]
    statuses = [(entry.name, entry.stat(follow_symlinks=False)) for entry in others]
    own = file.lstat()
    return [
        _rank(_natural(file.name), [_natural(name) for name, _ in statuses]),
        _rank(own.st_mtime_ns, [status.st_mtime_ns for _, status in statuses]),
    ]


def _rank(own: Any, values: Sequence[Any]) -> float:
    """Where `own` stands among `values`, which hold it, in 0 … 1; equal ones stand at their middle.

    >>> _rank(2, [1, 2, 2, 9, 9])
    0.375
    """
    below = sum(1 for value in values if value < own)
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


@dataclass(frozen=True, slots=True)
class Translated:
    """Compares column `after` of released rows with `before` of originals, by the known points `x` → `y` between them.

    Without known points (0,) the numbers are compared as they are. `extra` distances are added.
    """

    before: int
    after: int
    x: Floats
    y: Floats
    extra: Matcher | None = None

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """Differences (p, g); NaN in, NaN out."""
        translate = probes.released != gallery.released
        one, other = (self._numbers(side, translate) for side in (probes, gallery))
        # Rounded, so that neighbours on both sides tie.
        distances = np.abs(one[:, None] - other[None, :]).round(9)
        return np.asarray(distances if self.extra is None else distances + self.extra(probes, gallery))

    def _numbers(self, templates: Templates, translate: bool) -> Floats:
        numbers = templates.rows[:, self.after if templates.released else self.before].astype(np.float64)
        if translate and templates.released and len(self.x):
            # Upon a straight line, which goes on beyond the known people.
            slope, offset = np.polyfit(self.x, self.y, 1)
            bend = self.y - slope * self.x - offset
            return np.asarray(slope * numbers + offset + np.interp(numbers, self.x, bend))
        return numbers


@dataclass(frozen=True, slots=True)
class Ordered:
    """Looks for the pair of `columns` of released and original rows that are in the same order, or the reverse."""

    name: str
    view: View
    columns: tuple[int, ...]
    approach: Approach
    extra: Matcher | None = None

    def learn(self, lesson: Lesson) -> Translated:
        """The clearest order by Spearman's rank correlation, as an isotonic regression through the known people.

        The first of `columns` is compared as it is where no order is clear (DOUBT, over all pairs), or too few
        people are known to tell.
        """
        from scipy.stats import spearmanr
        from sklearn.isotonic import IsotonicRegression

        clearest, best = DOUBT / len(self.columns) ** 2, None
        for after in self.columns:
            for before in self.columns:
                x, y = _both(lesson.released[:, after], lesson.originals[:, before])
                if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
                    continue
                order: Any = spearmanr(x, y)
                # At equal doubt the first: with all in order every doubt is zero.
                if order.pvalue < clearest:
                    clearest, best = float(order.pvalue), (before, after, x, y, bool(order.statistic > 0))
        if best is None:
            return Translated(self.columns[0], self.columns[0], np.empty(0), np.empty(0), self.extra)
        before, after, x, y, increasing = best
        line = IsotonicRegression(increasing=increasing).fit(x, y)
        return Translated(before, after, line.X_thresholds_, line.y_thresholds_, self.extra)


def _both(released: Rows, originals: Rows) -> tuple[Floats, Floats]:
    both = np.isfinite(released) & np.isfinite(originals)
    return released[both].astype(np.float64), originals[both].astype(np.float64)


_VIEW = MetadataView()
FILE_NAME = Fixed("metadata name", _VIEW, by_name, Approach("T0", "file name"))
FILE_ORDER = Ordered("metadata order", _VIEW, (_BY_NAME, _BY_TIME), Approach("T0", "order of files"))
FILE_TIME = Fixed("metadata time", _VIEW, by_time, Approach("T0", "times of files"))
FILE_SIZE = Ordered("metadata size", _VIEW, (_BYTES,), Approach("T0", "sizes of files"), by_frame)
EMBEDDED = Fixed("metadata embedded", _VIEW, by_embedded, Approach("T0", "metadata inside the file"))
METADATA: tuple[Attacker, ...] = (FILE_NAME, FILE_ORDER, FILE_TIME, FILE_SIZE, EMBEDDED)
