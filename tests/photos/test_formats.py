"""What is not read is named by content and by suffix, with a remedy; RAW files are not read as their previews."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.photos.decode import decode
from ganonym.photos.formats import describe_name, why_ignored
from ganonym.photos.source import SUFFIXES

DNG_VERSION = (50706, "B", 4, (1, 4, 0, 0), True)


@pytest.mark.parametrize(
    ("data", "what", "remedy"),
    [
        (b"GIF89a" + bytes(40), "a GIF", "frame as PNG"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "a video", "frame as PNG"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video", "frame as PNG"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), "a video", "frame as PNG"),
        (b"RIFF\0\0\0\0AVI LIST", "a video", "frame as PNG"),
        (b"%PDF-1.7\n", "a PDF", "photos in it"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "RAW", "Develop"),
        (b"FUJIFILMCCD-RAW 0201", "RAW", "Develop"),
        (b"IIRO\x08\0\0\0", "RAW", "Develop"),
        (b"IIU\0\x18\0\0\0", "RAW", "Develop"),
        (bytes(128) + b"DICM", "a DICOM", "PNG"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "metafile", "PNG"),
        (bytes(40) + b" EMF", "metafile", "PNG"),
        (b"\xd0\xcf\x11\xe0" + bytes(40), "a document", "photos in it"),
        (b"\xff\x0a" + bytes(40), "JPEG XL", "PNG"),
    ],
)
def test_content_is_named_with_a_remedy(data: bytes, what: str, remedy: str) -> None:
    with pytest.raises(PhotoError) as caught:
        decode(data, "photo.jpg")
    assert caught.value.reason == "unsupported"
    assert what in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("a.GIF", "a GIF", "frame as PNG"),
        ("clip.MOV", "a video", "frame as PNG"),
        ("consent.pdf", "a PDF", "photos in it"),
        ("IMG_1.CR2", "RAW", "Develop"),
        ("IMG_1.nef", "RAW", "Develop"),
        ("scan.dcm", "DICOM", "PNG"),
        ("letter.docx", "a document", "photos in it"),
        ("all.zip", "an archive", "Unpack"),
        ("drawing.wmf", "another format", "PNG"),
        ("IMG_1", "without a suffix", "If it is a photo"),
        ("IMG_1.part", "unknown suffix, .part", "If it is a photo"),
    ],
)
def test_suffixes_are_named_with_a_remedy(name: str, what: str, remedy: str) -> None:
    result = describe_name(name)
    assert what in result[0]
    assert remedy in result[1]
    assert why_ignored(name, folder=False) is None


def tiff(*pages: tuple[Any, dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for values, options in pages:
            writer.write(values, **options)
    return buffer.getvalue()


def raw_files(photo: NDArray[np.uint8]) -> dict[str, bytes]:
    """A small preview first, as cameras have it, and the sensor's data behind."""
    small, sensor = photo[::4, ::4], (photo[..., 1].astype(np.uint16) << 4)
    cfa = {"photometric": "cfa", "extratags": [(33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True)]}
    canon = bytearray(tiff((photo, {"photometric": "rgb"})))
    canon[8:8] = b"CR\x02\0"
    canon[4:8] = (int.from_bytes(canon[4:8], "little") + 4).to_bytes(4, "little")
    return {
        "nef": tiff((small, {"photometric": "rgb", "subfiletype": 1, "subifds": 1}), (sensor, cfa)),
        "sub-ifd-of-a-sensor": tiff((small, {"photometric": "rgb", "subifds": 1}), (sensor[::4, ::4], cfa)),
        "larger-sub-ifd": tiff((small, {"photometric": "rgb", "subifds": 1}), (photo, {"photometric": "rgb"})),
        "dng": tiff((small, {"photometric": "rgb", "extratags": [DNG_VERSION]})),
        "sensor-first": tiff((sensor, cfa)),
        "cr2": bytes(canon),
    }


@pytest.mark.parametrize("how", raw_files(np.zeros((40, 40, 3), np.uint8)))
def test_a_raw_file_is_not_read_as_its_preview(how: str, photo: Any) -> None:
    with pytest.raises(PhotoError, match="RAW") as caught:
        decode(raw_files(photo)[how], "IMG_1.tif")
    assert caught.value.reason == "unsupported"
    assert "Develop" in caught.value.remedy


def test_a_pyramid_is_read_at_its_full_size(photo: Any) -> None:
    """Smaller copies in SubIFDs, as slide scanners and editors write them, do no harm."""
    data = tiff(
        (photo, {"photometric": "rgb", "subifds": 1}), (photo[::2, ::2], {"photometric": "rgb", "subfiletype": 1})
    )
    np.testing.assert_array_equal(decode(data, "x"), photo)


@pytest.mark.parametrize(
    ("name", "folder", "why"),
    [
        (".DS_Store", False, "hidden"),
        ("._IMG_1.jpg", False, "hidden"),
        (".Spotlight-V100", True, "hidden"),
        ("Thumbs.db", False, "system"),
        ("DESKTOP.INI", False, "system"),
        ("@eaDir", True, "system"),
        ("#recycle", True, "system"),
        ("$RECYCLE.BIN", True, "system"),
        ("__MACOSX", True, "system"),
        ("System Volume Information", True, "system"),
        ("RECYCLED", True, "system"),
        ("FOUND.000", True, "system"),
        ("Lightroom.lrdata", True, "system"),
        ("Thumbs (1).db", False, "system"),
        ("FOUND.1", True, None),
        ("notes.txt", False, "text"),
        ("people.XLSX", False, "text"),
        ("IMG_1.AAE", False, "text"),
        ("notes.txt", True, None),
        ("@eaDir", False, None),
        ("eaDir", True, None),
        ("thumbs.jpg", False, None),
    ],
)
def test_what_is_no_photograph_by_its_name(name: str, folder: bool, why: str | None) -> None:
    assert why_ignored(name, folder) == why


def test_no_suffix_of_a_photograph_is_foreign() -> None:
    for suffix in SUFFIXES:
        assert why_ignored(f"a{suffix}", folder=False) is None
        assert "unknown suffix" in describe_name(f"a{suffix}")[0]  # that is, in no list of others
