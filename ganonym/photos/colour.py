"""Any Pillow image mode to upright 8-bit sRGB: depth, palette, alpha, CMYK, Lab, embedded profile, orientation."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageCms

from ganonym.errors import PhotoError
from ganonym.types import RGB

Transform: TypeAlias = Callable[[Image.Image], Image.Image]

MATTE = (128, 128, 128)
"""Transparent pixels are composited on mid grey: neutral in hue, and no false edge as strong as on black or white."""

_ORIENTATION = 0x0112
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


def to_rgb(image: Image.Image) -> RGB:
    """A loaded image as upright sRGB, uint8 (H, W, 3), writable and contiguous.

    Depth: 16-bit grey by its nominal range, 32-bit integer and float by the smallest of the ranges 0–1 (float only),
    0–255 and 0–65535 that holds the values. Alpha: composited on `MATTE`. Colour: an embedded ICC profile is converted
    to sRGB (perceptual intent); one that is broken or of another colour space is ignored, as browsers do. EXIF
    orientation 1–8 (Exif 2.32 §4.6.4) is applied. Raises PhotoError("unsupported" | "corrupt").

    Works in bands, so the memory needed is the image, the result and little else.
    """
    orientation = image.getexif().get(_ORIENTATION, 1)
    profile = image.info.get("icc_profile")
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image = _eight_bits(image)
    transform = (_by_profile(image, profile) if profile else None) or _plain
    turn = _TURN.get(orientation)
    width, height = image.size
    upright = np.empty((width, height, 3) if orientation in {5, 6, 7, 8} else (height, width, 3), np.uint8)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = _flatten(image.crop((0, top, width, bottom)), transform)
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


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        top = 65535.0
    else:
        if not np.isfinite(values).all():
            raise PhotoError("corrupt", "the pixels are not all numbers.", "Export it as 8-bit or 16-bit PNG.")
        largest = float(values.max())
        ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        found = next((top for top in ranges if largest <= top), None)
        if found is None:
            raise PhotoError("unsupported", f"pixel values up to {largest:g} have no known range.", "Export it as PNG.")
        top = found
    scaled = values.astype(np.float32)
    scaled *= 255.0 / top
    np.rint(scaled, out=scaled)
    return Image.fromarray(np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8))


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
