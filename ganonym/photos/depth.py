"""How many bits of a deep sample carry the picture: scanners and cameras store 10, 12 or 14 bits in 16.

`docs/adr/0015-bits-of-a-sample.md` says why a picture is withheld where it cannot be told.
"""

from __future__ import annotations

import io
import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.errors import PhotoError
from ganonym.photos.formats import Format, png_chunk

Samples: TypeAlias = NDArray[np.uint16]

DEPTHS = (8, 10, 12, 14)
_FULL = 2**14  # a picture with a brighter pixel uses all sixteen bits
_MAXIMA = (281, 341)  # MaxSampleValue, SMaxSampleValue
_BITS_PER_SAMPLE = 258
_PLANAR, _SEPARATE = 284, 2
_REMEDY = "Export it with 8 bits a channel."
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def significant_bits(largest: int, declared: int | None = None) -> int:
    """How many bits the range of a picture has whose largest 16-bit value is `largest`.

    All 16 where it is at least 2^14, or where everything is black; `declared` where the file says it and all values
    fit; else the one of 8, 10, 12 and 14 bits of which the largest value uses the upper half. Raises
    PhotoError("unsupported") where none does: the picture is dark in any of them, and its range cannot be told.

    >>> significant_bits(4095), significant_bits(65000), significant_bits(1500, declared=12)
    (12, 16, 12)
    """
    if largest >= _FULL or largest == 0 or declared == 16:
        return 16
    if declared is not None and largest < 2**declared:
        return declared
    bits_used = next((bits for bits in DEPTHS if 2 ** (bits - 1) <= largest < 2**bits), None)
    if bits_used is None:
        raise PhotoError(
            "unsupported",
            f"its 16-bit values end at {largest}: whether it is dark or of fewer bits cannot be told.",
            _REMEDY,
        )
    return bits_used


def declared_bits(image: Image.Image, data: bytes, kind: Format) -> int | None:
    """The bits that a PNG's sBIT chunk, or a TIFF's tags BitsPerSample or (S)MaxSampleValue declare; None without."""
    if kind == "PNG":
        bits = png_chunk(data, b"sBIT")[:1]
        return bits[0] if bits and bits[0] in DEPTHS else None
    if kind != "TIFF":
        return None
    tags = getattr(image, "tag_v2", {})
    stored = _first(tags.get(_BITS_PER_SAMPLE))
    if stored in DEPTHS[1:]:
        return stored
    maxima = [_first(tags.get(tag)) for tag in _MAXIMA]
    return next((bits for bits in (*DEPTHS, 16) if 2**bits - 1 in maxima), None)


def to_eight(values: NDArray[np.generic], top: float) -> NDArray[np.uint8]:
    """Values 0 … `top` as 0 … 255, rounded; what lies outside is clipped."""
    scaled = values.astype(np.float32)
    scaled *= 255.0 / top
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8)


def is_deep(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet has 16 bits a colour, of which Pillow will keep the upper eight.

    Raises PhotoError("unsupported") for planes of more than 8 bits, which Pillow takes for planes of 8.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR) == _SEPARATE and (_first(tags.get(_BITS_PER_SAMPLE)) or 0) > 8 and len(image.getbands()) > 1:
        raise PhotoError("unsupported", "its colours are planes of more than 8 bits.", _REMEDY)
    return image.mode in {"RGB", "RGBA"} and any(";16" in _raw_mode(tile.args) for tile in getattr(image, "tile", ()))


def restored(image: Image.Image, data: bytes, kind: Format) -> Image.Image:
    """A loaded deep RGB or RGBA image by its significant bits; the same image where all sixteen are used.

    The lower bytes are had by reading the file once more with its bytes taken in the other order.
    """
    uppermost = int(np.asarray(image)[..., :3].max())
    if uppermost * 256 >= _FULL:
        return image
    with Image.open(io.BytesIO(data), formats=(kind,)) as lower:
        declared = declared_bits(lower, data, kind)
        lower.tile = [tile._replace(args=_other_order(tile.args)) for tile in lower.tile]
        lower.load()
        samples: Samples = np.asarray(image).astype(np.uint16)
        samples *= np.uint16(256)
        samples += np.asarray(lower)
    colours = _scaled(samples[..., :3], declared)
    if image.mode == "RGB":
        return _as_image(colours, image)
    return _as_image(np.dstack([colours, _scaled(samples[..., 3], declared)]), image)


def _scaled(samples: Samples, declared: int | None) -> NDArray[np.uint8]:
    return to_eight(samples, 2.0 ** significant_bits(int(samples.max()), declared) - 1)


def _as_image(values: NDArray[np.uint8], like: Image.Image) -> Image.Image:
    image = Image.fromarray(values)
    image.info = like.info
    return image


def _raw_mode(args: object) -> str:
    return str(args[0] if isinstance(args, tuple) else args)


def _other_order(args: tuple[Any, ...] | str | None) -> tuple[Any, ...] | str:
    mode = _raw_mode(args)
    if mode not in {f"{colours};16{order}" for colours in ("RGB", "RGBA") for order in _OTHER_ORDER}:
        raise PhotoError("unsupported", "its 16-bit values use few of their bits.", _REMEDY)
    other = mode[:-1] + _OTHER_ORDER[mode[-1]]
    return (other, *args[1:]) if isinstance(args, tuple) else other


def _first(value: object) -> int | None:
    """The number of a tag that may hold one, or one a channel."""
    number = value[0] if isinstance(value, tuple) and value else value
    return number if isinstance(number, int) else None
