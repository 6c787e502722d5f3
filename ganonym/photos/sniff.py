"""Which picture format some bytes are, judged by their first bytes alone; file names are never believed."""

from __future__ import annotations

from typing import Literal, TypeAlias

Format: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP"]

ACCEPTED = "JPEG, PNG, WebP, TIFF or BMP"

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)

# Formats that are refused, named only so that the message can say what the file is. (offset, magic, name)
_KNOWN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "a GIF"),
    (4, b"ftyp", "an HEIC, AVIF or video file"),
    (128, b"DICM", "a DICOM file"),
    (0, b"%PDF", "a PDF"),
    (0, b"8BPS", "a Photoshop file"),
    (4, b"jP  ", "a JPEG 2000 file"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"<?xml", "an XML or SVG file"),
    (0, b"<svg", "an SVG file"),
)


def sniff(data: bytes) -> Format | None:
    """The accepted format whose signature `data` begins with, or None.

    >>> sniff(b"\\xff\\xd8\\xff\\xe0"), sniff(b"GIF89a")
    ('JPEG', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def describe(data: bytes) -> str:
    """What refused bytes look like, for a message: "a GIF", … or "no picture"."""
    return next((what for at, magic, what in _KNOWN if data[at : at + len(magic)] == magic), "no picture")


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
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    start = data[4:8] if data[2:4] in (b"*\0", b"\0*") else data[8:16]
    return int.from_bytes(start, order) >= len(data)
