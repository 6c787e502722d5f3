"""Pictures in ISO base media files (ISO/IEC 14496-12, 23008-12), HEIC and AVIF: brands, boxes and named colour.

Pixels are left to libheif and libavif. Here is only what must be known before them (is it a still picture, is it
complete) or what they do not tell (in which colour space the numbers are, where no ICC profile says so).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

_SEQUENCES = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}
_HEVC = {b"heic", b"heix", b"heim", b"heis", *_SEQUENCES}
_AV1 = {b"avif", b"avis"}
_NEEDED = {b"ftyp", b"meta", b"mdat"}
_HEADER = 8


def coding(data: bytes) -> Literal["HEIF", "AVIF"] | None:
    """How the picture is coded, by the brands of the file: HEVC ("HEIF"), AV1 ("AVIF"), or None for any other file.

    >>> coding(b"\\0\\0\\0\\x14ftypmif1\\0\\0\\0\\0heic"), coding(b"\\0\\0\\0\\x10ftypisom\\0\\0\\0\\0")
    ('HEIF', None)
    """
    major, *others = _brands(data) or [b""]
    for brands in ({major}, set(others) if major == b"mif1" else set()):
        if brands & _HEVC:
            return "HEIF"
        if brands & _AV1:
            return "AVIF"
    return None


def is_sequence(data: bytes) -> bool:
    """Whether the file says of itself that it is first of all a sequence of pictures coded in HEVC."""
    return bool(set(_brands(data)[:1]) & _SEQUENCES)


def ends_early(data: bytes) -> bool:
    """Whether a box that every picture needs reaches beyond the end. What telephones append need not be a box."""
    at = 0
    while (size := _size(data, at)) is not None:
        if at + size > len(data):
            return data[at + 4 : at + 8] in _NEEDED
        at += size
    return False


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box that is there completely."""
    at = 0
    while (size := _size(data, at)) is not None and at + size <= len(data):
        start = at + (16 if data[at : at + 4] == b"\0\0\0\1" else _HEADER)
        yield data[at + 4 : at + 8], data[start : at + size]
        at += size


def named_colour(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of the primary picture by their numbers in ITU-T H.273, None where it names none."""
    meta = next((body[4:] for kind, body in boxes(data) if kind == b"meta"), b"")
    inner = dict(boxes(meta))
    properties = dict(boxes(inner.get(b"iprp", b"")))
    held = list(boxes(properties.get(b"ipco", b"")))
    for index in _associated(properties.get(b"ipma", b""), _primary(inner.get(b"pitm", b""))):
        kind, body = held[index - 1] if 0 < index <= len(held) else (b"", b"")
        if kind == b"colr" and body[:4] == b"nclx":
            primaries, transfer = struct.unpack(">HH", body[4:8])
            return primaries, transfer
    return None


def _brands(data: bytes) -> list[bytes]:
    """The major brand, then the compatible ones."""
    if data[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(data[:4], "big"), len(data))
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def _size(data: bytes, at: int) -> int | None:
    """Length of the box at `at`, header included; None where it is none."""
    if at + _HEADER > len(data):
        return None
    size = int.from_bytes(data[at : at + 4], "big")
    if size == 0:  # to the end of the file
        return len(data) - at
    if size == 1:
        size = int.from_bytes(data[at + 8 : at + 16], "big")
        return size if size >= 16 else None
    return size if size >= _HEADER else None


def _primary(body: bytes) -> int:
    return int.from_bytes(body[4:8] if body[:1] > b"\0" else body[4:6], "big")


def _associated(body: bytes, item: int) -> list[int]:
    """Which properties, counted from 1, the box `ipma` gives to an item."""
    if len(body) < _HEADER:
        return []
    version, wide = body[0], body[3] & 1
    (entries,) = struct.unpack(">I", body[4:8])
    name, step, at = (4, 2, 8) if version and wide else (4, 1, 8) if version else (2, 1 + wide, 8)
    for _ in range(entries):
        if at + name >= len(body):
            break
        owner, count = int.from_bytes(body[at : at + name], "big"), body[at + name]
        at += name + 1
        if owner == item:
            mask = 0x7FFF if step == 2 else 0x7F
            return [int.from_bytes(body[i : i + step], "big") & mask for i in range(at, at + count * step, step)]
        at += count * step
    return []
