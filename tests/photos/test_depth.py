"""Ten, twelve or fourteen bits in sixteen come out as bright as they are; where that cannot be told, not at all."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.photos.decode import decode
from ganonym.photos.depth import significant_bits

BITS = (10, 12, 14, 16)
WRITERS = ("png-grey", "png-rgb", "png-rgba", "tiff-grey", "tiff-rgb", "tiff-rgb-zlib", "tiff-rgb-big-endian")


def stored(rgb: NDArray[np.uint8], bits: int) -> NDArray[np.uint16]:
    return np.rint(rgb.astype(float) * ((2**bits - 1) / 255)).astype(np.uint16)


def tiff(values: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def written(values: NDArray[np.uint16], how: str, png: Any) -> bytes:
    if how.startswith("png"):
        channels = {"png-grey": values[..., 1:2], "png-rgb": values}.get(how)
        if channels is None:  # an alpha of its own range, opaque
            channels = np.dstack([values, np.full(values.shape[:2], 65535, np.uint16)])
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
        return png(values.shape[1], values.shape[0], 16, {1: 0, 3: 2, 4: 6}[channels.shape[2]], rows)
    if how == "tiff-grey":
        return tiff(values[..., 1])
    options: dict[str, Any] = {"compression": "zlib"} if how.endswith("zlib") else {}
    return tiff(values, photometric="rgb", byteorder=">" if how.endswith("big-endian") else "<", **options)


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("bits", BITS)
def test_the_significant_bits_are_used(bits: int, how: str, photo: NDArray[np.uint8], png: Any) -> None:
    result = decode(written(stored(photo, bits), how, png), "scan.png")
    expected = np.repeat(photo[..., 1:2], 3, axis=2) if how.endswith("grey") else photo
    # Of sixteen bits a colour Pillow drops the lower eight: one level at most.
    np.testing.assert_allclose(result.astype(int), expected, atol=1 if bits == 16 else 0)


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("largest", [60, 300, 1500, 6000])
def test_what_may_be_dark_or_of_fewer_bits_is_withheld(how: str, largest: int, photo: Any, png: Any) -> None:
    values = (photo.astype(float) * (largest / photo.max())).astype(np.uint16)
    with pytest.raises(PhotoError, match="bits") as caught:
        decode(written(values, how, png), "scan.png")
    assert caught.value.reason == "unsupported"
    assert "8 bits" in caught.value.remedy


def test_a_file_that_says_its_bits_is_believed(photo: Any, png: Any, png_chunk: Any) -> None:
    dark = stored(photo // 4, 12)
    expected = np.rint(dark * (255 / 4095)).astype(np.uint8)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in dark)
    size = photo.shape[1], photo.shape[0]
    said = png(*size, 16, 2, rows, png_chunk(b"sBIT", bytes([12, 12, 12])))
    np.testing.assert_array_equal(decode(said, "x"), expected)
    for tag in (281, 341):
        said = tiff(dark, photometric="rgb", extratags=[(tag, "H", 3, (4095,) * 3, False)])
        np.testing.assert_array_equal(decode(said, "x"), expected)
    night = tiff(dark, photometric="rgb", extratags=[(281, "H", 3, (65535,) * 3, False)])
    assert decode(night, "x").max() == round(int(dark.max()) / 257)


def test_black_is_black(png: Any) -> None:
    assert not decode(written(np.zeros((3, 4, 3), np.uint16), "png-rgb", png), "x").any()


def test_deep_integers_and_floats_by_the_same_rule(photo: Any) -> None:
    values = stored(photo[..., 1], 12)
    for kind in (np.int32, np.float32):
        np.testing.assert_array_equal(decode(tiff(values.astype(kind)), "x")[..., 0], photo[..., 1])


def test_deep_grey_with_alpha_is_withheld_where_it_is_dark(photo: Any, png: Any) -> None:
    """Pillow gives no way to its lower bytes."""
    values = np.dstack([stored(photo[..., 1], 12), np.full(photo.shape[:2], 65535, np.uint16)])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    with pytest.raises(PhotoError, match="bits") as caught:
        decode(png(photo.shape[1], photo.shape[0], 16, 4, rows), "x")
    assert caught.value.reason == "unsupported"


@given(st.integers(0, 65535))
def test_a_range_always_holds_its_values(largest: int) -> None:
    try:
        bits = significant_bits(largest)
    except PhotoError:
        assert largest < 2**13
        return
    assert largest < 2**bits
    assert largest == 0 or bits == 16 or largest >= 2 ** (bits - 1)


def test_a_turned_tiff(photo: Any) -> None:
    """The second reading, for the lower bytes, is turned as the first one was."""
    turned = tiff(stored(photo, 12), photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    np.testing.assert_array_equal(decode(turned, "x"), np.rot90(photo, -1))


def test_deep_planes_are_withheld(photo: Any) -> None:
    """Pillow would read two bytes of one value as two values."""
    for bits in BITS:
        planes = tiff(np.moveaxis(stored(photo, bits), 2, 0), photometric="rgb", planarconfig="separate")
        with pytest.raises(PhotoError, match="planes") as caught:
            decode(planes, "x")
        assert caught.value.reason == "unsupported"
    shallow = tiff(np.moveaxis(photo, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(decode(shallow, "x"), photo)
