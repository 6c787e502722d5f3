"""Which picture format some bytes are, judged by their first bytes alone; file names are never believed."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ganonym.photos import heif

Format: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF"]

ACCEPTED = "JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF"

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)


def sniff(data: bytes) -> Format | None:
    """The accepted format whose signature `data` begins with, or None.

    >>> sniff(b"\\xff\\xd8\\xff\\xe0"), sniff(b"GIF89a")
    ('JPEG', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None) or heif.coding(data)


def png_chunk(data: bytes, wanted: bytes) -> bytes:
    """The content of a PNG's first chunk of this kind before its pixels; empty where there is none."""
    at = len(_MAGIC[1][0])
    while (kind := data[at + 4 : at + 8]) not in {b"IDAT", b""}:
        size = int.from_bytes(data[at : at + 4], "big")
        if kind == wanted:
            return data[at + 8 : at + 8 + size]
        at += 12 + size
    return b""


def ends_early(data: bytes, kind: Format) -> bool:
    """Whether the container itself shows that its end is missing; only names a failure, never admits a file."""
    if kind == "JPEG":
        return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    if kind in {"HEIF", "AVIF"}:
        return heif.ends_early(data)
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    start = data[4:8] if data[2:4] in (b"*\0", b"\0*") else data[8:16]
    return int.from_bytes(start, order) >= len(data)
