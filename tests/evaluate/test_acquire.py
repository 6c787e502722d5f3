"""Every photo is looked at once: rows where a face is, none where there is none, and problems by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from ganonym.evaluate.acquire import PhotoPair, Seen, acquire
from ganonym.evaluate.attackers.landmark_shape import ShapeView
from ganonym.evaluate.attackers.thumbnails import ThumbnailView
from ganonym.evaluate.controls.planted import WEAK
from ganonym.photos.encode import encode_png
from ganonym.types import RGB, Box

VIEWS = (ShapeView(), ThumbnailView())
FACE: RGB = np.ascontiguousarray(astronaut()[:260, 80:360])
EMPTY = np.full_like(FACE, 90)


def task(folder: Path, name: str, original: RGB, released: RGB | None = None, mock: RGB | None = None) -> PhotoPair:
    paths: list[Path | None] = []
    for kind, rgb in (("o", original), ("r", released), ("m", mock)):
        path = folder / f"{name}-{kind}.png"
        if rgb is not None:
            path.write_bytes(encode_png(rgb))
        paths.append(path if rgb is not None else None)
    assert paths[0] is not None
    return PhotoPair(paths[0], paths[1], paths[2], VIEWS, (ThumbnailView(),))


def silent(phase: str, done: int, total: int) -> None:
    """Tells nobody."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("acquire")
    tasks = [
        task(folder, "same", FACE, FACE, FACE),
        task(folder, "hidden", FACE, EMPTY),
        task(folder, "smaller", FACE, np.ascontiguousarray(FACE[::-1, ::-1][:200])),
        task(folder, "withheld", FACE),
        task(folder, "faceless", EMPTY, FACE),
        task(folder, "torn", FACE, FACE),
        task(folder, "broken", FACE, FACE),
    ]
    torn, broken = tasks[5].released, tasks[6].original
    assert torn is not None
    torn.write_bytes(torn.read_bytes()[:300])
    broken.write_bytes(b"no picture")
    return acquire(tasks, 1, silent)


def test_an_equal_output_gives_equal_rows(seen: Seen) -> None:
    for view in VIEWS:
        assert np.array_equal(seen.originals[view.name][0], seen.released[view.name][0])
        assert np.array_equal(seen.originals[view.name][0], seen.mock[view.name][0])
        assert seen.originals[view.name].shape == (7, view.width)
    photo = seen.photos[0]
    assert photo is not None
    assert photo.agreement is not None
    assert photo.agreement.pixel_equal
    assert photo.crop is not None
    assert photo.crop.shape == (64, 64, 3)
    assert np.array_equal(photo.crop, photo.released_crop)  # type: ignore[arg-type]


def test_without_a_face_there_is_no_row_unless_the_place_is_known(seen: Seen) -> None:
    assert np.isnan(seen.released["landmarks"][1]).all()
    assert not np.isnan(seen.released["thumbnail"][1]).any(), "the same size: the attacker knows where the face was"
    assert np.isnan(seen.originals["landmarks"][4]).all()
    assert seen.photos[4] is not None
    assert seen.photos[4].points is None
    assert seen.photos[4].released_points is not None


def test_outputs_of_another_size_have_no_oracle(seen: Seen) -> None:
    assert [photo is not None and photo.same_size for photo in seen.photos[:4]] == [True, True, False, False]


def test_withheld_and_unreadable_are_kept_apart(seen: Seen) -> None:
    withheld, torn = seen.photos[3], seen.photos[5]
    assert withheld is not None
    assert withheld.problem is None
    assert np.isnan(seen.released["thumbnail"][3]).all()
    assert torn is not None
    assert torn.problem is not None
    assert seen.photos[6] is None
    assert [index for index, _ in seen.unreadable] == [6]
    assert "broken-o.png" in seen.unreadable[0][1]


def test_weak_anonymizers_are_tried_where_there_is_a_face(seen: Seen) -> None:
    assert set(seen.weak) == {(method, "thumbnail") for method in WEAK}
    for method in WEAK:
        rows = seen.weak[method, "thumbnail"]
        assert np.isnan(rows[4]).all()
        assert 0.5 < rows[0] @ seen.originals["thumbnail"][0] / rows.shape[1] < 0.9999


def test_workers_find_what_one_process_finds(seen: Seen, tmp_path: Path) -> None:
    tasks = [task(tmp_path, "a", FACE, EMPTY), task(tmp_path, "b", EMPTY, FACE)]
    told: list[tuple[str, int, int]] = []
    one, two = acquire(tasks, 1, silent), acquire(tasks, 2, lambda *what: told.append(what))
    for name in one.originals:
        assert np.array_equal(one.originals[name], two.originals[name], equal_nan=True)
        assert np.array_equal(one.released[name], two.released[name], equal_nan=True)
    assert told == [("look", 0, 2), ("look", 1, 2), ("look", 2, 2)]


def test_the_subject_s_face_is_looked_at_where_the_steward_says_which(tmp_path: Path) -> None:
    half = np.ascontiguousarray(FACE[::2, ::2])
    room = np.full((FACE.shape[0], FACE.shape[1] + half.shape[1], 3), 90, np.uint8)
    room[:, : FACE.shape[1]], room[: half.shape[0], FACE.shape[1] :] = FACE, half[:, ::-1]
    both = task(tmp_path, "both", room)
    chosen = [replace(both, choice=choice) for choice in (None, "left", "right", Box(0, 0, 1, 1))]
    largest, left, right, nobody = (photo and photo.points for photo in acquire(chosen, 1, silent).photos)
    assert largest is not None
    assert np.array_equal(largest, left)
    assert right[:, 0].min() > FACE.shape[1] > left[:, 0].max()
    assert nobody is None
