"""One real photograph that is always at hand, and small writers for the formats that Pillow cannot write."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

pillow_heif.register_heif_opener()  # so that Pillow writes HEIC, too


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """NASA's portrait of Eileen Collins, an odd 161 x 120 crop with the face, so that no axis can be mistaken."""
    return np.ascontiguousarray(skimage.data.astronaut()[20:181, 160:280])


@pytest.fixture(scope="session")
def save() -> Callable[..., bytes]:
    """`save(array or image, format, **options)` through Pillow."""

    def write(picture: Any, kind: str, **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return write


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.fixture(scope="session")
def png_chunk() -> Callable[[bytes, bytes], bytes]:
    return chunk


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """`png(width, height, depth, colour, raw)`: a PNG written by hand; `raw` holds the filtered scanlines."""

    def write(width: int, height: int, depth: int, colour: int, raw: bytes, extra: bytes = b"") -> bytes:
        header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
        body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + body

    return write
