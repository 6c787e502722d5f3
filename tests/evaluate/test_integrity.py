"""Copies of the original are named with the reason; what could not be measured is none, what is no number a fault."""

from __future__ import annotations

import pytest

from ganonym.evaluate.integrity import Copy, equivalence, pass_through


def test_each_way_of_being_the_original_is_named() -> None:
    copies = [
        Copy("d.png", False, 0.5, 0.9),
        Copy("a.png", True, 1.0, 0.0),
        Copy("b.png", False, 0.981, None),
        Copy("c.png", False, 0.4, 0.3),
        Copy("e.png", False, None, None),
    ]
    result = pass_through(copies, threshold=0.35)
    assert [reason.split(":")[0] for reason in result] == ["a.png", "b.png", "c.png"]
    assert "pixel by pixel" in result[0]
    assert "SSIM 0.981" in result[1]
    assert "recognizer" in result[2]


def test_the_limits_themselves() -> None:
    assert pass_through([Copy("a", False, 0.98, 0.36)], 0.35) == ()
    assert len(pass_through([Copy("a", False, 0.9, 0.35)], 0.35)) == 1
    assert pass_through([Copy("a", False, 0.9, 0.0)], None) == ()
    assert pass_through([], 0.3) == ()


@pytest.mark.parametrize("copy", [Copy("a", False, float("nan"), None), Copy("a", False, 0.1, float("nan"))])
def test_a_failed_measurement_is_not_protection(copy: Copy) -> None:
    with pytest.raises(ValueError, match="no number"):
        pass_through([copy], 0.3)


def test_classes_count_subjects_not_photos() -> None:
    rows = [("f", "x")] * 30 + [("m", "x")] * 4 + [("m", "y")]
    subjects = ["a"] * 28 + ["b", "c", "d", "e", "f", "g", "h"]
    result = equivalence(rows, subjects, k=4)
    assert (result.classes, result.smallest, result.exposed) == (3, 1, 4)
    assert equivalence([()] * 5, list("abcde"), 6) == equivalence([("same",)] * 5, list("abcde"), 6)
    assert equivalence([()] * 5, list("abcde"), 5).exposed == 0
    with pytest.raises(ValueError, match="equivalence"):
        equivalence([], [], 2)
