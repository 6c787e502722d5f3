"""Encodings of an ensemble, and the file that keeps them: every vector at its place, to the last bit, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from ganonym.classify.case import Case
from ganonym.classify.cohort import Portrait, portrait_at
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.encoders import TrainedEncoder
from ganonym.classify.retrieval.encode import VARIANTS, Member, Variant, bundled, encode, of_file
from ganonym.classify.retrieval.gallery import (
    PERSONAL,
    Ensemble,
    Looked,
    Stored,
    encoded,
    look,
    read_encodings,
    write_encodings,
)
from ganonym.classify.retrieval.ranking import Encodings, ensemble_distances, matches
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.weights import verified_path


def faces(count: int) -> list[Portrait]:
    """Coarse noise behind mean landmarks that wander: of nobody."""
    rng = np.random.default_rng(count)
    mean = np.array(to_canvas(load_shape().mean))
    canvas = [np.kron(rng.integers(0, 256, (16, 16, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(count)]
    crops = [ArcFaceCrop(side) for side in (112, bundled().side)]
    return [portrait_at(entry, mean + rng.normal(size=(68, 2)), crops) for entry in canvas]


def pixels(photos: NDArray[np.uint8]) -> NDArray[np.float64]:
    """One pixel, left of the middle and red: mirrored and grey, another one."""
    return photos[:, 20, 10].astype(float) + 1


PIXELS = Member(TrainedEncoder("pixels", 3, pixels), 112, "p1")
NAMES = tuple("abcdefg")


def test_one_view_is_what_the_encoder_says_and_views_are_of_the_crop() -> None:
    portraits = faces(7)
    member = bundled()
    once = encode(NAMES, portraits, [member], VARIANTS[:1])
    crops = np.stack([face.crop(ArcFaceCrop(member.side)) for face in portraits])
    assert (once.images, len(once.vectors)) == (NAMES, 1)
    assert np.array_equal(once.vectors[0], member.encoder(crops))

    told: list[tuple[str, int, int]] = []
    both = encode(NAMES, portraits, [PIXELS, member], VARIANTS, lambda *name: told.append(name))
    assert [vector.shape[1] for vector in both.vectors] == [3] * 4 + [member.encoder.width] * 4
    assert np.array_equal(both.vectors[4], once.vectors[0])
    crops = np.stack([face.crop(ArcFaceCrop(112)) for face in portraits])
    place = {variant: index for index, variant in enumerate(VARIANTS)}
    assert np.array_equal(both.vectors[place[Variant(False, False)]], crops[:, 20, 10] + 1.0)
    assert np.array_equal(both.vectors[place[Variant(True, False)]], crops[:, 20, 101] + 1.0)
    luma = np.rint(crops[:, 20, 101] @ [0.299, 0.587, 0.114])
    assert np.array_equal(both.vectors[place[Variant(True, True)]], np.repeat(luma[:, None] + 1, 3, axis=1))
    assert told == [("encode", 7, 7)]


def test_many_are_encoded_in_parts_each_at_its_place() -> None:
    portraits = faces(70)
    result = encode([str(index) for index in range(70)], portraits, [PIXELS], VARIANTS[:1])
    assert np.array_equal(result.vectors[0], np.stack([entry.crop(ArcFaceCrop())[20, 10] for entry in portraits]) + 1.0)
    assert [vector.shape for vector in encode([], [], [PIXELS]).vectors] == [(0, 3)] * 4
    with pytest.raises(UsageError, match="no encoder"):
        encode(NAMES, faces(7), [])


def test_an_encoder_twice_is_as_once() -> None:
    portraits = faces(7)
    once, twice = (encode(NAMES, portraits, [PIXELS] * number) for number in (1, 2))
    assert len(twice.vectors) == 2 * len(once.vectors)
    wanted = ensemble_distances(once.of(NAMES[:3]), once.of(NAMES[3:]))
    np.testing.assert_allclose(ensemble_distances(twice.of(NAMES[:3]), twice.of(NAMES[3:])), wanted, atol=1e-15)


def test_the_file_gives_back_equal_bits_and_is_its_owners_only(tmp_path: Path) -> None:
    result = encode(NAMES, faces(7), [PIXELS, bundled()])
    stored = Stored(tuple(f"digest {name}" for name in NAMES), result.vectors, {"other": "no face was found"})
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path in (one, two):
        write_encodings(path, stored, [PIXELS, bundled()], VARIANTS)
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {one.name, two.name}
    back = read_encodings(one, [PIXELS, bundled()], VARIANTS)
    assert (back.photos, dict(back.blind)) == (stored.photos, dict(stored.blind))
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(back.vectors, result.vectors, strict=True))
    assert "personal data" in PERSONAL


@pytest.mark.parametrize(
    ("members", "variants", "said"),
    [
        ([replace(PIXELS, digest="p2")], VARIANTS, "other encoders"),
        ([PIXELS, PIXELS], VARIANTS, "other encoders"),
        ([PIXELS], VARIANTS[:1], "other views"),
        ([PIXELS], VARIANTS[::-1], "other views"),
    ],
)
def test_what_others_made_is_refused(
    tmp_path: Path, members: list[Member], variants: tuple[Variant, ...], said: str
) -> None:
    path = tmp_path / "kept.safetensors"
    write_encodings(path, Stored(NAMES, encode(NAMES, faces(7), [PIXELS]).vectors, {}), [PIXELS], VARIANTS)
    with pytest.raises(UsageError, match=said) as caught:
        read_encodings(path, members, variants)
    assert "Delete it" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [("version", lambda _: "0.0.0", "version"), ("reading_backends", lambda: (None, object()), "landmarks")],
)
def test_what_another_version_or_other_landmarks_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: Callable[..., object], said: str
) -> None:
    path, stored = tmp_path / "kept.safetensors", Stored(NAMES, (np.ones((7, 3)),) * 4, {})
    write_encodings(path, stored, [PIXELS], VARIANTS)
    monkeypatch.setattr(f"ganonym.classify.retrieval.gallery.{name}", other)
    with pytest.raises(UsageError, match=f"made with other {said}"):
        read_encodings(path, [PIXELS], VARIANTS)


def test_what_a_killed_run_left_is_no_obstacle_and_lends_no_mode(tmp_path: Path) -> None:
    path = tmp_path / "kept.safetensors"
    (tmp_path / ".kept.safetensors.partial").write_bytes(b"half")
    (tmp_path / ".kept.safetensors.partial").chmod(0o644)
    write_encodings(path, Stored(NAMES, (np.ones((7, 3)),) * 4, {}), [PIXELS], VARIANTS)
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [(path.name, 0o600)]
    assert read_encodings(path, [PIXELS], VARIANTS).photos == NAMES


def test_what_holds_no_encodings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.safetensors"
    path.write_bytes(b"a pickle, maybe")
    with pytest.raises(EnvironmentFault, match="not a safetensors file"):
        read_encodings(path, [PIXELS], VARIANTS)
    save_file({"fc.weight": np.zeros((3, 4), np.float32)}, path)
    with pytest.raises(EnvironmentFault, match="no encodings"):
        read_encodings(path, [PIXELS], VARIANTS)
    write_encodings(path, Stored(NAMES, (np.ones((6, 3)),) * 4, {}), [PIXELS], VARIANTS)
    with pytest.raises(EnvironmentFault, match="damaged"):
        read_encodings(path, [PIXELS], VARIANTS)
    (tmp_path / "none").write_text("a file, no folder")
    with pytest.raises(EnvironmentFault, match=r"cannot write.*none"):
        write_encodings(tmp_path / "none" / "kept", Stored(NAMES, (np.ones((7, 3)),) * 4, {}), [PIXELS], VARIANTS)


def test_only_the_encoder_that_was_meant_takes_part() -> None:
    with pytest.raises(EnvironmentFault, match="you gave 0000"):
        of_file(verified_path("gestalt"), "0" * 64)


ENSEMBLE = Ensemble((PIXELS,), VARIANTS)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Three photographs of nobody, and one without a face."""
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    out = tmp_path_factory.mktemp("nobody")
    write_cohort(out / "photos", cohort_of(class_sizes("control=3", 3), 1, 3), 1, lambda *_: None)
    shown = [path.read_bytes() for path in sorted((out / "photos").rglob("*.png"))]
    Image.new("RGB", (64, 64)).save(out / "blank.png")
    return [*shown, (out / "blank.png").read_bytes()]


@pytest.fixture
def folder(tmp_path: Path, photographs: list[bytes]) -> Path:
    """Files called a, b, c, d and none; b and c are one photograph, none shows nobody."""
    for name, shown in {"a": 0, "b": 1, "c": 1, "none": 3, "d": 2}.items():
        (tmp_path / name).write_bytes(photographs[shown])
    return tmp_path


def cases(folder: Path, names: str = "d none a b c a") -> list[Case]:
    return [Case(name, folder / name, f"person {name}", "x", split=str(row)) for row, name in enumerate(names.split())]


def both(listed: list[Case], file: Path | None) -> tuple[Looked, Encodings]:
    looked = look(listed, ENSEMBLE, file)
    return looked, encoded(looked, ENSEMBLE, file)


def test_a_table_is_the_same_by_way_of_a_file(folder: Path) -> None:
    file = folder / "kept.safetensors"
    plain, wanted = both(cases(folder), None)
    written, new = both(cases(folder), file)
    assert (written.stored, plain.left_out) == (None, (("none", "no face was found"),))
    for path in folder.iterdir():
        if path != file:
            path.rename(folder / f"moved {path.name}")
    moved = [replace(case, path=folder / f"moved {case.image}") for case in reversed(cases(folder, "d none a b c"))]
    read, back = both(moved, file)
    assert read.stored is not None
    assert not read.faces
    assert read.left_out == written.left_out == plain.left_out
    assert [case.image for case in plain.cases] == ["d", "a", "b", "c", "a"], "an image may be in several splits"
    assert wanted.images == ("d", "a", "b", "c")
    for other in (new, back):
        same = zip(wanted.vectors, other.of(wanted.images), strict=True)
        assert all(np.array_equal(one, two) for one, two in same)


def test_a_file_that_does_not_know_a_photograph_is_refused(folder: Path, photographs: list[bytes]) -> None:
    file = folder / "kept.safetensors"
    both(cases(folder), file)
    kept = file.read_bytes()
    both(cases(folder, "a d"), file)
    (folder / "b").write_bytes(photographs[1] + b"touched")
    (folder / "new").write_bytes(photographs[2] + b"new")
    with pytest.raises(UsageError, match=r"nothing of 2 photographs.*b, new") as caught:
        look(cases(folder, "a b c new"), ENSEMBLE, file)
    assert "Delete it" in caught.value.remedy
    assert file.read_bytes() == kept
    with pytest.raises(UsageError, match="Make it first"):
        look(cases(folder), ENSEMBLE, folder / "none yet" / "kept")


def test_an_image_is_one_photograph_of_one_person(folder: Path) -> None:
    one = cases(folder, "a")[0]
    for other in (replace(one, subject="another"), replace(one, disorder="y"), replace(one, path=folder / "b")):
        with pytest.raises(UsageError, match="two photographs"):
            look([one, other], ENSEMBLE)
    unknown = look([replace(one, disorder=None), *cases(folder, "b")], ENSEMBLE)
    assert unknown.left_out == (("a", "its disorder is not given"),)


def test_matches_are_the_nearest_of_each_disorder() -> None:
    listed = [Case(name, Path(name), name, disorder) for name, disorder in zip("abcd", "yxyz", strict=True)]
    there = Encodings(tuple("dcba"), (np.array([[0.0, 1], [4, 3], [3, 4], [1, 0]]),))
    result = matches(Encodings(("p", "q"), (np.array([[2.0, 0], [0, 5]]),)), there, listed, 2)
    told = [[(entry.disorder, round(entry.distance, 9), entry.case.image) for entry in row] for row in result]
    assert told == [[("y", 0.0, "a"), ("x", 0.4, "b")], [("z", 0.0, "d"), ("x", 0.2, "b")]]
    assert matches(Encodings((), (np.zeros((0, 2)),)), there, listed, 2) == []


def test_encodings_of_another_face_of_the_photograph_are_not_those_that_were_kept(folder: Path) -> None:
    file = folder / "kept.safetensors"
    both(cases(folder, "a"), file)
    other = [replace(case, face="largest") for case in cases(folder, "a")]
    with pytest.raises(UsageError, match="knows nothing of 1 photographs"):
        look(other, ENSEMBLE, file)
