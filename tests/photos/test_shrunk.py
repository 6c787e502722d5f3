"""Very large photographs are read smaller: as the whole one averaged, upright, in the right colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganonym.errors import PhotoError
from ganonym.photos import colour
from ganonym.photos import decode as module
from ganonym.photos.decode import decode, read_photo, shrunk_by

FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "HEIF": {"quality": 95, "chroma": 444},
    "AVIF": {"quality": 95, "subsampling": "4:4:4", "speed": 10},
}


@pytest.fixture
def large(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """483 x 357: of no side that 2 or 4 divides."""
    return np.asarray(Image.fromarray(photo).resize((357, 483), Image.Resampling.BICUBIC))


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a photograph of 0.17 megapixels were one of 108."""
    monkeypatch.setattr(module, "MAX_PIXELS", 100_000)
    monkeypatch.setattr(module, "SHRUNK", 50_000)
    monkeypatch.setattr(module, "MAX_SHRUNK", 200_000)
    monkeypatch.setattr(module, "MAX_SHRUNK_JPEG", 400_000)


def averaged(rgb: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Means of `number` x `number` pixels, fewer at the right and lower edge: numpy's, not Pillow's."""
    rows, columns = -(-rgb.shape[0] // number), -(-rgb.shape[1] // number)
    blocks = [
        [rgb[y * number : (y + 1) * number, x * number : (x + 1) * number].mean((0, 1)) for x in range(columns)]
        for y in range(rows)
    ]
    return np.array(blocks)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", FORMATS)
def test_as_the_whole_picture_averaged(kind: str, orientation: int, large: Any, save: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = decode(save(large, kind, exif=exif.tobytes(), **FORMATS[kind]), "x")
    # HEIC and TIFF come turned out of their decoders; else the stored picture is averaged, then turned.
    upright = np.rot90(large, -1) if orientation == 6 else large
    stored = averaged(large, 2)
    turned = np.rot90(stored, -1) if orientation == 6 else stored
    expected = averaged(upright, 2) if kind in {"HEIF", "TIFF"} else turned
    assert result.shape == expected.shape
    assert np.abs(result - expected).mean() < 1.5
    if kind in {"PNG", "TIFF", "WEBP"}:
        np.testing.assert_allclose(result, expected, atol=1)


@pytest.mark.usefixtures("small_limits")
def test_colours_are_converted_in_a_smaller_picture_too(large: Any, save: Any) -> None:
    profile = colour.profile_of(12, 13)
    for kind in ("JPEG", "PNG"):
        result = decode(save(large, kind, icc_profile=profile, **FORMATS[kind]), "x")
        part = Image.fromarray(large).reduce(2)
        plain = decode(save(np.asarray(part), kind, icc_profile=profile, **FORMATS[kind]), "x")
        assert result.shape == plain.shape
        assert np.abs(result.astype(int) - plain).mean() < 1.5


@pytest.mark.usefixtures("small_limits")
def test_a_stereo_pair_and_a_deep_scan(large: Any, save: Any) -> None:
    pair = save(large, "MPO", quality=95, save_all=True, append_images=[Image.fromarray(large[::-1])])
    assert np.abs(decode(pair, "x") - averaged(large, 2)).mean() < 1.5
    deep = save(large[..., 1].astype(np.uint16) * 257, "PNG")
    np.testing.assert_allclose(decode(deep, "x")[..., 0], averaged(large[..., 1:2], 2)[..., 0], atol=1)


@pytest.mark.usefixtures("small_limits")
def test_there_is_an_end(large: Any, save: Any) -> None:
    wide = np.tile(large, (1, 2, 1))
    assert decode(save(wide, "JPEG"), "x").shape == (121, 179, 3)  # a half would have 86 000 pixels
    for kind, picture in (("PNG", wide), ("JPEG", np.tile(wide, (2, 1, 1)))):
        with pytest.raises(PhotoError) as caught:
            decode(save(picture, kind), "x")
        assert caught.value.reason == "too-large"


def test_two_hundred_megapixels(save: Any) -> None:
    """Above the size from which Pillow on its own refuses; its limit is as before afterwards."""
    before = Image.MAX_IMAGE_PIXELS
    data = save(Image.new("L", (16_320, 12_240), 77), "JPEG")
    result = decode(data, "x")
    assert result.shape == (6120, 8160, 3)
    assert (result[::500, ::500] == 77).all()
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("kind", FORMATS)
def test_by_how_much_is_told(kind: str, large: Any, save: Any, tmp_path: Path) -> None:
    for picture in (large, large[:200]):
        (tmp_path / "photo").write_bytes(save(picture, kind, **FORMATS[kind]))
        number = shrunk_by(tmp_path, "photo")
        assert read_photo(tmp_path, "photo")[0].shape[0] == -(-len(picture) // number)
        assert number == (2 if len(picture) == len(large) else 1)
