"""Pixel modes against formulas: bit depth, palette, alpha, CMYK and YCCK, Lab, profiles."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import skimage.color
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageCms

from ganonym.errors import PhotoError
from ganonym.photos import colour
from ganonym.photos.decode import decode

RAMP16 = (np.arange(64 * 50).reshape(64, 50) * 20).astype(np.uint16)


def to_tiff(values: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def grey(values: Any) -> Any:
    return np.repeat(values[..., None], 3, axis=2)


def blend(colour: Any, alpha: Any) -> Any:
    return (colour * (alpha / 255) + 128 * (1 - alpha / 255)).astype(float)


def test_grey_and_one_bit(photo: Any, save: Any) -> None:
    one = photo[..., 0]
    np.testing.assert_array_equal(decode(save(one, "PNG"), "x"), grey(one))
    np.testing.assert_array_equal(decode(to_tiff(one), "x"), grey(one))
    bits = Image.fromarray(one).point(lambda v: 255 * (v > 127), "1")
    for kind in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(decode(save(bits, kind), "x"), grey(np.where(one > 127, 255, 0)))
    jpeg = decode(save(one, "JPEG", quality=95), "x")
    assert np.abs(jpeg.astype(int) - grey(one)).mean() < 3
    assert (np.ptp(jpeg, axis=2) == 0).all()


def test_sixteen_bit_grey_keeps_its_nominal_range(save: Any) -> None:
    expected = grey(np.rint(RAMP16 / 257))
    np.testing.assert_array_equal(decode(save(RAMP16, "PNG"), "x"), expected)
    for order in "<>":
        np.testing.assert_array_equal(decode(to_tiff(RAMP16, byteorder=order), "x"), expected)


@pytest.mark.parametrize(("channels", "kind"), [(3, 2), (4, 6), (2, 4)])
def test_sixteen_bit_colour_png(channels: int, kind: int, png: Any) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (7, 5, channels)).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in deep)
    values = deep.astype(float) / 257
    if channels in {2, 4}:
        values = blend(values[..., :-1], values[..., -1:])
    np.testing.assert_allclose(decode(png(5, 7, 16, kind, raw), "x"), np.broadcast_to(values, (7, 5, 3)), atol=1.5)


def test_sixteen_bit_colour_tiff(photo: Any) -> None:
    deep = photo.astype(np.uint16) * 257
    np.testing.assert_allclose(decode(to_tiff(deep, photometric="rgb"), "x"), photo, atol=1)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_float_tiff_takes_the_smallest_range_that_holds_it(top: float) -> None:
    values = np.linspace(-0.1 * top, top, 600, dtype=np.float32).reshape(20, 30)
    expected = grey(np.clip(np.rint(values * (255 / top)), 0, 255))
    np.testing.assert_allclose(decode(to_tiff(values), "x"), expected, atol=1)


def test_float_and_integer_values_without_a_range_are_refused() -> None:
    for values, reason in ((np.full((4, 4), 1e9, np.float32), "unsupported"), (np.full((4, 4), 10**6), "unsupported")):
        with pytest.raises(PhotoError) as caught:
            decode(to_tiff(values.astype(np.int32) if values.dtype.kind == "i" else values), "x")
        assert caught.value.reason == reason
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(PhotoError) as caught:
            decode(to_tiff(np.array([[0.5, bad], [0.1, 0.2]], np.float32)), "x")
        assert caught.value.reason == "corrupt"


def test_integer_tiff() -> None:
    values = np.arange(256, dtype=np.int32).reshape(16, 16)
    np.testing.assert_array_equal(decode(to_tiff(values), "x"), grey(values))


def test_palette(photo: Any, save: Any) -> None:
    quantized = Image.fromarray(photo).quantize(64)
    expected = np.asarray(quantized.convert("RGB"))
    for kind in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(decode(save(quantized, kind), "x"), expected)


def test_alpha_is_composited_on_mid_grey(photo: Any, save: Any) -> None:
    alpha = np.tile(np.linspace(0, 255, photo.shape[1]).astype(np.uint8), (photo.shape[0], 1))
    expected = blend(photo, alpha[..., None])
    rgba = np.dstack([photo, alpha])
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        np.testing.assert_allclose(decode(save(rgba, kind, **options), "x"), expected, atol=1)
    la = Image.merge("LA", (Image.fromarray(photo[..., 0]), Image.fromarray(alpha)))
    np.testing.assert_allclose(decode(save(la, "PNG"), "x"), blend(grey(photo[..., 0]), alpha[..., None]), atol=1)


def test_transparent_palette_entries_and_key_colours(save: Any) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    for transparency in (1, b"\xff\x00"):
        np.testing.assert_array_equal(
            decode(save(image, "PNG", transparency=transparency), "x"), [[[10, 20, 30], [128, 128, 128]]]
        )
    key = np.array([[[1, 2, 3], [9, 9, 9]]], np.uint8)
    np.testing.assert_array_equal(decode(save(key, "PNG", transparency=(1, 2, 3)), "x"), [[[128] * 3, [9] * 3]])
    dots = np.array([[7, 9]], np.uint8)
    np.testing.assert_array_equal(decode(save(dots, "PNG", transparency=7), "x"), [[[128] * 3, [9] * 3]])


def test_cmyk_without_a_profile(photo: Any, save: Any) -> None:
    cmyk = Image.merge(
        "CMYK", [Image.fromarray(255 - photo[..., i]) for i in range(3)] + [Image.new("L", photo.shape[1::-1])]
    )
    np.testing.assert_array_equal(decode(save(cmyk, "TIFF"), "x"), photo)
    assert np.abs(decode(save(cmyk, "JPEG", quality=95), "x").astype(int) - photo).mean() < 3


def test_ycck_jpeg(save: Any) -> None:
    """Adobe's YCCK: luma and chroma of the inverted CMY; made here by relabelling four stored planes."""
    wanted = np.array([200, 100, 50])
    luma = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    stored = np.append(luma @ (255 - wanted) + [0, 128, 128], 255)  # CMY complement, no black (Adobe stores inverted)
    planes = tuple(int(v) for v in 255 - np.rint(stored))  # Pillow inverts on saving
    data = save(Image.new("CMYK", (16, 16), planes), "JPEG", quality=100)
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    np.testing.assert_allclose(decode(data[:at] + b"\x02" + data[at + 1 :], "x")[8, 8], wanted, atol=4)


def test_lab_tiff(photo: Any) -> None:
    lab = skimage.color.rgb2lab(photo)  # relative to its white, as ICC Lab is
    stored = np.rint(lab * [2.55, 1, 1]).astype(np.int16).astype(np.uint8)  # TIFF 6.0 §23: a and b are signed bytes
    out = decode(to_tiff(stored, photometric="cielab"), "x").astype(int)
    assert np.abs(out - photo).mean() < 3


def linear_profile() -> bytes:
    """Linear light with sRGB primaries: `out = sRGB transfer curve of in`, an exact oracle."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = {}
    for i in range(struct.unpack(">I", srgb[128:132])[0]):
        name, at, size = struct.unpack(">4sII", srgb[132 + 12 * i : 144 + 12 * i])
        tags[name] = srgb[at : at + size]
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        tags[name] = b"curv" + bytes(8)  # a curve of no points is the identity
    tags[b"desc"] = b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, 12, 28) + "Linear".encode("utf-16-be")
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value
    rest = srgb[4:128] + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(rest) + 4) + rest


def transfer(v: Any) -> Any:
    v = np.asarray(v) / 255
    return 255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_embedded_profile_is_converted_to_srgb(kind: str, photo: Any, save: Any) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    profile = linear_profile()
    out = decode(save(photo, kind, icc_profile=profile, **options), "x")
    np.testing.assert_allclose(out, transfer(photo), atol=2)
    rgba = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    np.testing.assert_allclose(decode(save(rgba, kind, icc_profile=profile, **options), "x"), transfer(photo), atol=2)


def test_profile_of_a_palette_and_of_a_jpeg(photo: Any, save: Any) -> None:
    profile = linear_profile()
    quantized = Image.fromarray(photo).quantize(64)
    out = decode(save(quantized, "PNG", icc_profile=profile), "x")
    np.testing.assert_allclose(out, transfer(np.asarray(quantized.convert("RGB"))), atol=2)
    plain = decode(save(photo, "JPEG", quality=95), "x")
    np.testing.assert_allclose(
        decode(save(photo, "JPEG", quality=95, icc_profile=profile), "x"), transfer(plain), atol=2
    )


def test_broken_or_foreign_profiles_are_ignored(photo: Any, save: Any) -> None:
    profile = linear_profile()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for broken in (b"not a profile", profile[:200], profile[:300] + bytes(len(profile) - 300), lab, srgb):
        np.testing.assert_array_equal(decode(save(photo, "PNG", icc_profile=broken), "x"), photo)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_large_pictures_are_converted_in_bands(orientation: int, photo: Any, save: Any, monkeypatch: Any) -> None:
    rgba = np.dstack([photo, photo[..., :1]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    cmyk = Image.merge("CMYK", [Image.fromarray(photo[..., i]) for i in (0, 1, 2, 0)])
    files = [
        save(rgba, "PNG", icc_profile=linear_profile(), exif=exif),
        save(Image.fromarray(photo).quantize(16), "PNG", transparency=3, exif=exif),
        save(cmyk, "JPEG", exif=exif),
        save(photo[..., 0], "JPEG", exif=exif),
    ]
    whole = [decode(data, "x") for data in files]
    monkeypatch.setattr(colour, "_BAND", 7 * photo.shape[1] + 3)  # 23 bands of seven rows
    for data, expected in zip(files, whole, strict=True):
        np.testing.assert_array_equal(decode(data, "x"), expected)


@given(arrays(np.uint16, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_sixteen_bit_is_monotone_and_exact_at_the_ends(values: Any) -> None:
    values.flat[0] = 65535  # all sixteen bits are used, see test_depth.py
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    out = decode(buffer.getvalue(), "x")[..., 0].astype(int)
    assert (out[values == 0] == 0).all()
    assert (out[values == 65535] == 255).all()
    order = np.argsort(values, axis=None, kind="stable")
    assert (np.diff(out.ravel()[order]) >= 0).all()
