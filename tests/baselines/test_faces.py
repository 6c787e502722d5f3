"""Baselines that make a face of their own: the group's mean picture, and a stranger's skin on exact landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.baselines.made_faces import align_face, average_groups, composite, eigenfaces
from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.condition import face_mask
from ganonym.faces.detect import DlibDetector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import DlibLandmarks
from ganonym.faces.shape import normalize, to_canvas
from ganonym.phantom.cohort import PhantomPhoto
from ganonym.types import RGB, Refusal


@pytest.fixture(scope="module")
def pictures() -> list[RGB]:
    """Two clusters of three pictures, light and dark, in turn."""
    rng = np.random.default_rng(5)
    levels = [60, 190] * 3
    return [rng.integers(level - 30, level + 30, (256, 256, 3), dtype=np.uint8) for level in levels]


def test_a_group_shares_one_picture_which_is_its_mean(pictures: list[RGB]) -> None:
    released = average_groups(pictures, None, 3)
    for start in (0, 1):
        members = range(start, 6, 2)
        mean = np.round(np.mean([pictures[member] for member in members], axis=0))
        for member in members:
            np.testing.assert_array_equal(released[member], mean)


def test_the_order_of_subjects_is_nothing(pictures: list[RGB]) -> None:
    order = [4, 0, 5, 2, 1, 3]
    released, shuffled = average_groups(pictures, None, 2), average_groups([pictures[i] for i in order], None, 2)
    for place, entry in enumerate(order):
        np.testing.assert_array_equal(shuffled[place], released[entry])


def test_labels_are_never_mixed_and_small_ones_withheld(pictures: list[RGB]) -> None:
    released = average_groups(pictures, ["a", "a", "b", "b", "b", "c"], 2)
    np.testing.assert_array_equal(released[0], np.round(np.mean(pictures[:2], axis=0)))
    np.testing.assert_array_equal(released[2], np.round(np.mean(pictures[2:5], axis=0)))
    assert isinstance(released[5], Refusal)
    assert released[5].reason == "small-class"


def test_fewer_than_k_are_refused(pictures: list[RGB]) -> None:
    with pytest.raises(UsageError, match="too few"):
        average_groups(pictures, None, 7)
    assert average_groups([], None, 2) == []


def test_eigenface_distances_are_those_of_reduced_grey_pictures(pictures: list[RGB]) -> None:
    reduced = [
        (picture @ np.array([0.299, 0.587, 0.114])).reshape(64, 4, 64, 4).mean(axis=(1, 3)).ravel()
        for picture in pictures
    ]
    places = eigenfaces(pictures)
    for i in range(6):
        for j in range(i):
            wanted = np.linalg.norm(reduced[i] - reduced[j])
            assert np.linalg.norm(places[i] - places[j]) == pytest.approx(wanted)


def test_alignment_undoes_position_and_roll(people: list[PhantomPhoto], model: AppearanceModel) -> None:
    photo = people[0]
    plain = align_face(photo.rgb, photo.points, model.shape.mean)
    wide = np.pad(photo.rgb, ((30, 0), (50, 0), (0, 0)), mode="edge")
    assert plain.shape == (256, 256, 3)
    moved = align_face(wide, photo.points + np.array([50, 30]), model.shape.mean)
    quarter = np.column_stack([photo.points[:, 1], 479 - photo.points[:, 0]])
    turned = align_face(np.rot90(photo.rgb), quarter, model.shape.mean)
    inside = np.s_[40:220, 60:200]  # away from where the photo ends
    for other in (moved, turned):
        assert np.abs(other[inside].astype(int) - plain[inside]).mean() < 1.0


def test_a_composite_shows_the_exact_shape(people: list[PhantomPhoto], model: AppearanceModel) -> None:
    detector, landmarks = DlibDetector(sides=(256,), most_enlarged=1.0), DlibLandmarks()
    shapes = [to_canvas(normalize(photo.points, model.shape)) for photo in people]
    for number, photo in enumerate(people):
        picture = composite(photo.points, 2, model)
        mask = face_mask(shapes[number], model)
        assert np.ptp(picture[mask == 0], axis=0).max() == 0  # the flat backdrop outside the subject's own outline
        assert np.any(picture != picture[0, 0], axis=-1)[mask > 0.5].mean() > 0.99
        faces = find_faces(picture, detector, landmarks)
        assert len(faces) == 1
        gaps = [np.linalg.norm(faces[0].points - shape, axis=1).mean() for shape in shapes]
        assert np.argmin(gaps) == number


def test_a_composite_depends_on_shape_and_tone_alone(people: list[PhantomPhoto], model: AppearanceModel) -> None:
    points = people[0].points
    first = composite(points, 3, model)
    np.testing.assert_array_equal(first, composite(points, 3, model))
    elsewhere = composite(points * 1.7 + [100.0, -20.0], 3, model)
    assert np.abs(elsewhere.astype(int) - first).max() <= 1
    centre = np.s_[100:200, 90:170]
    levels = [composite(points, tone, model)[centre].mean() for tone in range(6)]
    assert levels == sorted(levels, reverse=True)
    assert np.any(composite(people[1].points, 3, model) != first)
    with pytest.raises(ValueError, match="coincide"):
        composite(np.full((68, 2), 3.0), 3, model)
