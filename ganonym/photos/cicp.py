"""Colour spaces that a file names by number (ITU-T H.273) instead of an ICC profile: Display P3 and BT.2020."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

from ganonym.errors import PhotoError
from ganonym.types import Floats

_WHITE = (0.3127, 0.3290)  # D65
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_NOT_A_DISPLAY = {8: "linear light", 16: "high dynamic range (PQ)", 18: "high dynamic range (HLG)"}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.96422, 1.0, 0.82521])


def profile_of(primaries: int, transfer: int) -> bytes | None:
    """An ICC profile of these primaries with sRGB's transfer curve; None where sRGB is near enough.

    The older television curves are taken for sRGB's, as browsers do. Raises PhotoError("unsupported") for high dynamic
    range and linear light, which would come out far too dark or flat.

    >>> profile_of(1, 13) is None, profile_of(12, 13) is None
    (True, False)
    """
    if transfer in _NOT_A_DISPLAY:
        raise PhotoError(
            "unsupported", f"its pixels are of {_NOT_A_DISPLAY[transfer]}.", "Export it as JPEG in standard range."
        )
    if primaries not in _PRIMARIES:
        return None
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), _to_d50(_PRIMARIES[primaries]).T, strict=True))
    (tags,) = struct.unpack(">I", profile[128:132])
    for number in range(tags):
        name, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if name in columns:
            struct.pack_into(">3i", profile, at + 8, *(round(value * 65536) for value in columns[name]))
        elif name == b"desc":  # by the name sRGB a profile is taken for one that needs no conversion
            text = profile[at : at + size].replace("sRGB".encode("utf-16-be"), "CICP".encode("utf-16-be"))
            profile[at : at + size] = text
    return bytes(profile)


def _to_d50(primaries: tuple[tuple[float, float], ...]) -> Floats:
    """(3, 3) matrix from linear RGB to XYZ, adapted from D65 to D50 (ICC.1 annex E)."""
    corners = np.array([_xyz(*xy) for xy in primaries]).T
    white = np.array(_xyz(*_WHITE))
    matrix = corners * np.linalg.solve(corners, white)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted: Floats = np.linalg.solve(_BRADFORD, cones @ _BRADFORD) @ matrix
    return adapted


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y
