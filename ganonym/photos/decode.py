"""Untrusted bytes to an upright sRGB array, or a PhotoError that says why not. Nothing else of the file survives.

Pillow reads the accepted formats and no other (HEIC through pillow-heif), whatever the file is called. Of a JPEG, HEIC
or AVIF that carries further pictures (stereo pair, gain map, depth map, motion photo) the primary one is read; in the
other formats several frames are refused. Hostile files can still crash, hang or exhaust a C decoder: run this in
`ganonym.workers`.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The plugins are imported by name because Pillow would otherwise import all its forty to look for one.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ganonym.errors import EnvironmentFault, PhotoError
from ganonym.photos import colour, heif
from ganonym.photos.colour import to_rgb
from ganonym.photos.depth import declared_bits, is_deep, restored
from ganonym.photos.formats import RAW, Format, describe, ends_early, holds_raw, png_chunk, sniff
from ganonym.photos.source import MAX_BYTES, read_bytes
from ganonym.types import RGB

MAX_PIXELS = 100_000_000
"""Up to here a picture is read at its own size."""

MAX_SHRUNK = 200_000_000
"""Up to here at 1/2, 1/4 or 1/8 of its size, so that it has at most `SHRUNK` pixels."""

MAX_SHRUNK_JPEG = 400_000_000
"""A JPEG is decoded at the smaller size; of the others the whole picture must fit into memory first."""

SHRUNK = 50_000_000
MAX_SIDE = 30_000

_PLUGINS = (AvifImagePlugin, BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
_ORIENTATION = 0x0112
_SAVE_AGAIN = "Open the original in an image editor and save it again."


def read_photo(root: Path, name: str) -> tuple[RGB, str]:
    """The photo `root/name` and the SHA-256 (hex) of its bytes; raises PhotoError as `read_bytes` and `decode` do."""
    data = read_bytes(root, name)
    return decode(data, name), hashlib.sha256(data).hexdigest()


def shrunk_by(root: Path, name: str) -> int:
    """By which number `read_photo` divides the sides of a photo that it can read; 1 up to `MAX_PIXELS`."""
    data = read_bytes(root, name)
    kind = sniff(data)
    assert kind is not None
    with _our_limits(), _open(data, kind) as image:
        return _number(image.width * image.height)


def decode(data: bytes, name: str) -> RGB:
    """`data` as upright sRGB, uint8 (H, W, 3); `name` only appears in messages. Conversions: see `colour.to_rgb`.

    A picture of more than `MAX_PIXELS` comes out at 1/2, 1/4 or 1/8 of its size.

    Raises PhotoError: "empty"; "unsupported" (not an accepted format, a RAW file that is built like a TIFF, high
    dynamic range, or pixels of no known range); "too-large" (over `MAX_BYTES`, `MAX_SHRUNK`, `MAX_SIDE`, or the memory
    allowed); "animated" (several frames or pages); "truncated"; "corrupt" (anything else, every warning included).

    Changes warning filters and Pillow's limit of pixels while it runs, so call it from processes, not threads.

    >>> decode(b"GIF89a", "scan.jpg")
    Traceback (most recent call last):
    ganonym.errors.PhotoError: 'scan.jpg' is a GIF. Export the wanted frame as PNG.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise EnvironmentFault("Pillow's LOAD_TRUNCATED_IMAGES is on.", "Turn it off: damaged photos must be refused.")
    if not data:
        raise PhotoError("empty", f"{name!r} is empty.", "Copy the original again.")
    if len(data) > MAX_BYTES:
        raise PhotoError("too-large", f"{name!r} holds more than {MAX_BYTES} bytes.", "Save it at a smaller size.")
    kind = sniff(data)
    if kind is None:
        what, remedy = describe(data)
        raise PhotoError("unsupported", f"{name!r} is {what}.", remedy)
    result = _load(data, kind, name)
    if isinstance(result, PhotoError):
        raise result
    return result


def _load(data: bytes, kind: Format, name: str) -> RGB | PhotoError:
    """Returns its error: one raised from a handler would keep the half-decoded picture alive through its traceback."""
    try:
        with _our_limits(), _open(data, kind) as image:
            shrink = _admit(image, kind)
            deep, declared = is_deep(image), declared_bits(image, data, kind)
            image.load()
            orientation = _orientation(image, kind)  # now, since Pillow turns a TIFF itself while it loads it
            if kind == "HEIF":  # its size is sure only now
                shrink = _admit(image, kind)
            _name_colours(image, data, kind)
            return to_rgb(restored(image, data, kind) if deep else image, orientation, declared, shrink)
    except PhotoError as error:
        return PhotoError(error.reason, f"{name!r}: {error.message}", error.remedy)
    except (Image.DecompressionBombError, MemoryError):
        return PhotoError("too-large", f"{name!r} needs more memory than allowed.", "Save it at a smaller size.")
    except Exception as error:  # a hostile file can make a decoder raise anything at all
        if "truncated" in str(error) or isinstance(error, EOFError) or ends_early(data, kind):
            return PhotoError("truncated", f"{name!r} ends early.", "Copy the original again.")
        return PhotoError("corrupt", f"{name!r} is not a sound {kind}: {_line(error)}.", _SAVE_AGAIN)


@contextmanager
def _our_limits() -> Iterator[None]:
    """Warnings are errors, and `_admit` decides about sizes, with Pillow's own limit as it was afterwards."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_SHRUNK_JPEG
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _open(data: bytes, kind: Format) -> Image.Image:
    if kind == "TIFF" and holds_raw(data):
        what, remedy = RAW
        raise PhotoError("unsupported", f"it is {what}.", remedy)
    if kind != "HEIF":
        return Image.open(io.BytesIO(data), formats=(kind,))
    if heif.is_sequence(data):
        raise PhotoError("animated", "it is a sequence of pictures.", "Export the wanted one as PNG.")
    import pillow_heif  # where it is needed: few photos are HEIC

    pillow_heif.options.DECODE_THREADS = 1  # the batch has a process for each core
    pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = False
    image: Image.Image = pillow_heif.HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    return image


def _admit(image: Image.Image, kind: Format) -> int:
    """By which number its sides must still be divided; a JPEG is told to decode smaller and needs no more of it."""
    width, height = image.size
    pixels, most = width * height, MAX_SHRUNK_JPEG if kind == "JPEG" else MAX_SHRUNK
    if pixels > most or max(width, height) > MAX_SIDE:
        limits = f"at most {most // 10**6} megapixels and {MAX_SIDE} a side"
        raise PhotoError("too-large", f"{width} x {height} pixels; {limits} are read.", "Save it at a smaller size.")
    if kind not in {"JPEG", "HEIF"} and getattr(image, "is_animated", False):
        raise PhotoError("animated", "it holds several frames or pages.", "Save the wanted one as a file of its own.")
    shrink = _number(pixels)
    if kind == "JPEG" and shrink > 1:
        image.draft(None, (width // shrink, height // shrink))
        return 1
    return shrink


def _number(pixels: int) -> int:
    return 1 if pixels <= MAX_PIXELS else next(number for number in (2, 4, 8) if pixels <= SHRUNK * number**2)


def _orientation(image: Image.Image, kind: Format) -> int:
    """EXIF orientation. A HEIC is turned by its decoder; of an AVIF its boxes count, which Pillow makes EXIF of."""
    if kind == "HEIF":
        return 1
    if kind == "AVIF":
        image.info.pop("xmp", None)
    return int(image.getexif().get(_ORIENTATION, 1))


def _name_colours(image: Image.Image, data: bytes, kind: Format) -> None:
    """Where there is no ICC profile, give the image that of the colour space which the file names by number."""
    if kind == "PNG":
        numbers = tuple(png_chunk(data, b"cICP")[:2])
    elif kind in {"HEIF", "AVIF"}:
        numbers = heif.named_colour(data) or ()
    else:
        return
    profile = colour.profile_of(*numbers) if len(numbers) == 2 else None
    if profile is not None and "icc_profile" not in image.info:
        image.info["icc_profile"] = profile


def _line(error: Exception) -> str:
    """A decoder's message on one line of readable length: parts of it may come from the file."""
    text = " ".join(str(error).split()) or type(error).__name__
    return ascii(text[:120])[1:-1]
