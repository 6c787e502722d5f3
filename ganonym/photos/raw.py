"""RAW files that are built like a TIFF (DNG, NEF, ARW, CR2, PEF): the picture Pillow would read is a small preview."""

from __future__ import annotations

import io

from PIL import Image, TiffImagePlugin

_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 256, 257, 262, 330, 50706
_REDUCED = 1
_SENSOR = {32803, 34892}  # colour filter array, LinearRaw
_MOST_IFDS = 32


def holds_raw(image: Image.Image, data: bytes) -> bool:
    """Whether an opened TIFF is a camera's RAW file, or shows at first a smaller copy of a picture further inside.

    Its first page is a sensor's data, a reduced picture, of a DNG or CR2, or smaller than a picture in its SubIFDs.
    """
    tags = getattr(image, "tag_v2", {})
    if _DNG_VERSION in tags or data[8:10] == b"CR" or tags.get(_PHOTOMETRIC) in _SENSOR:
        return True
    if int(tags.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED:
        return True
    pixels = image.width * image.height
    offsets = tags.get(_SUB_IFDS, ())
    offsets = offsets if isinstance(offsets, tuple) else (offsets,)
    return any(_is_larger_or_raw(data, offset, pixels) for offset in offsets[:_MOST_IFDS])


def _is_larger_or_raw(data: bytes, offset: int, pixels: int) -> bool:
    inner = TiffImagePlugin.ImageFileDirectory_v2(data[:16])
    file = io.BytesIO(data)
    file.seek(offset)
    inner.load(file)
    if inner.get(_PHOTOMETRIC) in _SENSOR:
        return True
    return int(inner.get(_WIDTH, 0)) * int(inner.get(_HEIGHT, 0)) > pixels
