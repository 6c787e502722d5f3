"""Any Pillow image mode to upright 8-bit sRGB: depth, palette, alpha, CMYK, Lab, profile, orientation, size.

A file may name its colour space by number (ITU-T H.273) instead of an ICC profile: Display P3 and BT.2020 then get one.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageCms

from ganonym.errors import PhotoError
from ganonym.photos.depth import significant_bits, to_eight
from ganonym.types import RGB, Floats

_WHITE = (0.3127, 0.3290)  # D65
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_NOT_A_DISPLAY = {8: "linear light", 16: "high dynamic range (PQ)", 18: "high dynamic range (HLG)"}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.96422, 1.0, 0.82521])


def profile_of(primaries: int, transfer: int) -> bytes | None:
    """An ICC profile of these primaries with sRGB's transfer curve; None where sRGB is near enough.

    The older television curves are taken for sRGB's, as browsers do. Raises PhotoError("unsupported") for high dynamic
    range and linear light, which would come out far too dark or flat.

    >>> profile_of(1, 13) is None, profile_of(12, 13) is None
    (True, False)
    """
    if transfer in _NOT_A_DISPLAY:
        raise PhotoError(
            "unsupported", f"its pixels are of {_NOT_A_DISPLAY[transfer]}.", "Export it as JPEG in standard range."
        )
    if primaries not in _PRIMARIES:
        return None
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), _to_d50(_PRIMARIES[primaries]).T, strict=True))
    (tags,) = struct.unpack(">I", profile[128:132])
    for number in range(tags):
        name, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if name in columns:
            struct.pack_into(">3i", profile, at + 8, *(round(value * 65536) for value in columns[name]))
        elif name == b"desc":  # by the name sRGB a profile is taken for one that needs no conversion
            text = profile[at : at + size].replace("sRGB".encode("utf-16-be"), "CICP".encode("utf-16-be"))
            profile[at : at + size] = text
    return bytes(profile)


def _to_d50(primaries: tuple[tuple[float, float], ...]) -> Floats:
    """(3, 3) matrix from linear RGB to XYZ, adapted from D65 to D50 (ICC.1 annex E)."""
    corners = np.array([_xyz(*xy) for xy in primaries]).T
    white = np.array(_xyz(*_WHITE))
    matrix = corners * np.linalg.solve(corners, white)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted: Floats = np.linalg.solve(_BRADFORD, cones @ _BRADFORD) @ matrix
    return adapted


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


Transform: TypeAlias = Callable[[Image.Image], Image.Image]

MATTE = (128, 128, 128)
"""Transparent pixels are composited on mid grey: neutral in hue, and no false edge as strong as on black or white."""

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREY = {"1", "L", "LA", "La"}
_BAND = 200_000  # pixels; small enough to stay in cache, and measured eight times faster than whole pictures


def to_rgb(image: Image.Image, orientation: int = 1, declared: int | None = None, shrink: int = 1) -> RGB:
    """A loaded image as upright sRGB, uint8 (H, W, 3), writable and contiguous.

    Depth: 16-bit grey by its significant bits (`declared`: as the file says, see `depth.significant_bits`), 32-bit
    integer and float by the smallest of the ranges 0–1 (float only), 0–255 and those of 10 to 16 bits that holds the
    values. Alpha: composited on `MATTE`. Colour: an ICC profile in `info` is converted to sRGB (perceptual intent); one
    that is broken or of another colour space is ignored, as browsers do. `orientation` 1–8 (Exif 2.32 §4.6.4) is
    applied, then `shrink` x `shrink` pixels are averaged to one. Raises PhotoError("unsupported" | "corrupt").

    Works in bands, so the memory needed is the image, the result and little else.
    """
    profile = image.info.get("icc_profile")
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image = _eight_bits(image, declared)
    transform = (_by_profile(image, profile) if profile else None) or _plain
    turn = _TURN.get(orientation)
    width, height = (-(-side // shrink) for side in image.size)
    upright = np.empty((width, height, 3) if orientation in {5, 6, 7, 8} else (height, width, 3), np.uint8)
    rows = max(1, _BAND // image.width // shrink)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        stored = image.crop((0, top * shrink, image.width, min(bottom * shrink, image.height)))
        band = _flatten(stored, transform).reduce(shrink)
        _place(upright, orientation, top, bottom)[...] = np.asarray(band if turn is None else band.transpose(turn))
    return upright


def _place(upright: RGB, orientation: int, top: int, bottom: int) -> RGB:
    """Where rows `top`…`bottom` of the stored picture lie in the upright one."""
    if orientation in {3, 4}:
        return upright[len(upright) - bottom : len(upright) - top]
    if orientation in {5, 8}:
        columns = slice(top, bottom)
    elif orientation in {6, 7}:
        columns = slice(upright.shape[1] - bottom, upright.shape[1] - top)
    else:
        return upright[top:bottom]
    return upright[:, columns]


def _flatten(band: Image.Image, transform: Transform) -> Image.Image:
    if not band.has_transparency_data:
        return transform(band)
    rgba = band.convert("RGBA")
    matte = Image.new("RGB", band.size, MATTE)
    matte.paste(transform(rgba.convert("RGB")), mask=rgba.getchannel("A"))
    return matte


def _eight_bits(image: Image.Image, declared: int | None) -> Image.Image:
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise PhotoError("corrupt", "the pixels are not all numbers.", "Export it as 8-bit or 16-bit PNG.")
    largest = float(values.max())
    if largest > 65535:
        raise PhotoError("unsupported", f"pixel values up to {largest:g} have no known range.", "Export it as PNG.")
    if image.mode == "F" and largest <= 1.0:
        return Image.fromarray(to_eight(values, 1.0))
    if not image.mode.startswith("I;16") and largest <= 255:
        return Image.fromarray(to_eight(values, 255.0))
    return Image.fromarray(to_eight(values, 2.0 ** significant_bits(int(max(largest, 0)), declared) - 1))


def _by_profile(image: Image.Image, icc: bytes) -> Transform | None:
    """Conversion by the embedded profile, or None where the profile is broken or does not fit the pixels."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space
        if space == "RGB " and image.mode not in {"CMYK", "LAB"}:
            # Converting sRGB to sRGB would cost more than decoding did.
            if (profile.profile.profile_description or "").startswith("sRGB"):
                return None
            return _between(profile, "RGB")
        if space == "GRAY" and image.mode in _GREY:
            return _between(profile, "L")
        if space == "CMYK" and image.mode == "CMYK":
            return _between(profile, "CMYK")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass
    return None


def _between(profile: ImageCms.ImageCmsProfile, mode: str) -> Transform:
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")

    def convert(band: Image.Image) -> Image.Image:
        result = ImageCms.applyTransform(band if band.mode == mode else band.convert(mode), transform)
        assert result is not None
        return result

    return convert


def _plain(band: Image.Image) -> Image.Image:
    return band if band.mode == "RGB" else band.convert("RGB")
