"""Skin tone, sex and age as they are released: of a member of the group, inside its bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganonym.faces.shape import ShapeModel, from_canvas, split
from ganonym.privacy.privatize import privatize
from ganonym.privacy.subject import Attributes, SubjectFace

from .cohorts import PLAIN, SPREAD, cohort, parts


def toned(model: ShapeModel, photos: int = 1) -> list[SubjectFace]:
    """Subject i has tone i mod 6; the last photo of each is mistaken for another tone."""
    faces = cohort(model, photos=photos)
    tones = [int(face.subject[1:]) % 6 for face in faces]
    for row in range(photos - 1, len(faces), photos):
        tones[row] = (tones[row] + (photos > 2)) % 6
    return [replace(face, attributes=Attributes(t, None, None)) for face, t in zip(faces, tones, strict=True)]


def test_attributes_are_those_of_a_random_member_of_the_group(model: ShapeModel) -> None:
    faces = toned(model, photos=3)
    result = privatize(faces, model, PLAIN, manifest=True)
    shown = [each.tone for each in result.attributes]
    group_of = [
        np.asarray(split(from_canvas(np.asarray(shape)), model)[0]).round(9).tobytes() for shape in result.faces
    ]
    for group in set(group_of):
        rows = [row for row, other in enumerate(group_of) if other == group]
        tones = {int(faces[row].subject[1:]) % 6 for row in rows}
        assert {shown[row] for row in rows} <= tones
        assert len({shown[row] for row in rows}) > 1
    own = [int(face.subject[1:]) % 6 for face in faces]
    assert np.mean([a == b for a, b in zip(shown, own, strict=True)]) < 0.5
    kept = privatize(faces, model, PLAIN.changed(attributes_from="subject"), manifest=True)
    assert kept.attributes == tuple(face.attributes for face in faces)


def test_swapping_the_attributes_of_two_group_members_changes_nothing(model: ShapeModel) -> None:
    faces = toned(model)
    before = privatize(faces, model, SPREAD, manifest=True)
    plain = [parts(shape, model)[0] for shape in privatize(faces, model, PLAIN, manifest=True).faces]
    changed = 0
    for other in range(1, 23):
        swapped = list(faces)
        swapped[0] = replace(faces[0], attributes=faces[other].attributes)
        swapped[other] = replace(faces[other], attributes=faces[0].attributes)
        after = privatize(swapped, model, SPREAD, manifest=True).attributes
        if np.allclose(plain[0], plain[other], atol=1e-9):
            assert after == before.attributes
        else:
            changed += after != before.attributes
    assert changed > 5


@pytest.mark.parametrize(("source", "inside"), [("group", True), ("subject", False)])
def test_attributes_of_the_group_are_within_the_bound_and_cost_no_bits(
    model: ShapeModel, source: str, inside: bool
) -> None:
    settings = SPREAD.changed(attributes_from=source)  # type: ignore[arg-type]
    result = privatize(toned(model), model, settings, manifest=False).guarantee
    assert ("by identity shape and tone ≤ 1/5" in result.statement) == inside
    assert (result.bits["tone"] == 0) == inside
    own = sum(result.bits[name] for name in ("shape", "expression", "tone", "sex", "age"))
    assert result.bits["total"] == pytest.approx(own)
