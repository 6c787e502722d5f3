"""Nothing of a source file reaches an output file, and planted remains are found."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageCms, PngImagePlugin

from ganonym.errors import PhotoError
from ganonym.photos.decode import decode
from ganonym.photos.encode import encode_jpeg, encode_png, prove_clean

CANARY = "Jane-Canary-1970-01-01"
RAW = CANARY.encode()
XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>{CANARY}</dc:creator></x:xmpmeta>'.encode()
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + (5 + len(RAW)).to_bytes(4, "big") + b"\x1c\x02\x50\0\x16" + RAW


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[270] = tags[315] = CANARY
    tags.get_ifd(0x8769)[0x927C] = RAW
    tags.get_ifd(0x8825)[29] = CANARY
    return tags


def profile() -> bytes:
    """An sRGB profile whose description names the patient."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    at = plain.index("sRGB".encode("utf-16-be"))
    return plain[:at] + RAW[:8] + plain[at + 8 :]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def carriers(photo: Any, save: Any, png_chunk: Any) -> dict[str, bytes]:
    jpeg, png = save(photo, "JPEG"), save(photo, "PNG")
    private = png_chunk(b"tIME", b"\x07\xb2\1\1\0\0\0") + png_chunk(b"prVt", RAW)
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", CANARY)
    text.add_itxt("Comment", CANARY)
    thumbnail = exif().tobytes() + save(photo[:16, :16], "JPEG", comment=RAW)
    return {
        "jpeg exif": save(photo, "JPEG", exif=exif()),
        "jpeg exif thumbnail": save(photo, "JPEG", exif=thumbnail),
        "jpeg xmp": save(photo, "JPEG", xmp=XMP),
        "jpeg comment": save(photo, "JPEG", comment=RAW),
        "jpeg iptc": jpeg[:2] + segment(0xED, IPTC) + jpeg[2:],
        "jpeg profile": save(photo, "JPEG", icc_profile=profile()),
        "jpeg tail": jpeg + RAW,
        "jpeg second picture": jpeg + save(photo, "JPEG", comment=RAW),
        "jpeg zip polyglot": jpeg + b"PK\x03\x04" + RAW,
        "png text": save(photo, "PNG", pnginfo=text),
        "png exif": save(photo, "PNG", exif=exif()),
        "png profile": png[:33] + png_chunk(b"iCCP", b"x\0\0" + zlib.compress(profile(), 0)) + png[33:],
        "png ztxt": png[:33] + png_chunk(b"zTXt", b"Author\0\0" + zlib.compress(RAW, 0)) + png[33:],
        "png time and private chunk": png[:33] + private + png[33:],
        "png tail": png + RAW,
        "webp": save(photo, "WEBP", exif=exif(), xmp=XMP, icc_profile=profile()),
        "tiff": save(photo, "TIFF", exif=exif(), icc_profile=profile(), tiffinfo={700: XMP, 270: CANARY, 315: CANARY}),
        "bmp tail": save(photo, "BMP") + RAW,
    }


def inflated(png: bytes) -> bytes:
    at, body = 8, b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            body += png[at + 8 : at + 8 + length]
        at += 12 + length
    return zlib.decompress(body)


def test_no_canary_survives(photo: Any, save: Any, png_chunk: Any) -> None:
    for what, data in carriers(photo, save, png_chunk).items():
        assert RAW[:8] in data, what
        png, jpeg = (encode(decode(data, what)) for encode in (encode_png, encode_jpeg))
        for out in (png, jpeg, inflated(png)):
            assert RAW[:8] not in out, what


def test_the_proof_finds_every_carrier(photo: Any, save: Any, png_chunk: Any) -> None:
    prove_clean(save(photo, "JPEG"))
    prove_clean(save(photo, "PNG"))
    for what, data in carriers(photo, save, png_chunk).items():
        with pytest.raises(PhotoError) as caught:
            prove_clean(data)
        assert caught.value.reason == "metadata", what


def test_what_is_written_is_minimal(photo: Any) -> None:
    png, jpeg = encode_png(photo), encode_jpeg(photo)
    np.testing.assert_array_equal(decode(png, "x"), photo)
    assert np.abs(decode(jpeg, "x").astype(int) - photo).mean() < 3
    for data in (png, jpeg):
        prove_clean(data)
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == photo.shape[1::-1]
            assert not image.getexif()
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert encode_png(photo) == png
    assert encode_jpeg(photo) == jpeg
    assert len(encode_jpeg(photo, quality=60)) < len(jpeg)


def test_jpeg_remains_by_place(photo: Any) -> None:
    jpeg = encode_jpeg(photo)
    app0 = jpeg[2:20]
    scan = jpeg.index(b"\xff\xda")
    planted = {
        "thumbnail in APP0": jpeg[:2] + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1abc") + jpeg[20:],
        "JFXX thumbnail": jpeg[:20] + segment(0xE0, b"JFXX\0\x10" + RAW) + jpeg[20:],
        "second APP0": jpeg[:20] + app0 + jpeg[20:],
        "bytes between segments": jpeg[:20] + RAW + jpeg[20:],
        "restart interval": jpeg[:20] + segment(0xDD, b"\0\1") + jpeg[20:],
        "comment before the scan": jpeg[:scan] + segment(0xFE, RAW) + jpeg[scan:],
        "comment after the scan": jpeg[:-2] + segment(0xFE, RAW) + jpeg[-2:],
        "marker inside the scan": jpeg[:-2] + b"\xff\xd0" + jpeg[-2:],
        "fill bytes": jpeg[:-2] + b"\xff\xff" + jpeg[-1:],
        "one byte after the end": jpeg + b"\0",
        "no end": jpeg[:-2],
        "no scan": jpeg[:scan],
        "only the start": jpeg[:3],
        "segment past the end": jpeg[:20] + b"\xff\xdb\xff\xff",
    }
    for what, data in planted.items():
        with pytest.raises(PhotoError) as caught:
            prove_clean(data)
        assert caught.value.reason == "metadata", what


def test_png_remains_by_place(photo: Any, png: Any, png_chunk: Any, save: Any) -> None:
    raw = b"".join(b"\0" + row.tobytes() for row in photo)
    height, width = photo.shape[:2]
    clean = png(width, height, 8, 2, raw)
    prove_clean(clean, photo)
    tiny = png(1, 1, 8, 2, b"\0abc")
    prove_clean(tiny)
    planted = {
        "bytes hidden after the last scanline": png(width, height, 8, 2, raw + RAW),
        "one byte after the last scanline": png(width, height, 8, 2, raw + b"\0"),
        "one scanline too few": png(width, height, 8, 2, raw[: -3 * width - 1]),
        "interlaced": tiny[:8] + png_chunk(b"IHDR", tiny[16:28] + b"\x01") + tiny[33:],
        "bytes hidden after the deflate stream": clean[:33]
        + png_chunk(b"IDAT", zlib.compress(raw) + RAW)
        + clean[-12:],
        "a deflate stream without its end": clean[:33] + png_chunk(b"IDAT", zlib.compress(raw)[:-4]) + clean[-12:],
        "a second header": clean[:33] + clean[8:33] + clean[33:],
        "end with content": clean[:-12] + png_chunk(b"IEND", RAW),
        "split by another chunk": clean[:-12] + png_chunk(b"tEXt", b"a\0b") + png_chunk(b"IDAT", b"") + clean[-12:],
        "palette": save(Image.fromarray(photo).quantize(8), "PNG"),
        "alpha that hides pixels": save(np.dstack([photo, np.zeros_like(photo[..., :1])]), "PNG"),
        "cut": clean[:-4],
        "damaged stream": clean[:33] + png_chunk(b"IDAT", b"no deflate") + clean[-12:],
    }
    for what, data in planted.items():
        with pytest.raises(PhotoError) as caught:
            prove_clean(data)
        assert caught.value.reason == "metadata", what


def test_other_pixels_are_not_accepted(photo: Any) -> None:
    changed = photo.copy()
    changed[3, 4, 1] ^= 1
    for other in (changed, photo[:-1]):
        with pytest.raises(PhotoError) as caught:
            prove_clean(encode_png(photo), other)
        assert caught.value.reason == "corrupt"


def test_other_formats_are_not_outputs(photo: Any, save: Any) -> None:
    for kind in ("BMP", "GIF", "TIFF", "WEBP"):
        with pytest.raises(PhotoError):
            prove_clean(save(photo, kind))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_only_rgb_arrays_are_written(shape: tuple[int, ...]) -> None:
    for encode in (encode_png, encode_jpeg):
        for wrong in (np.zeros(shape, np.uint8), np.zeros((4, 4, 3), np.float32)):
            with pytest.raises(ValueError, match="expected uint8"):
                encode(wrong)  # type: ignore[arg-type]


@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
def test_png_round_trip(rgb: Any) -> None:
    np.testing.assert_array_equal(decode(encode_png(rgb), "x"), rgb)
    np.testing.assert_array_equal(decode(encode_png(rgb[::-1, ::-1]), "x"), rgb[::-1, ::-1])


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_jpeg_always_proves_clean(rgb: Any) -> None:
    assert decode(encode_jpeg(rgb), "x").shape == rgb.shape


SMALL = encode_png(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))


@settings(max_examples=300)
@given(st.integers(0, len(SMALL)), st.binary(min_size=1, max_size=20), st.integers(0, 20))
def test_no_edit_of_a_png_goes_unnoticed(at: int, insert: bytes, remove: int) -> None:
    edited = SMALL[:at] + insert + SMALL[at + remove :]
    if edited == SMALL:
        return
    with pytest.raises(PhotoError) as caught:
        prove_clean(edited)
    assert caught.value.reason == "metadata"
