"""Arrays to clean files. Only an array enters, so nothing of any source file can follow; each file is proven clean.

The proof goes byte by byte: a PNG or JPEG container has room for nothing but pixels: allow-lists, no gaps, no tail.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import NoReturn

import numpy as np
from PIL import Image

from ganonym.errors import PhotoError
from ganonym.photos.decode import decode
from ganonym.photos.formats import sniff
from ganonym.types import RGB

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR_REST = bytes((8, 2, 0, 0, 0))  # 8 bits, RGB, deflate, adaptive filters, not interlaced
_JFIF = b"JFIF\x00"
_SOF0, _DHT, _SOI, _EOI, _SOS, _DQT, _APP0 = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE0


def png_size(data: bytes) -> tuple[int, int]:
    """(width, height) of an 8-bit RGB PNG made of IHDR, IDAT…, IEND and nothing else (W3C PNG 3rd edition).

    Also proven: every CRC, and that the IDAT stream inflates to exactly the scanlines, with no bytes after it.
    Raises PhotoError("metadata") otherwise.
    """
    chunks = _chunks(data)
    kinds = [kind for kind, _ in chunks]
    if len(kinds) < 3 or kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]:
        extra = sorted({ascii(kind)[2:-1] for kind in kinds} - {"IHDR", "IDAT", "IEND"})
        _refuse(f"PNG chunks beyond pixels: {', '.join(extra) or 'unexpected order'}")
    header, end = chunks[0][1], chunks[-1][1]
    if len(header) != 13 or header[8:] != _IHDR_REST or end:
        _refuse("PNG header other than plain 8-bit RGB")
    width, height = struct.unpack(">II", header[:8])
    expected = height * (1 + 3 * width)
    inflater = zlib.decompressobj()
    try:
        scanlines = inflater.decompress(b"".join(body for _, body in chunks[1:-1]), expected + 1)
    except zlib.error as error:
        raise PhotoError("metadata", f"PNG pixel stream is damaged: {error}") from error
    if len(scanlines) != expected or not inflater.eof or inflater.unused_data:
        _refuse("PNG pixel stream is longer or shorter than the picture")
    return width, height


def jpeg_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a baseline JPEG with a 16-byte JFIF APP0, tables, one scan and EOI (ITU-T T.81 annex B).

    Refuses all other segments: APP1–APP15, comments, a JFIF thumbnail, bytes between segments or after EOI. Bytes
    inside the entropy-coded scan cannot be told from pixels. Raises PhotoError("metadata").
    """
    if data[:2] != bytes((0xFF, _SOI)):
        _refuse("no JPEG start marker")
    size: tuple[int, int] | None = None
    at = 2
    while True:
        if len(data) < at + 4 or data[at] != 0xFF:
            _refuse(f"JPEG bytes between segments at {at}")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            _refuse("JPEG segment runs past the end")
        if marker == _APP0:
            if at != 2 or not body.startswith(_JFIF) or body[12:] != b"\x00\x00":
                _refuse("JPEG APP0 other than one plain JFIF header without a thumbnail")
        elif marker == _SOF0 and size is None and length == 17:  # three components
            size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        elif marker == _SOS and size is not None and length == 12:
            break
        elif marker not in {_DQT, _DHT}:
            _refuse(f"JPEG segment 0xFF{marker:02X} beyond pixels")
        at += 2 + length
    at = data.find(b"\xff", at + 2 + length)
    while at >= 0 and data[at + 1 : at + 2] == b"\x00":  # a stuffed 0xFF belongs to the scan
        at = data.find(b"\xff", at + 2)
    if at < 0 or data[at:] != bytes((0xFF, _EOI)):
        _refuse("JPEG does not end right after its only scan")
    return size


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        _refuse("no PNG signature")
    chunks: list[tuple[bytes, bytes]] = []
    at = len(_SIGNATURE)
    while at < len(data):
        if chunks and chunks[-1][0] == b"IEND":
            _refuse("PNG bytes after IEND")
        length = int.from_bytes(data[at : at + 4], "big")
        kind, body, crc = (
            data[at + 4 : at + 8],
            data[at + 8 : at + 8 + length],
            data[at + 8 + length : at + 12 + length],
        )
        if len(crc) != 4 or int.from_bytes(crc, "big") != zlib.crc32(body, zlib.crc32(kind)):
            _refuse(f"PNG chunk at {at} is cut or its checksum is wrong")
        chunks.append((kind, body))
        at += 12 + length
    return chunks


def _refuse(what: str) -> NoReturn:
    raise PhotoError("metadata", f"{what}.", "Nothing is written; please report this as a bug.")


PNG_LEVEL = 2  # measured on 256 px faces: level 6 costs five times the time for 7 % fewer bytes


def encode_png(rgb: RGB) -> bytes:
    """`rgb`, uint8 (H, W, 3), as a PNG of IHDR, IDAT and IEND that decodes to the same pixels.

    >>> prove_clean(encode_png(np.zeros((2, 3, 3), np.uint8)))
    """
    data = _save(rgb, "PNG", compress_level=PNG_LEVEL)
    prove_clean(data, rgb)
    return data


def encode_jpeg(rgb: RGB, quality: int = 95) -> bytes:
    """`rgb`, uint8 (H, W, 3), as a baseline JPEG of full colour resolution (4:4:4) without any metadata."""
    data = _save(rgb, "JPEG", quality=quality, subsampling=0)
    prove_clean(data)
    return data


def prove_clean(data: bytes, rgb: RGB | None = None) -> None:
    """Raises PhotoError unless `data`, read again from the start, is a PNG or JPEG that holds nothing but pixels.

    "metadata": a chunk, segment, thumbnail, profile, comment or byte beyond what `png_size` and `jpeg_size` allow;
    "corrupt": it does not decode to its own size, or, with `rgb` given and PNG, to those very pixels.
    """
    kind = sniff(data)
    if kind not in {"PNG", "JPEG"}:
        raise PhotoError("metadata", "the output is neither PNG nor JPEG.", "Nothing is written.")
    width, height = png_size(data) if kind == "PNG" else jpeg_size(data)
    pixels = decode(data, "output")
    if pixels.shape != (height, width, 3) or (rgb is not None and pixels.shape != rgb.shape):
        raise PhotoError("corrupt", "the output decodes to another size.", "Nothing is written.")
    if kind == "PNG" and rgb is not None and not np.array_equal(pixels, rgb):
        raise PhotoError("corrupt", "the output decodes to other pixels.", "Nothing is written.")


def _save(rgb: RGB, kind: str, **options: int) -> bytes:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ValueError(f"expected uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, kind, **options)
    return buffer.getvalue()
