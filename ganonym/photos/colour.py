"""Any Pillow image mode to upright 8-bit sRGB: depth, palette, alpha, CMYK, Lab, embedded profile, orientation."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from ganonym.errors import PhotoError
from ganonym.types import RGB

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


def to_rgb(image: Image.Image) -> RGB:
    """A loaded image as upright sRGB, uint8 (H, W, 3), writable and contiguous.

    Depth: 16-bit grey by its nominal range, 32-bit integer and float by the smallest of the ranges 0–1 (float only),
    0–255 and 0–65535 that holds the values. Alpha: composited on `MATTE`. Colour: an embedded ICC profile is converted
    to sRGB (perceptual intent); one that is broken or of another colour space is ignored, as browsers do. EXIF
    orientation 1–8 (Exif 2.32 §4.6.4) is applied. Raises PhotoError("unsupported" | "corrupt").
    """
    turn = _TURN.get(image.getexif().get(_ORIENTATION, 1))
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        flat, grey = _eight_bits(image), True
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        flat, grey, alpha = rgba.convert("RGB"), image.mode in _GREY, rgba.getchannel("A")
    else:
        flat, grey = image, image.mode in _GREY
    rgb = (_by_profile(flat, grey, profile) if profile else None) or _plain(flat)
    if alpha is not None:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, MATTE), alpha)
    if turn is not None:
        rgb = rgb.transpose(turn)
    return np.array(rgb, dtype=np.uint8)


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


def _by_profile(image: Image.Image, grey: bool, icc: bytes) -> Image.Image | None:
    """`image` converted by its embedded profile, or None where the profile is broken or does not fit the pixels."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space
        if space == "RGB " and image.mode not in {"CMYK", "LAB"}:
            work = image.convert("RGB")
            # Converting sRGB to sRGB would cost more than decoding did.
            if (profile.profile.profile_description or "").startswith("sRGB"):
                return work
        elif space == "GRAY" and grey:
            work = image.convert("L")
        elif space == "CMYK" and image.mode == "CMYK":
            work = image
        else:
            return None
        return ImageCms.profileToProfile(work, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _plain(image: Image.Image) -> Image.Image:
    if image.mode != "LAB":
        return image.convert("RGB")
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted
