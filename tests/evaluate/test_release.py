"""Pairs come from our keymap, a list or equal paths; whatever does not fit is refused by name."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attack_all import photos_of
from ganonym.evaluate.release import read_release

NAMES = ("a/one.png", "a/two.png", "b/one.png")


def picture(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), level, np.uint8)).save(path)


def table(path: Path, *rows: tuple[str, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    for name in NAMES:
        picture(tmp_path / "in" / name)
    rows = [(name, f"s{number}", "WBS") for number, name in enumerate(NAMES)]
    return tmp_path / "in", tmp_path / "out", table(tmp_path / "people.csv", ("image", "subject", "syndrome"), *rows)


def released(folders: tuple[Path, Path, Path], **options: Path) -> dict[str, str | None]:
    _, out, _ = folders
    result = read_release(*folders, **options)
    return {item.row.image: item.released and item.released.relative_to(out).as_posix() for item in result.items}


def test_equal_paths_pair_up_whatever_the_suffix_and_known_tails(folders: tuple[Path, Path, Path]) -> None:
    _, out, _ = folders
    picture(out / "a/one.png")
    picture(out / "a/two.jpg")
    picture(out / "b/one_anonymized.png")
    picture(out / "b/stranger.png")
    assert released(folders) == {
        "a/one.png": "a/one.png",
        "a/two.png": "a/two.jpg",
        "b/one.png": "b/one_anonymized.png",
    }
    release = read_release(*folders)
    assert [path.name for path in release.extra] == ["stranger.png"]
    assert (release.columns, release.declared_k, release.statement) == ((), None, "")


def test_what_is_missing_was_withheld(folders: tuple[Path, Path, Path]) -> None:
    _, out, _ = folders
    picture(out / "a/one.png")
    assert released(folders) == {"a/one.png": "a/one.png", "a/two.png": None, "b/one.png": None}


def test_ambiguous_names_are_refused(folders: tuple[Path, Path, Path]) -> None:
    _, out, _ = folders
    picture(out / "a/one.jpg")
    picture(out / "a/one_anonymized.png")
    with pytest.raises(UsageError, match="several pictures could be of"):
        read_release(*folders)


def test_our_keymap_decides_and_bystanders_are_left_out(folders: tuple[Path, Path, Path]) -> None:
    _, out, _ = folders
    for name in ("x.png", "y.png", "z.png"):
        picture(out / "images" / name)
    picture(out / "a/one.png")  # an equal path, which the keymap overrules
    table(
        out / "private/keymap.csv",
        ("source", "output", "subject", "pseudonym"),
        ("a/one.png", "images/z.png", "bystander", "p"),
        ("a/one.png", "images/x.png", "s0", "p"),
        ("b/one.png", "images/y.png", "s2", "q"),
    )
    table(out / "manifest.csv", ("image", "subject", "syndrome", "age", "protection"))
    promise = {"statement": "named at most once in eleven", "rank1": 1 / 11}
    (out / "guarantee.json").write_text(json.dumps(promise))
    assert released(folders) == {"a/one.png": "images/x.png", "a/two.png": None, "b/one.png": "images/y.png"}
    release = read_release(*folders)
    assert release.columns == ("syndrome",), "nobody's age is known"
    assert [path.relative_to(out).as_posix() for path in release.extra] == ["a/one.png"], "a bystander's is no stray"
    assert release.declared_k == pytest.approx(11)
    assert release.statement == "named at most once in eleven"


def test_groups_are_read_and_folds_link_nobody(
    folders: tuple[Path, Path, Path],
) -> None:
    _, out, _ = folders
    for name in ("x.png", "y.png"):
        picture(out / "images" / name)
    keymap = ("source", "output", "subject", "pseudonym")
    rows = [("a/one.png", "images/x.png", "s0", "p"), ("b/one.png", "images/y.png", "s2", "q")]
    table(out / "private/keymap.csv", keymap, *rows)
    table(out / "manifest.csv", ("image", "subject"), ("images/x.png", "p"))
    plain = read_release(*folders)
    assert plain.linked
    assert [item.group for item in plain.items] == [None] * 3
    table(out / "private/keymap.csv", (*keymap, "group"), (*rows[0], "4"), (*rows[1], ""))
    table(out / "manifest.csv", ("image", "fold"), ("images/x.png", "0"), ("images/y.png", "3"))
    release = read_release(*folders)
    assert not release.linked
    assert [item.group for item in release.items] == [4, None, None]
    photos = photos_of("view", Seen(*({"view": np.zeros((3, 1))},) * 3, {}, (), ()), release)
    assert photos.groups is not None
    assert (photos.groups.tolist(), photos.linked) == ([4, -1, -1], False)


def test_a_list_of_pairs_must_be_sound(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, out, _ = folders
    picture(out / "q.png")
    picture(out / "r.png")
    good = table(tmp_path / "pairs.csv", ("source", "output"), ("a/one.png", "r.png"), ("a/two.png", "q.png"))
    assert released(folders, pairs=good) == {"a/one.png": "r.png", "a/two.png": "q.png", "b/one.png": None}
    bad = table(
        tmp_path / "bad.csv",
        ("source", "output"),
        ("nobody.png", "r.png"),
        ("a/one.png", "gone.png"),
        ("a/one.png", "r.png"),
    )
    with pytest.raises(UsageError) as caught:
        read_release(*folders, pairs=bad)
    for fault in ("'nobody.png' is not in the manifest", "'gone.png' is no picture", "'a/one.png' is listed 2 times"):
        assert fault in str(caught.value)
    with pytest.raises(UsageError, match="'output' is missing"):
        read_release(*folders, pairs=table(tmp_path / "half.csv", ("source",), ("a/one.png",)))


def test_faults_of_the_folders_are_named(folders: tuple[Path, Path, Path]) -> None:
    source, out, manifest = folders
    picture(out / "unrelated.png")
    with pytest.raises(UsageError, match=r"nothing below .* pairs up"):
        read_release(source, out, manifest)
    picture(out / "a/one.png")
    with pytest.raises(UsageError, match="no such manifest column: eyes"):
        read_release(source, out, manifest, columns=["eyes"])
    assert read_release(source, out, manifest, columns=["syndrome"]).columns == ("syndrome",)
    (source / "b/one.png").unlink()
    with pytest.raises(UsageError, match=r"1 photos of .* are not below .*'b/one\.png'"):
        read_release(source, out, manifest)


def test_a_subject_in_two_spellings_would_be_found_half_as_often(folders: tuple[Path, Path, Path]) -> None:
    originals, out, _ = folders
    for name in NAMES:
        picture(out / name)
    rows = list(zip(NAMES, ("P-1", "p–1", "Q"), strict=True))
    people = table(originals.parent / "alike.csv", ("image", "subject"), *rows)
    with pytest.raises(UsageError, match="spelled in several ways"):
        read_release(originals, out, people)
    word = table(originals.parent / "distinct.csv", ("P-1", "p–1"))
    assert read_release(originals, out, people, distinct=word).subjects == ("P-1", "p–1", "Q")


def test_lists_as_excel_and_windows_write_them(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    originals, out, people = folders
    picture(out / "x" / "q.png")
    rows = "".join(f"D:\\fotos\\{name.replace('/', chr(92)).upper()};s{n};WBS\r\n" for n, name in enumerate(NAMES))
    people.write_bytes(f"image;subject;syndrome\r\n{rows}".encode("utf-16"))
    pairs = tmp_path / "pairs.csv"
    pairs.write_text('sep=;\nsource;output;note\na\\two.png;x\\q.png;"of\ntwo lines"\n')
    assert released((originals, out, people), pairs=pairs) == {
        "a/one.png": None,
        "a/two.png": "x/q.png",
        "b/one.png": None,
    }
    with people.open("ab") as file:
        file.write("D:\\fotos\\gone.png;s9;WBS\r\n".encode("utf-16-le"))
    with pytest.raises(UsageError, match="1 photos of"):
        read_release(originals, out, people, pairs)
