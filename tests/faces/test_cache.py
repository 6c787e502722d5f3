"""Faces are found once, by whoever holds the key; whatever is wrong with an entry, the right faces are given."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.cache import FaceCache, _entry_of, _make_key, open_cache, read_faces
from ganonym.faces.find import find_faces, reading_backends
from ganonym.photos.decode import decode
from ganonym.types import Face

Undetectable = Callable[[], AbstractContextManager[None]]


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


PHOTO = png(skimage.data.astronaut()[:300, 100:400])
DARK = png(np.zeros((300, 300, 3), np.uint8))
BLANK = png(np.zeros((20, 20, 3), np.uint8))


def faces(cache: FaceCache, data: bytes) -> list[Face]:
    return cache.faces(data, decode(data, "a.png"))


def same(one: list[Face], other: list[Face]) -> bool:
    return len(one) == len(other) and all(
        a.box == b.box and a.turns == b.turns and a.points.tobytes() == b.points.tobytes()
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def results() -> list[Face]:
    return find_faces(decode(PHOTO, "a.png"), *reading_backends())


@pytest.fixture
def cache(tmp_path: Path) -> FaceCache:
    return open_cache(tmp_path / "cache")


def entries(cache: FaceCache) -> list[Path]:
    return sorted(cache.folder.glob("*/*"))


def test_a_face_is_found_once_and_given_back_to_the_last_bit(
    undetectable: Undetectable, cache: FaceCache, results: list[Face], tmp_path: Path
) -> None:
    assert len(results) == 1
    assert same(faces(cache, PHOTO), results)
    assert faces(cache, BLANK) == []
    (tmp_path / "renamed.png").write_bytes(PHOTO)
    with undetectable():
        again = open_cache(cache.folder)
        assert same(faces(again, PHOTO), results)
        assert faces(again, BLANK) == [], "that nobody is on it is known, too"
        rgb, given = read_faces(tmp_path / "renamed.png", again)
        assert same(given, results)
        assert np.array_equal(rgb, decode(PHOTO, "a.png"))


def test_an_altered_photograph_and_another_detector_are_looked_at_anew(
    undetectable: Undetectable, cache: FaceCache, results: list[Face]
) -> None:
    faces(cache, PHOTO)
    with undetectable():
        for other in (replace(cache, finder="another"), replace(cache, key=bytes(32))):
            with pytest.raises(ImportError):
                faces(other, PHOTO)
        with pytest.raises(ImportError):
            cache.faces(PHOTO + b" ", decode(PHOTO, "a.png"))
        with pytest.raises(ImportError):  # decoded to another size by another version
            cache.faces(PHOTO, np.zeros((150, 150, 3), np.uint8))
    assert same(faces(cache, PHOTO), results)


def edited(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def swapped(told: dict[str, object]) -> None:
    told["entry"]["faces"][0]["points"].reverse()  # type: ignore[index]


def beside(told: dict[str, object]) -> None:
    told["entry"]["faces"][0]["points"][3][0] += 1e-9  # type: ignore[index]


def infinite(told: dict[str, object]) -> None:
    told["entry"]["faces"][0]["points"][3][0] = float("nan")  # type: ignore[index]


def nobody(told: dict[str, object]) -> None:
    told["entry"]["faces"] = []  # type: ignore[index]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "no JSON": lambda path: path.write_bytes(b"\x80\x04\x95\x00"),
    "swapped": lambda path: edited(path, swapped),
    "beside": lambda path: edited(path, beside),
    "infinite": lambda path: edited(path, infinite),
    "nobody": lambda path: edited(path, nobody),
    "unsigned": lambda path: edited(path, lambda told: told.pop("signature")),
    "more": lambda path: edited(path, lambda told: told.update(extra=1)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_counts_as_none_and_is_mended(cache: FaceCache, results: list[Face], damage: str) -> None:
    faces(cache, PHOTO)
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    DAMAGES[damage](entry)
    assert entry.read_bytes() != whole
    assert same(faces(cache, PHOTO), results)
    assert entry.read_bytes() == whole


def test_an_entry_of_another_photograph_or_cache_counts_as_none(
    undetectable: Undetectable, cache: FaceCache, results: list[Face]
) -> None:
    faces(cache, PHOTO)
    (entry,) = entries(cache)
    faces(cache, DARK)
    (blank,) = set(entries(cache)) - {entry}
    shutil.copy(blank, entry)
    assert same(faces(cache, PHOTO), results)
    other = open_cache(cache.folder.with_name("other"))
    faces(other, PHOTO)
    (foreign,) = entries(other)
    assert foreign.name != entry.name, "the name is keyed"
    shutil.copy(foreign, entry)
    with undetectable(), pytest.raises(ImportError):
        faces(cache, PHOTO)
    assert same(faces(cache, PHOTO), results)


def test_a_signed_face_far_from_the_photograph_is_not_believed(cache: FaceCache, results: list[Face]) -> None:
    rgb = decode(PHOTO, "a.png")
    far = [replace(results[0], points=results[0].points + 1e4)]
    name = cache._digest(b"photo", PHOTO)
    path = cache.folder / name[:2] / f"{name[2:]}.json"
    cache._write(path, name, _entry_of(far, (rgb.shape[1], rgb.shape[0])))
    assert same(faces(cache, PHOTO), results)


def test_the_folder_is_its_owners_and_tells_others_nothing(cache: FaceCache) -> None:
    faces(cache, PHOTO)
    (entry,) = entries(cache)
    modes = {value: value.stat().st_mode & 0o777 for value in (cache.folder, entry.parent, entry, cache.folder / "key")}
    assert list(modes.values()) == [0o700, 0o700, 0o600, 0o600]
    assert hashlib.sha256(PHOTO).hexdigest()[:16] not in entry.parent.name + entry.name + entry.read_text()
    assert "key" not in repr(cache).replace("key)", "")
    assert not list(cache.folder.rglob("*.partial"))


def test_what_is_no_cache_is_refused_and_left_alone(tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir(mode=0o755)
    (album / "a.png").write_bytes(PHOTO)
    with pytest.raises(UsageError, match="no cache of faces, and not empty"):
        open_cache(album)
    assert album.stat().st_mode & 0o777 == 0o755
    with pytest.raises(UsageError, match="is a file"):
        open_cache(album / "a.png")
    cache = open_cache(tmp_path / "cache")
    (cache.folder / "key").chmod(0o640)
    with pytest.raises(UsageError, match=r"open to other users \(mode 640\)") as caught:
        open_cache(cache.folder)
    assert "chmod 600" in caught.value.remedy
    (cache.folder / "key").chmod(0o600)
    (cache.folder / "key").write_bytes(b"short")
    with pytest.raises(UsageError, match="damaged"):
        open_cache(cache.folder)


def test_a_folder_is_opened_and_used_by_many_at_once(tmp_path: Path, results: list[Face]) -> None:
    rgb = decode(PHOTO, "a.png")

    def look(_: int) -> list[Face]:
        return open_cache(tmp_path / "cache").faces(PHOTO, rgb)

    with ThreadPoolExecutor(6) as pool:
        assert all(same(entry, results) for entry in pool.map(look, range(6)))
    assert len(entries(open_cache(tmp_path / "cache"))) == 1, "there was one key"
    assert not list(tmp_path.rglob("*.partial"))


def test_who_comes_second_takes_the_key_that_is_there(cache: FaceCache) -> None:
    _make_key(cache.folder / "key")
    assert open_cache(cache.folder).key == cache.key
    assert not list(cache.folder.rglob("*.partial"))


def test_a_full_disk_is_said(cache: FaceCache) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(EnvironmentFault, match="cannot use the cache"):
            faces(cache, BLANK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not entries(cache)
    assert not list(cache.folder.rglob("*.partial"))
