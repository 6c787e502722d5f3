"""Every place of a picture file where metadata can hide is named; files without any have none."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from ganonym.errors import PhotoError
from ganonym.photos.embedded import embedded
from ganonym.photos.encode import encode_jpeg, encode_png

pillow_heif.register_heif_opener()  # this module saves while it is collected

PICTURE = np.random.default_rng(1).integers(0, 256, (24, 30, 3), dtype=np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><canary/></x:xmpmeta>"


def saved(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, kind, **options)
    return buffer.getvalue()


def camera() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0110] = "Model Canary"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8769)[0xA431] = "serial 42"
    return exif


def text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Canary")
    info.add_itxt("Comment", "Canary", zip=True)
    return info


def png_with(kind: bytes, body: bytes) -> bytes:
    data = encode_png(PICTURE)
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


def jpeg_with(marker: int, body: bytes) -> bytes:
    data = encode_jpeg(PICTURE)
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + data[2:]


def kinds(data: bytes) -> set[str]:
    return {kind for kind, _ in embedded(data, "photo")}


@pytest.mark.parametrize(
    "data",
    [
        encode_png(PICTURE),
        encode_jpeg(PICTURE),
        saved("PNG", dpi=(300, 300)),
        saved("JPEG", progressive=True, subsampling=2),
        saved("JPEG", restart_marker_blocks=1),
        saved("WEBP"),
        saved("WEBP", lossless=True),
        saved("TIFF"),
        saved("TIFF", compression="tiff_lzw"),
        saved("BMP"),
        saved("HEIF"),
        saved("AVIF"),
    ],
)
def test_mere_pixels_have_nothing(data: bytes) -> None:
    assert embedded(data, "photo") == ()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_exif_gps_profile_and_xmp_are_named_in_every_format(kind: str) -> None:
    items = embedded(saved(kind, exif=camera().tobytes(), icc_profile=ICC), "photo")
    assert {name for name, _ in items} == {"EXIF", "GPS", "ICC profile"}
    assert {("EXIF", "272=Model Canary"), ("EXIF", "42033=serial 42"), ("GPS", "1=N")} <= set(items)
    if kind in {"JPEG", "WEBP", "HEIF", "AVIF"}:
        assert kinds(saved(kind, xmp=XMP)) == {"XMP"}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: saved("PNG", pnginfo=text()), "PNG text"),
        (lambda: png_with(b"tIME", bytes(7)), "PNG time"),
        (lambda: png_with(b"prVt", b"canary"), "PNG prVt"),
        (lambda: png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), "XMP"),
        (lambda: saved("JPEG", comment="canary"), "comment"),
        (lambda: jpeg_with(0xED, b"Photoshop 3.0\x008BIM"), "IPTC"),
        (lambda: jpeg_with(0xE2, b"MPF\0II*\0"), "further pictures"),
        (lambda: jpeg_with(0xEB, b"canary"), "JPEG APP11"),
        (lambda: jpeg_with(0xE0, b"JFXX\0\x10canary"), "thumbnail"),
        (lambda: encode_jpeg(PICTURE) + encode_jpeg(PICTURE), "trailing bytes"),
        (lambda: encode_png(PICTURE) + b"\0", "trailing bytes"),
        (lambda: saved("WEBP") + b"canary", "trailing bytes"),
        (lambda: saved("BMP") + b"canary", "trailing bytes"),
        (lambda: saved("TIFF", tiffinfo={270: "canary"}), "EXIF"),
        (lambda: saved("HEIF", thumbnails=[16]), "thumbnail"),
        (lambda: saved("HEIF", save_all=True, append_images=[Image.new("RGB", (32, 32))]), "further pictures"),
        (lambda: saved("AVIF", save_all=True, append_images=[Image.fromarray(PICTURE)]), "further pictures"),
        (lambda: saved("HEIF") + b"\0\0\0\x10mpvd" + bytes(8), "HEIF mpvd"),
        (lambda: saved("HEIF") + b"canary", "trailing bytes"),
        (lambda: saved("AVIF") + b"canary", "trailing bytes"),
        (lambda: saved("TIFF", save_all=True, append_images=[Image.new("RGB", (3, 3))]), "further pictures"),
    ],
)
def test_every_hiding_place_is_named(make: Callable[[], bytes], kind: str) -> None:
    assert kinds(make()) == {kind}


def test_thumbnail_of_exif_is_named() -> None:
    """IFD0 with no entries, then IFD1 with a compression tag, as cameras append their thumbnails."""
    first = struct.pack("<HI", 0, 14)
    second = struct.pack("<HHHIII", 1, 0x0103, 3, 1, 6, 0)
    assert "thumbnail" in kinds(jpeg_with(0xE1, b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + first + second))


@pytest.mark.parametrize("data", [encode_png(PICTURE), encode_jpeg(PICTURE), *map(saved, ("WEBP", "HEIF", "AVIF"))])
def test_broken_files_are_errors(data: bytes) -> None:
    for cut in (9, 30, len(data) // 2):
        with pytest.raises(PhotoError, match="photo"):
            embedded(data[:cut], "photo")
    with pytest.raises(PhotoError, match="a GIF"):
        embedded(b"GIF89a", "photo")
