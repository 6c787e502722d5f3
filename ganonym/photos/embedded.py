"""What a picture file carries besides its pixels, by name and content; reads the container, never the pixels.

`encode.prove_clean` proves that our own files carry nothing. Of other tools' files this tells what they do carry.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from PIL import ExifTags, Image

from ganonym.errors import PhotoError
from ganonym.photos import heif
from ganonym.photos.formats import describe, sniff

Item: TypeAlias = tuple[str, str]
"""What kind of metadata, such as "GPS", and its content: a readable value, or the digest of one that is none."""

# Segments and chunks that describe pixels. Of JPEG: tables, frames, scans, restarts and Adobe's colour transform.
_JPEG_PIXELS = {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xC0, 0xC4), *range(0xC5, 0xCC), *range(0xCD, 0xD0), 0xEE}
_PNG_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs",
               b"cICP", b"hIST"}  # fmt: skip
_WEBP_PIXELS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}
_HEIF_PIXELS = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"moov"}
# Tags without which a TIFF has no pixels, or which merely say how they are laid out.
_TIFF_PIXELS = {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 296, 317, 320,
                322, 323, 324, 325, 338, 339, 347, 530, 531, 532}  # fmt: skip
_SHARED_TAGS = {700: "XMP", 33723: "IPTC", 34377: "IPTC", 34675: "ICC profile"}
_POINTERS = {int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo), int(ExifTags.IFD.Interop)}


def embedded(data: bytes, name: str) -> tuple[Item, ...]:
    """Everything but pixels in the bytes of a picture of an accepted format; `name` only appears in messages.

    Kinds: "EXIF", "GPS", "thumbnail", "XMP", "ICC profile", "IPTC", "comment", "further pictures", "PNG text",
    "PNG time", "trailing bytes", and "JPEG APPn", "PNG xxxx", "WebP xxxx", "HEIF xxxx" for whatever else there is.
    Raises PhotoError "unsupported" for other formats, "corrupt" where the container is broken.
    """
    kind = sniff(data)
    if kind is None:
        what, remedy = describe(data)
        raise PhotoError("unsupported", f"{name!r} is {what}.", remedy)
    readers = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "TIFF": _tiff, "BMP": _bmp, "HEIF": _heif, "AVIF": _avif}
    try:
        return tuple(readers[kind](data))
    except Exception as error:  # a hostile file can make a decoder raise anything at all
        raise PhotoError("corrupt", f"{name!r} is not a sound {kind}.", "Copy the file again.") from error


def _jpeg(data: bytes) -> Iterator[Item]:
    at = 2
    while True:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0:
            raise ValueError("no marker")
        if marker == 0xD9:
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield from _segment(marker, data[at + 4 : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:  # the scan goes on to the next marker that is neither a stuffed byte nor a restart
            at = data.index(b"\xff", at)
            while data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
                at = data.index(b"\xff", at + 2)
    yield from _tail(data[at + 2 :])


def _segment(marker: int, body: bytes) -> Iterator[Item]:
    if body.startswith(b"JFIF\0"):
        if body[12:14] != b"\0\0":
            yield "thumbnail", _digest(body)
    elif body.startswith(b"JFXX\0"):
        yield "thumbnail", _digest(body)
    elif body.startswith(b"Exif\0"):
        yield from _exif(body[6:])
    elif body.startswith(b"http://ns.adobe.com/"):
        yield "XMP", _digest(body)
    elif body.startswith(b"ICC_PROFILE\0"):
        yield "ICC profile", _digest(body)
    elif body.startswith(b"MPF\0"):
        yield "further pictures", _digest(body)
    elif body.startswith(b"Photoshop"):
        yield "IPTC", _digest(body)
    elif marker == 0xFE:
        yield "comment", _text(body)
    elif marker not in _JPEG_PIXELS:
        yield (f"JPEG APP{marker - 0xE0}" if marker >= 0xE0 else f"JPEG {marker:02X}"), _digest(body)


def _png(data: bytes) -> Iterator[Item]:
    at, kind = 8, b""
    while kind != b"IEND":
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"eXIf":
            yield from _exif(body)
        elif kind in {b"tEXt", b"zTXt", b"iTXt"}:
            yield ("XMP" if body.startswith(b"XML:com.adobe.xmp") else "PNG text"), _text(body)
        elif kind == b"tIME":
            yield "PNG time", body.hex()
        elif kind == b"iCCP":
            yield "ICC profile", _digest(body)
        elif kind not in _PNG_PIXELS:
            yield f"PNG {ascii(kind)[2:-1]}", _digest(body)
    yield from _tail(data[at:])


def _webp(data: bytes) -> Iterator[Item]:
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while at < end:
        kind, (length,) = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])
        body = data[at + 8 : at + 8 + length]
        if len(body) != length:
            raise ValueError("it ends early")
        at += 8 + length + length % 2
        if kind == b"EXIF":
            yield from _exif(body.removeprefix(b"Exif\0\0"))
        elif kind in {b"XMP ", b"ICCP"}:
            yield {b"XMP ": "XMP", b"ICCP": "ICC profile"}[kind], _digest(body)
        elif kind not in _WEBP_PIXELS:
            yield f"WebP {ascii(kind)[2:-1]}", _digest(body)
    yield from _tail(data[end:])


def _tiff(data: bytes) -> Iterator[Item]:
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
        exif = image.getexif()
        yield from _tags(exif, _TIFF_PIXELS)
        if getattr(image, "n_frames", 1) > 1:
            yield "further pictures", str(getattr(image, "n_frames", 1))


def _bmp(data: bytes) -> Iterator[Item]:
    size = int.from_bytes(data[2:6], "little")
    yield from _tail(data[size:] if size else b"")


def _heif(data: bytes) -> Iterator[Item]:
    import pillow_heif  # where it is needed: few photos are HEIC

    pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = True
    file = pillow_heif.open_heif(data)
    info = file.info
    yield from _named(info)
    for entry in info.get("metadata", ()):
        yield f"HEIF {ascii(entry['type'])[1:-1]}", _digest(entry["data"])
    if info.get("thumbnails"):
        yield "thumbnail", str(info["thumbnails"])
    others = len(file) - 1 + len(info.get("depth_images", ())) + sum(map(len, info.get("aux", {}).values()))
    if others:
        yield "further pictures", str(others)
    yield from _boxes(data)


def _avif(data: bytes) -> Iterator[Item]:
    with Image.open(io.BytesIO(data), formats=("AVIF",)) as image:
        yield from _named(image.info)
        if getattr(image, "n_frames", 1) > 1:
            yield "further pictures", str(getattr(image, "n_frames", 1))
    yield from _boxes(data)


def _boxes(data: bytes) -> Iterator[Item]:
    """What telephones put behind a picture: a video in a box of its own, or bytes that are no box."""
    if heif.ends_early(data):
        raise ValueError("it ends early")
    read = 0
    for kind, body in heif.boxes(data):
        read += 8 + len(body)
        if kind not in _HEIF_PIXELS:
            yield f"HEIF {ascii(kind)[2:-1]}", _digest(body)
    yield from _tail(data[read:])


def _named(info: Mapping[Any, Any]) -> Iterator[Item]:
    if info.get("exif"):
        yield from _exif(info["exif"])
    for key, kind in (("xmp", "XMP"), ("icc_profile", "ICC profile")):
        if info.get(key):
            yield kind, _digest(info[key])


def _exif(body: bytes) -> Iterator[Item]:
    exif = Image.Exif()
    exif.load(body)
    yield from _tags(exif, set())
    if exif.get_ifd(ExifTags.IFD.IFD1):
        yield "thumbnail", _digest(body)


def _tags(exif: Image.Exif, pixels: set[int]) -> Iterator[Item]:
    for tag, value in exif.items():
        if tag in _SHARED_TAGS:
            yield _SHARED_TAGS[tag], _digest(value)
        elif tag not in pixels | _POINTERS:
            yield "EXIF", _entry(tag, value)
    for tag, value in exif.get_ifd(ExifTags.IFD.Exif).items():
        yield "EXIF", _entry(tag, value)
    for tag, value in exif.get_ifd(ExifTags.IFD.GPSInfo).items():
        yield "GPS", _entry(tag, value)


def _entry(tag: int, value: Any) -> str:
    return f"{tag}={_digest(value) if isinstance(value, bytes) else str(value)[:200]}"


def _tail(data: bytes) -> Iterator[Item]:
    if data:
        yield "trailing bytes", _digest(data)


def _text(body: bytes) -> str:
    return body.decode("latin-1")[:200]


def _digest(value: Any) -> str:
    return hashlib.sha256(value if isinstance(value, bytes) else repr(value).encode()).hexdigest()
