"""Every good picture comes out as its pixels, every bad one as a PhotoError with a stable reason."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from ganonym.errors import EnvironmentFault, PhotoError
from ganonym.photos import decode as module
from ganonym.photos.decode import MAX_SHRUNK, MAX_SIDE, decode, read_photo

LOSSLESS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "bmp": ("BMP", {}),
}
LOSSY: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "jpeg-progressive": ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    "webp-lossy": ("WEBP", {"quality": 95}),
    "tiff-jpeg": ("TIFF", {"compression": "jpeg", "quality": 95}),
    "heic": ("HEIF", {"quality": 95}),
    "avif": ("AVIF", {"quality": 95, "speed": 10}),
}
EVERY = LOSSLESS | LOSSY


def reason(data: bytes, name: str = "photo.jpg") -> str:
    with pytest.raises(PhotoError) as caught:
        decode(data, name)
    assert repr(name) in str(caught.value)
    assert caught.value.remedy
    return caught.value.reason


@pytest.mark.parametrize("how", LOSSLESS)
def test_lossless_formats_give_the_very_pixels(how: str, photo: Any, save: Any) -> None:
    kind, options = LOSSLESS[how]
    out = decode(save(photo, kind, **options), "x")
    np.testing.assert_array_equal(out, photo)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert out.flags.writeable


@pytest.mark.parametrize("how", LOSSY)
def test_lossy_formats_stay_close(how: str, photo: Any, save: Any) -> None:
    kind, options = LOSSY[how]
    out = decode(save(photo, kind, **options), "x")
    assert out.shape == photo.shape
    assert np.abs(out.astype(int) - photo).mean() < 3


@pytest.mark.parametrize("part", [0.3, 0.9])
@pytest.mark.parametrize("how", EVERY)
def test_truncated_files_are_refused(how: str, part: float, photo: Any, save: Any) -> None:
    kind, options = EVERY[how]
    data = save(photo, kind, **options)
    assert reason(data[: int(len(data) * part)]) == "truncated"


def test_complete_but_damaged_files_are_not_called_truncated(photo: Any, save: Any) -> None:
    bmp, webp, png, tiff = (bytearray(save(photo, kind)) for kind in ("BMP", "WEBP", "PNG", "TIFF"))
    bmp[14] = 7  # a header size that no version has
    webp[20:60] = bytes(40)
    png[60:100] = bytes(40)
    tiff[4:8] = (9).to_bytes(4, "little")
    for data in (bmp, webp, png, tiff):
        assert reason(bytes(data)) == "corrupt"


def test_small_files_that_are_no_photos(save: Any, photo: Any) -> None:
    assert reason(b"") == "empty"
    assert reason(b"\0") == "unsupported"
    assert reason(b"not a picture at all") == "unsupported"
    assert reason(b"\0" * 4096) == "unsupported"
    assert reason(save(photo, "GIF"), "photo.jpg") == "unsupported"
    assert reason(save(photo, "ICO"), "photo.png") == "unsupported"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n", "photo.tif") == "unsupported"
    assert reason(b"\0\0\0\x18ftypheic", "photo.jpg") == "truncated"
    assert reason(b"BM and then some prose that is no bitmap header") in {"corrupt", "truncated"}
    assert reason(b"\xff\xd8\xff") == "truncated"
    assert decode(save(photo[:1, :1], "PNG"), "x").shape == (1, 1, 3)


def test_the_content_decides_not_the_suffix(photo: Any, save: Any) -> None:
    np.testing.assert_array_equal(decode(save(photo, "PNG"), "photo.jpg"), photo)


def test_bombs_and_outsize_pictures(png: Callable[..., bytes], png_chunk: Any, monkeypatch: Any) -> None:
    square = png(20_000, 20_000, 1, 0, bytes(20_000 * 2501))
    assert len(square) < 300_000
    assert reason(square) == "too-large"
    assert reason(png(10_000, MAX_SHRUNK // 10_000 + 1, 1, 0, b"")) == "too-large"
    assert reason(png(MAX_SIDE + 1, 1, 1, 0, bytes(3753))) == "too-large"
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000)))
    assert reason(png(1, 1, 8, 0, b"\0\0", text)) == "corrupt"
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert reason(b"\xff\xd8\xff" + bytes(8)) == "too-large"


def test_wide_strip_is_read(save: Any) -> None:
    strip = np.tile(np.arange(20_000, dtype=np.uint16)[None, :, None] % 251, (4, 1, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decode(save(strip, "PNG"), "x"), strip)
    assert decode(save(strip, "JPEG"), "x").shape == (4, 20_000, 3)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_several_frames_are_refused(kind: str, options: Any, photo: Any, save: Any) -> None:
    other = Image.fromarray(photo[:, ::-1])
    assert reason(save(photo, kind, save_all=True, append_images=[other], **options)) == "animated"


def test_endless_tiff_directory_chain_ends(photo: Any, save: Any) -> None:
    data = bytearray(save(photo, "TIFF"))
    at = struct.unpack("<I", data[4:8])[0]
    (entries,) = struct.unpack("<H", data[at : at + 2])
    struct.pack_into("<I", data, at + 2 + 12 * entries, at)  # the next directory is this one
    np.testing.assert_array_equal(decode(bytes(data), "x"), photo)


def test_further_pictures_in_a_jpeg_are_left_behind(photo: Any, save: Any) -> None:
    """Stereo pairs and gain maps (MPO), motion photos (video or JPEG after the end), a zip polyglot."""
    alone = save(photo, "JPEG", quality=95)
    expected = decode(alone, "x")
    pair = save(photo, "MPO", quality=95, save_all=True, append_images=[Image.fromarray(photo[::-1])])
    for data in (pair, alone + save(photo[::-1], "JPEG"), alone + b"\0\0\0\x18ftypmp42", alone + b"PK\x03\x04"):
        np.testing.assert_array_equal(decode(data, "x"), expected)


UPRIGHT: dict[int, Callable[[Any], Any]] = {  # Exif 2.32 table 6: what the stored rows and columns are
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("how", ["png", "webp", "tiff", "tiff-lzw", "xmp"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_is_applied(how: str, orientation: int, photo: Any, save: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if how == "xmp":
        xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>{orientation}</tiff:Orientation></x:xmpmeta>'
        data = save(photo, "WEBP", lossless=True, xmp=xmp.encode())
    else:
        kind, options = LOSSLESS[how]
        data = save(photo, kind, exif=exif, **options)
    np.testing.assert_array_equal(decode(data, "x"), UPRIGHT[orientation](photo))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist_are_ignored(orientation: Any, photo: Any, save: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode(save(photo, "PNG", exif=exif), "x"), photo)


def test_orientation_of_a_jpeg(photo: Any, save: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = decode(save(photo, "JPEG"), "x")
    np.testing.assert_array_equal(decode(save(photo, "JPEG", exif=exif), "x"), np.rot90(plain, -1))


def test_unreadable_exif_is_refused_because_the_orientation_is_unknown(photo: Any, save: Any) -> None:
    assert reason(save(photo, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")) == "corrupt"


def test_warnings_of_the_decoder_are_refusals(photo: Any, save: Any, recwarn: Any) -> None:
    data = bytearray(save(photo, "TIFF"))
    at = struct.unpack("<I", data[4:8])[0]
    (entries,) = struct.unpack("<H", data[at : at + 2])
    for i in range(entries):
        field = at + 2 + 12 * i
        if struct.unpack_from("<H", data, field)[0] == 277:  # SamplesPerPixel: claim that it needs more than there is
            struct.pack_into("<HHI", data, field, 306, 2, 0x7FFFFFFF)
    assert reason(bytes(data)) == "corrupt"
    assert not recwarn.list


def test_damaged_photos_must_not_be_repaired(photo: Any, save: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(EnvironmentFault):
        decode(save(photo, "PNG"), "x")


def test_only_accepted_plugins_are_ever_asked(photo: Any, save: Any) -> None:
    """A JPEG signature in front of another format must not reach that format's parser."""
    for kind in ("GIF", "PPM", "TGA", "PCX", "SGI"):
        assert reason(b"\xff\xd8\xff" + save(photo, kind)) in {"corrupt", "truncated"}
    for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\5zzzz", b"II*\0", b"RIFF\0\0\0\0WEBP"):
        photo_cd = start.ljust(2048, b"\0") + b"PCD_" + bytes(2_000_000)
        with Image.open(io.BytesIO(photo_cd)) as image:
            assert image.format == "PCD"  # Pillow on its own would go on to other formats
        assert reason(photo_cd) in {"corrupt", "truncated"}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(EVERY)), st.integers(0, 2**32), st.integers(1, 30))
def test_damage_gives_a_picture_or_a_photo_error(how: str, seed: int, edits: int) -> None:
    rng = random.Random(seed)
    kind, options = EVERY[how]
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(buffer, kind, **options)
    data = bytearray(buffer.getvalue())
    for _ in range(edits):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at:at] = rng.randbytes(rng.randrange(9))
            case _:
                del data[at : at + rng.randrange(9)]
    result: Any
    try:
        result = decode(bytes(data), "x")
    except PhotoError as error:
        result = error.reason
    if isinstance(result, str):
        assert result in {"corrupt", "truncated", "unsupported", "too-large", "animated", "empty"}
    else:
        assert (result.dtype, result.ndim, result.shape[2]) == (np.uint8, 3, 3)


def test_read_photo_gives_pixels_and_digest(tmp_path: Path, photo: Any, save: Any) -> None:
    data = save(photo, "PNG")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.png").write_bytes(data)
    out, digest = read_photo(tmp_path, "a/b.png")
    np.testing.assert_array_equal(out, photo)
    assert digest == hashlib.sha256(data).hexdigest()
