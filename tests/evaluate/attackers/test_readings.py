"""What is drawn is read again, and what follows from it is learned on people left out, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.attackers.attacker import Sample, locate
from ganonym.evaluate.attackers.readings import AXES, COLOURS, ReadingView, learn_reader, principal, read, two_sides
from ganonym.faces.find import judge_backends
from ganonym.faces.kept import kept_space
from ganonym.faces.shape import face_of, load_shape, to_canvas
from ganonym.privacy.population import population_draw
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.types import PrivateFace

VIEW = ReadingView()


def test_what_was_drawn_is_read() -> None:
    """Faces of nobody, drawn from rows: kept coordinates that an output shows come back from its picture."""
    space, model, synthesizer = kept_space(), load_shape(), load_synthesizer()
    rows = space.mean + population_draw(np.random.default_rng(0), space.covariance, 16)
    faces = [
        PrivateFace(points, None, None, None, seed, skin)
        for seed, (points, skin) in enumerate(map(lambda row: face_of(row, model), rows))
    ]
    pictures = [synthesizer.render(face) for face in faces]
    samples = [sample for sample in locate(pictures, *judge_backends()) if sample.points is not None]
    assert len(samples) == len(rows)
    readings = np.array([VIEW.template(sample) for sample in samples])
    assert readings.shape == (16, VIEW.width)
    assert VIEW.width == rows.shape[1] + COLOURS
    drawn, seen = space.coordinates(rows), space.coordinates(readings[:, : rows.shape[1]].astype(np.float64))
    agreement = {
        name: np.corrcoef(one, other)[0, 1] for name, one, other in zip(space.names, drawn.T, seen.T, strict=True)
    }
    assert agreement["tone"] > 0.7
    assert np.mean(list(agreement.values())) > 0.6, agreement


def test_where_no_skin_shows_the_skin_is_an_average_one() -> None:
    points = to_canvas(load_shape().mean)
    black = np.zeros((256, 256, 3), np.uint8)
    row = read(black, points + 4000)
    identities = len(load_shape().identity_sd)
    assert np.isfinite(row).all()
    assert np.abs(row[identities : identities + 40]).max() < 1e-6, "but for the rounding of an expression"
    assert VIEW.template(Sample(black, None)) is None
    known = VIEW.template(Sample(black, None, oracle=points))
    assert known is not None
    assert np.isfinite(known).all()


def test_principal_coordinates_have_unit_variance_and_leave_out_what_is_constant() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((600, 120)) @ rng.standard_normal((120, 120)) * np.linspace(1, 1000, 120)
    rows[:, 7] = 3.0
    carry = principal(rows)
    seen = carry(rows)
    assert seen.shape == (600, AXES)
    assert np.allclose(np.cov(seen.T, bias=True), np.eye(AXES), atol=1e-8)
    moved = rows.copy()
    moved[:, 7] += 5.0
    assert np.allclose(carry(moved), seen)
    assert principal(rows[:40]).axes.shape[1] == 10, "one for every four photos"
    assert not principal(np.ones((8, 3)))(np.ones((8, 3))).any()


def test_two_sides_have_one_scale_and_means_of_their_own() -> None:
    rng = np.random.default_rng(5)
    before, after = 3.0 + 2.0 * rng.standard_normal((400, 60)), 9.0 + 2.0 * rng.standard_normal((300, 60))
    before[:, 2] = after[:, 2] = 1.0
    one, other = two_sides(before, after, 10)
    assert np.array_equal(one.axes, other.axes)
    assert one.axes.shape == (60, 10 + 30)
    assert np.allclose(one(before).mean(axis=0), 0.0)
    assert np.allclose(other(after).mean(axis=0), 0.0)
    pooled = np.concatenate([one(before), other(after)])
    expected = np.where(np.arange(40) == 2, 0.0, 1.0)
    assert np.allclose(pooled.std(axis=0), expected, atol=1e-9)
    assert np.count_nonzero(one.axes[:, :10]) == 9, "what means something by itself is not mixed"


def test_a_reader_is_regression_where_all_is_told() -> None:
    """Against least squares by NumPy, of two blocks one after the other; and its errors on others are unit noise."""
    rng = np.random.default_rng(2)
    centred = rng.standard_normal((4000, 8))
    blocks = np.linalg.qr(centred - centred.mean(axis=0))[0] * np.sqrt(4000)  # not correlated: the order is nothing
    truth = rng.standard_normal((8, 4))
    outputs = blocks @ truth + rng.standard_normal((4000, 4)) @ np.diag([0.5, 1.0, 2.0, 4.0])
    reader = learn_reader(outputs, [blocks[:, :5], blocks[:, 5:]], np.arange(4000))
    design = np.column_stack([np.ones(4000), blocks])
    expected = design @ np.linalg.lstsq(design, outputs, rcond=None)[0]
    assert np.abs(reader.predicted([blocks[:, :5], blocks[:, 5:]]) - expected).max() < 0.2
    others = rng.standard_normal((4000, 8))
    shown = others @ truth + rng.standard_normal((4000, 4)) @ np.diag([0.5, 1.0, 2.0, 4.0])
    left = (shown - reader.predicted([others[:, :5], others[:, 5:]])) @ reader.whitener
    assert np.allclose(np.cov(left.T), np.eye(4), atol=0.1)


@pytest.mark.parametrize("people", [40, 400])
def test_a_block_that_tells_nothing_is_not_used(people: int) -> None:
    rng = np.random.default_rng(3)
    useful, useless = rng.standard_normal((people, 4)), rng.standard_normal((people, 30))
    outputs = useful + 0.5 * rng.standard_normal((people, 4))
    reader = learn_reader(outputs, [useful, useless], np.arange(people))
    assert np.abs(reader.steps[0].matrix).max() > 0.5
    assert np.abs(reader.steps[1].matrix).max() < 0.05


def test_photos_of_one_person_do_not_vouch_for_each_other() -> None:
    """Twenty photos each of people whose outputs have nothing to do with them: person by person, none is predicted."""
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(30), 20)
    photos = rng.standard_normal((30, 20))[people] + 0.01 * rng.standard_normal((600, 20))
    outputs = rng.standard_normal((30, 5))[people] + 0.01 * rng.standard_normal((600, 5))
    reader = learn_reader(outputs, [photos], people)
    assert np.abs(reader.steps[0].matrix).max() < 0.2
