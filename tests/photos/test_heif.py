"""HEIC and AVIF come out as the same picture does through PNG: turned once, in sRGB, the primary one, at any depth."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ganonym.errors import PhotoError
from ganonym.photos import colour, heif
from ganonym.photos.decode import decode

# Without loss of colour resolution, so that what remains is the coder's rounding.
OPTIONS: dict[str, dict[str, Any]] = {
    "HEIF": {"quality": 95, "chroma": 444},
    "AVIF": {"quality": 95, "subsampling": "4:4:4", "speed": 10},
}
BOTH = pytest.mark.parametrize("kind", OPTIONS)
CLOSE = 1.5  # mean absolute difference in levels

UPRIGHT: dict[int, Callable[[Any], Any]] = {  # Exif 2.32 table 6
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
# Linear Display P3 to linear sRGB, as CSS Color 4 prints it.
P3_TO_SRGB = np.array([[1.2249401, -0.2249404, 0.0], [-0.0420569, 1.0420571, 0.0], [-0.0196376, -0.0786361, 1.0982735]])


@pytest.fixture
def smooth(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photograph softened, for the coders keep that nearly exactly."""
    return np.asarray(Image.fromarray(photo).reduce(2).resize((120, 160), Image.Resampling.BICUBIC))


def error(entry: Any, wanted: Any) -> float:
    assert entry.shape == wanted.shape
    return float(np.abs(entry.astype(float) - wanted).mean())


def reason(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        decode(data, "photo.jpg")
    assert caught.value.remedy
    return caught.value.reason


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def with_colour(data: bytes, primaries: int, transfer: int) -> bytes:
    """The file with other numbers in its box `colr`."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + primaries.to_bytes(2, "big") + transfer.to_bytes(2, "big") + data[at + 4 :]


def p3_as_srgb(rgb: Any) -> Any:
    value = rgb / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) @ P3_TO_SRGB.T
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@BOTH
def test_the_same_picture_as_through_png(kind: str, smooth: Any, save: Any) -> None:
    data = save(smooth, kind, **OPTIONS[kind])
    assert error(decode(data, "named.jpg"), decode(save(smooth, "PNG"), "x")) < CLOSE


@BOTH
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_picture_is_turned_once(kind: str, orientation: int, smooth: Any, save: Any) -> None:
    data = save(smooth, kind, exif=exif(orientation).tobytes(), **OPTIONS[kind])
    assert error(decode(data, "x"), UPRIGHT[orientation](smooth)) < CLOSE


def test_exif_that_the_boxes_do_not_confirm_turns_nothing(smooth: Any, save: Any) -> None:
    """ISO/IEC 23008-12: only irot and imir turn a picture."""
    data = save(smooth, "HEIF", exif=exif(6), **OPTIONS["HEIF"])  # given as an object it makes no box
    assert b"irot" not in data
    assert b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" in data
    assert error(decode(data, "x"), smooth) < CLOSE
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'
    assert error(decode(save(smooth, "AVIF", xmp=xmp, **OPTIONS["AVIF"]), "x"), smooth) < CLOSE


def test_unreadable_exif_of_a_heic_does_no_harm(smooth: Any, save: Any) -> None:
    """Its boxes say how it is turned; of a PNG that is not known, see test_decode.py."""
    data = save(smooth, "HEIF", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", **OPTIONS["HEIF"])
    assert error(decode(data, "x"), smooth) < CLOSE


@BOTH
@pytest.mark.parametrize("how", ["icc", "numbers"])
def test_display_p3_becomes_srgb(kind: str, how: str, smooth: Any, save: Any) -> None:
    profile = {"icc_profile": colour.profile_of(12, 13)} if how == "icc" else {}
    data = save(smooth, kind, **OPTIONS[kind], **profile)
    if how == "numbers":
        data = with_colour(data, 12, 13)
        assert heif.named_colour(data) == (12, 13)
    result = decode(data, "x")
    assert error(result, p3_as_srgb(smooth)) < CLOSE
    assert error(result, smooth) > 2 * CLOSE  # skin in P3 is redder


def test_a_profile_by_number_has_the_published_primaries() -> None:
    for primaries, red in ((12, (0.515, 0.241, -0.001)), (9, (0.673, 0.279, -0.002))):  # XYZ at D50, from their ICCs
        profile = ImageCms.ImageCmsProfile(io.BytesIO(colour.profile_of(primaries, 13) or b""))
        assert profile.profile.red_colorant[0] == pytest.approx(red, abs=0.001)
    assert colour.profile_of(1, 13) is None
    assert colour.profile_of(2, 2) is None


@BOTH
@pytest.mark.parametrize("transfer", [8, 16, 18])
def test_high_dynamic_range_is_withheld(kind: str, transfer: int, smooth: Any, save: Any) -> None:
    assert reason(with_colour(save(smooth, kind, **OPTIONS[kind]), 9, transfer)) == "unsupported"


def test_colour_by_number_in_a_png(smooth: Any, save: Any, png_chunk: Any) -> None:
    data = save(smooth, "PNG")
    start = 33  # after IHDR
    p3 = data[:start] + png_chunk(b"cICP", bytes([12, 13, 0, 1])) + data[start:]
    assert error(decode(p3, "x"), p3_as_srgb(smooth)) < 1


@BOTH
def test_alpha_is_composited_on_mid_grey(kind: str, smooth: Any, save: Any) -> None:
    alpha = np.where(np.arange(smooth.shape[1]) < 60, 0, 255).astype(np.uint8)
    rgba = np.dstack([smooth, np.broadcast_to(alpha, smooth.shape[:2])])
    result = decode(save(rgba, kind, **OPTIONS[kind]), "x")
    assert error(result[:, :56], np.full_like(smooth[:, :56], 128)) < 1
    assert error(result[:, 64:], smooth[:, 64:]) < CLOSE


@BOTH
def test_grey(kind: str, smooth: Any, save: Any) -> None:
    grey = smooth[..., 1]
    result = decode(save(grey, kind, quality=95), "x")
    assert error(result, np.repeat(grey[..., None], 3, axis=2)) < CLOSE


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_heic(bits: int, smooth: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    deep = (smooth.astype(np.uint16) * 257).tobytes()
    file = pillow_heif.from_bytes("RGB;16", (smooth.shape[1], smooth.shape[0]), deep)
    buffer = io.BytesIO()
    file.save(buffer, **OPTIONS["HEIF"])
    assert pillow_heif.open_heif(buffer.getvalue()).info["bit_depth"] == bits
    assert error(decode(buffer.getvalue(), "x"), smooth) < CLOSE


@pytest.mark.parametrize("primary", [0, 1])
def test_of_several_pictures_the_primary_one_is_read(primary: int, smooth: Any, save: Any) -> None:
    others = [Image.fromarray(smooth[::-1, :100])]
    options = OPTIONS["HEIF"] | {"save_all": True, "append_images": others, "primary_index": primary}
    expected = smooth if primary == 0 else smooth[::-1, :100]
    assert error(decode(save(smooth, "HEIF", **options), "x"), expected) < CLOSE


def test_thumbnails_are_ignored(smooth: Any, save: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(pillow_heif.options, "THUMBNAILS", True)
    data = save(smooth, "HEIF", thumbnails=[64], **OPTIONS["HEIF"])
    assert len(pillow_heif.open_heif(data).info["thumbnails"]) == 1
    assert error(decode(data, "x"), smooth) < CLOSE


def test_sequences_are_refused(smooth: Any, save: Any) -> None:
    still = save(smooth, "HEIF", **OPTIONS["HEIF"])
    for brand in (b"hevc", b"msf1"):
        assert reason(still[:8] + brand + still[12:]) == "animated"
    frames = {"save_all": True, "append_images": [Image.fromarray(smooth[::-1])]}
    assert reason(save(smooth, "AVIF", **frames, **OPTIONS["AVIF"])) == "animated"


@BOTH
def test_every_cut_is_noticed(kind: str, smooth: Any, save: Any) -> None:
    data = save(smooth, kind, **OPTIONS[kind])
    for share in (0.02, 0.1, 0.5, 0.99):
        assert reason(data[: int(len(data) * share)]) == "truncated"
    assert reason(data[:-1]) == "truncated"


@BOTH
def test_what_telephones_append_does_not_harm(kind: str, smooth: Any, save: Any) -> None:
    data = save(smooth, kind, **OPTIONS[kind])
    for tail in (bytes(100), b"SEFT", b"\0\0\0\x10free" + bytes(8), b"trailer of a motion photo"):
        assert error(decode(data + tail, "x"), smooth) < CLOSE


@BOTH
def test_a_picture_that_says_it_is_huge_is_not_decoded(kind: str, smooth: Any, save: Any) -> None:
    data = save(smooth, kind, **OPTIONS[kind])
    at = data.index(b"ispe") + 8
    huge = data[:at] + (15_000).to_bytes(4, "big") * 2 + data[at + 8 :]
    assert reason(huge) == "too-large"


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"avif\0\0\0\0mif1miaf", "AVIF"),
        (b"mif1\0\0\0\0avifmiaf", "AVIF"),
        (b"mif1\0\0\0\0miafjpeg", None),
        (b"isom\0\0\2\0isomavif", None),
        (b"qt  \0\0\0\0qt  ", None),
        (b"crx \0\0\0\1crx isom", None),
    ],
)
def test_brands_tell_the_coding(brands: bytes, expected: str | None) -> None:
    assert heif.coding((8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands) == expected
