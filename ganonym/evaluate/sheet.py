"""Side-by-side sheets: rows of pictures with captions, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganonym.types import RGB

GAP = 6
CAPTION = 22
PAPER = (255, 255, 255)
INK = (30, 30, 30)


def sheet(rows: Sequence[Sequence[RGB]], columns: Sequence[str], side: int = 160) -> RGB:
    """One picture with `rows` of equally many pictures under the captions `columns`, one caption a column.

    Every picture is scaled to fit a `side` x `side` cell and centred in it. Raises ValueError when a row has another
    number of pictures than there are captions.

    >>> sheet([[np.zeros((9, 9, 3), np.uint8)]], ["before"], side=20).shape
    (54, 32, 3)
    """
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(f"row {number} has {len(row)} pictures for {len(columns)} captions")
    step = side + GAP
    paper = Image.new("RGB", (GAP + step * len(columns), CAPTION + GAP + step * len(rows)), PAPER)
    draw = ImageDraw.Draw(paper)
    font = ImageFont.load_default(size=12)
    for across, caption in enumerate(columns):
        draw.text((GAP + step * across + side / 2, GAP + CAPTION / 2), caption, INK, font, anchor="mm")
    for down, row in enumerate(rows):
        for across, rgb in enumerate(row):
            picture = _fit(rgb, side)
            left = GAP + step * across + (side - picture.width) // 2
            top = CAPTION + GAP + step * down + (side - picture.height) // 2
            paper.paste(picture, (left, top))
    return np.asarray(paper)


def _fit(rgb: RGB, side: int) -> Image.Image:
    scale = side / max(rgb.shape[:2])
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)
