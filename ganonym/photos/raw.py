"""RAW files that are built like a TIFF (DNG, NEF, ARW, CR2, PEF): the picture Pillow would read is a small preview."""

from __future__ import annotations

import io

from PIL import TiffImagePlugin

_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 256, 257, 262, 330, 50706
_REDUCED = 1
_SENSOR = {32803, 34892}  # colour filter array, LinearRaw
_MOST_IFDS = 32


def holds_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's RAW file, or shows at first a smaller copy of a picture further inside.

    Its first page is a sensor's data, a reduced picture, of a DNG or CR2, or smaller than a picture in its SubIFDs.
    Raises whatever a broken directory makes Pillow raise.
    """
    if data[8:10] == b"CR":
        return True
    first = _directory(data, None)
    if _DNG_VERSION in first or first.get(_PHOTOMETRIC) in _SENSOR or int(first.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED:
        return True
    offsets = first.get(_SUB_IFDS, ())
    others = [_directory(data, at) for at in (offsets if isinstance(offsets, tuple) else (offsets,))[:_MOST_IFDS]]
    return any(other.get(_PHOTOMETRIC) in _SENSOR or _pixels(other) > _pixels(first) for other in others)


def _directory(data: bytes, offset: int | None) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The directory at `offset`, or the first one."""
    header = data[:16] if b"+" in data[2:4] else data[:8]  # 43, "+", is BigTIFF
    found = TiffImagePlugin.ImageFileDirectory_v2(header)
    file = io.BytesIO(data)
    file.seek(found.next if offset is None else offset)
    found.load(file)
    return found


def _pixels(directory: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    return int(directory.get(_WIDTH, 0)) * int(directory.get(_HEIGHT, 0))
