"""Untrusted bytes to an upright sRGB array, or a PhotoError that says why not. Nothing else of the file survives.

Pillow reads the five accepted formats and no other, whatever the file is called. Of a JPEG that carries further
pictures (stereo pair, gain map, motion photo) the primary one is read; in the other formats several frames are
refused. Hostile files can still crash, hang or exhaust a C decoder: run this behind `isolate`.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

# The plugins are imported by name because Pillow would otherwise import all its forty to look for one.
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from ganonym.errors import EnvironmentFault, PhotoError
from ganonym.photos.colour import to_rgb
from ganonym.photos.sniff import ACCEPTED, Format, describe, ends_early, sniff
from ganonym.photos.source import MAX_BYTES, read_bytes
from ganonym.types import RGB

MAX_PIXELS = 100_000_000
MAX_SIDE = 30_000

_PLUGINS = (BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
_SAVE_AGAIN = "Open the original in an image editor and save it again."


def read_photo(root: Path, name: str) -> tuple[RGB, str]:
    """The photo `root/name` and the SHA-256 (hex) of its bytes; raises PhotoError as `read_bytes` and `decode` do."""
    data = read_bytes(root, name)
    return decode(data, name), hashlib.sha256(data).hexdigest()


def decode(data: bytes, name: str) -> RGB:
    """`data` as upright sRGB, uint8 (H, W, 3); `name` only appears in messages. Conversions: see `colour.to_rgb`.

    Raises PhotoError: "empty"; "unsupported" (not an accepted format, or pixels of no known range); "too-large"
    (over `MAX_BYTES`, `MAX_PIXELS`, `MAX_SIDE`, or over the memory allowed); "animated" (several frames or pages);
    "truncated"; "corrupt" (anything else, every warning of the decoder included).

    Changes warning filters while it runs, so call it from processes, not threads.

    >>> decode(b"GIF89a", "scan.jpg")
    Traceback (most recent call last):
    ganonym.errors.PhotoError: 'scan.jpg' is a GIF. Save it as JPEG, PNG, WebP, TIFF or BMP.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise EnvironmentFault("Pillow's LOAD_TRUNCATED_IMAGES is on.", "Turn it off: damaged photos must be refused.")
    if not data:
        raise PhotoError("empty", f"{name!r} is empty.", "Copy the original again.")
    if len(data) > MAX_BYTES:
        raise PhotoError("too-large", f"{name!r} holds more than {MAX_BYTES} bytes.", "Save it at a smaller size.")
    kind = sniff(data)
    if kind is None:
        raise PhotoError("unsupported", f"{name!r} is {describe(data)}.", f"Save it as {ACCEPTED}.")
    result = _load(data, kind, name)
    if isinstance(result, PhotoError):
        raise result
    return result


def _load(data: bytes, kind: Format, name: str) -> RGB | PhotoError:
    """Returns its error: one raised from a handler would keep the half-decoded picture alive through its traceback."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # below our own cap, which comes next
            with Image.open(io.BytesIO(data), formats=(kind,)) as image:
                _admit(image, kind)
                image.load()
                return to_rgb(image)
    except PhotoError as error:
        return PhotoError(error.reason, f"{name!r}: {error.message}", error.remedy)
    except (Image.DecompressionBombError, MemoryError):
        return PhotoError("too-large", f"{name!r} needs more memory than allowed.", "Save it at a smaller size.")
    except Exception as error:  # a hostile file can make a decoder raise anything at all
        if "truncated" in str(error) or isinstance(error, EOFError) or ends_early(data, kind):
            return PhotoError("truncated", f"{name!r} ends early.", "Copy the original again.")
        return PhotoError("corrupt", f"{name!r} is not a sound {kind}: {_line(error)}.", _SAVE_AGAIN)


def _admit(image: Image.Image, kind: Format) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limits = f"at most {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE} a side"
        raise PhotoError("too-large", f"{width} x {height} pixels; {limits} are read.", "Save it at a smaller size.")
    if kind != "JPEG" and getattr(image, "is_animated", False):
        raise PhotoError("animated", "it holds several frames or pages.", "Save the wanted one as a file of its own.")


def _line(error: Exception) -> str:
    """A decoder's message on one line of readable length: parts of it may come from the file."""
    text = " ".join(str(error).split()) or type(error).__name__
    return ascii(text[:120])[1:-1]
