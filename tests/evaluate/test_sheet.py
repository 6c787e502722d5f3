"""Every picture lands in its own cell."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.sheet import CAPTION, GAP, sheet
from ganonym.types import RGB


def plain(colour: tuple[int, int, int], height: int, width: int) -> RGB:
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (height, width, 3)).copy()


def test_pictures_stand_in_row_and_column_order_and_are_not_distorted() -> None:
    red, green, blue, grey = (200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 90)
    rows = [[plain(red, 30, 30), plain(green, 10, 10)], [plain(blue, 90, 45), plain(grey, 300, 300)]]
    result = sheet(rows, ["before", "after"], side=60)
    assert result.shape == (CAPTION + GAP + 2 * (60 + GAP), GAP + 2 * (60 + GAP), 3)
    for down, across, colour in ((0, 0, red), (0, 1, green), (1, 0, blue), (1, 1, grey)):
        y, x = CAPTION + GAP + (60 + GAP) * down + 30, GAP + (60 + GAP) * across + 30
        assert result[y, x].tolist() == list(colour)
    # the upright picture fills its cell's height and half its width
    assert int((result == np.array(blue, dtype=np.uint8)).all(axis=2).sum()) == 60 * 30


def test_captions_are_written() -> None:
    empty = sheet([[plain((0, 0, 0), 9, 9)]], [""], side=60)
    written = sheet([[plain((0, 0, 0), 9, 9)]], ["before"], side=60)
    assert (written[: CAPTION + GAP] != empty[: CAPTION + GAP]).any()
    assert (written[CAPTION + GAP :] == empty[CAPTION + GAP :]).all()


def test_refuses_ragged_rows() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 pictures for 2 captions"):
        sheet([[plain((0, 0, 0), 9, 9)] * 2, [plain((0, 0, 0), 9, 9)]], ["a", "b"])
