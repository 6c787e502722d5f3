"""Text in photos: found at many sizes, in any colour and at every quarter turn; and nothing where there is none."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from ganonym.errors import EnvironmentFault
from ganonym.photos import text as module
from ganonym.photos.text import require_text_finder, text_finder, text_outlines
from ganonym.synthesis.region import text_region
from ganonym.types import RGB

WORDS = ("Anna Muster", "MRN 0123456", "12.03.2019")
LIGHT, DARK, RED = (245, 245, 245), (15, 15, 15), (190, 40, 40)


def written(rgb: RGB, where: tuple[int, int], words: str, size: int, colour: tuple[int, int, int]) -> tuple[RGB, RGB]:
    """`rgb` with `words` at `where`, and the mask (h, w) of their strokes."""
    strokes = Image.new("L", rgb.shape[1::-1])
    ImageDraw.Draw(strokes).text(where, words, fill=255, font=ImageFont.load_default(size))
    picture = Image.composite(Image.new("RGB", strokes.size, colour), Image.fromarray(rgb), strokes)
    return np.asarray(picture), np.asarray(strokes)


def hidden(rgb: RGB) -> np.ndarray:
    """Mask (h, w) of what is covered for the text that is found."""
    mask = np.zeros(rgb.shape[:2], np.bool_)
    for outline in text_outlines(rgb):
        text_region(outline, rgb.shape[:2]).paint(mask)
    return mask


@pytest.mark.parametrize(
    ("words", "size", "colour", "where", "turns"),
    [
        (WORDS[0], 16, LIGHT, (40, 380), 0),  # over the orange suit
        (WORDS[1], 24, DARK, (60, 400), 1),
        (WORDS[2], 40, LIGHT, (230, 420), 3),
        (WORDS[1], 60, RED, (20, 20), 2),
        (WORDS[2], 80, LIGHT, (10, 400), 1),
    ],
)
def test_text_is_covered(
    words: str, size: int, colour: tuple[int, int, int], where: tuple[int, int], turns: int
) -> None:
    rgb, strokes = written(data.astronaut(), where, words, size, colour)
    rgb, strokes = np.ascontiguousarray(np.rot90(rgb, turns)), np.rot90(strokes, turns) > 128
    mask = hidden(rgb)
    assert mask[strokes].mean() > 0.98
    assert mask.mean() < 5 * strokes.mean() + 0.25


def test_small_text_in_a_large_photo_is_covered() -> None:
    large = np.asarray(Image.fromarray(data.astronaut()).resize((1800, 1800)))
    rgb, strokes = written(large, (1200, 1600), WORDS[2], 20, LIGHT)
    assert hidden(rgb)[strokes > 128].mean() > 0.98


def test_little_is_covered_where_nothing_is_written() -> None:
    """The astronaut's patches do bear letters: what is covered of her photo lies there, not on her face."""
    assert not any(hidden(rgb).any() for rgb in (data.coffee(), data.chelsea()))
    mask = hidden(data.astronaut())
    assert not mask[60:200, 160:290].any()
    assert mask.mean() < 0.15


def test_the_same_photo_gives_the_same_text() -> None:
    rgb, _ = written(data.coffee(), (60, 300), WORDS[0], 30, LIGHT)
    first, second = text_outlines(rgb), text_outlines(rgb)
    assert len(first) >= 1
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 900, 3), (700, 3, 3)])
def test_photos_of_any_shape_are_read(shape: tuple[int, int, int]) -> None:
    assert text_outlines(np.zeros(shape, np.uint8)) == []


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(text_finder()).startswith("rapidocr 3")

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", absent)
    assert text_finder() is None
    with pytest.raises(EnvironmentFault, match="nothing on this machine finds it") as fault:
        require_text_finder()
    assert "ganonym[text]" in fault.value.remedy
