"""The listing names everything once, follows nothing, and keeps input and output apart."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.photos.source import check_folders, twins, walk


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root reads everything, so permissions can only be tested as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder whose parents everybody may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def reasons(root: Path) -> dict[str, str]:
    return {name: refusal.reason for name, refusal in walk(root).refused}


def test_layout_is_kept_and_sorted(tmp_path: Path) -> None:
    names = [
        "b.PNG",
        "i.HEIC",
        "i.hif",
        "i.heif",
        "i.avif",
        "a/z.jpg",
        "a/b/c.TIFF",
        "a.webp",
        "B.bmp",
        "a/b.jpeg",
        "x y/é.jpg",
        "deep/" * 30 + "p.png",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    result = walk(tmp_path)
    assert result.photos == tuple(sorted(names))
    assert result.refused == ()


def test_what_is_not_a_photo_is_named_with_its_reason(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "in"
    outside.mkdir()
    root.mkdir()
    (outside / "secret.jpg").touch()
    (root / "real.jpg").touch()
    (root / "link.jpg").symlink_to(root / "real.jpg")
    (root / "escape.jpg").symlink_to(outside / "secret.jpg")
    (root / "dangling.jpg").symlink_to("nowhere")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / ".DS_Store").touch()
    (root / "._real.jpg").touch()
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "t.jpg").touch()
    for folder in ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX"):
        (root / folder).mkdir()
        (root / folder / "t.jpg").touch()
    (root / "Thumbs.db").symlink_to("nowhere")
    (root / "notes.txt").touch()
    (root / "scan.pdf").touch()
    (root / "no suffix").touch()
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.jpg"))
        assert walk(root).photos == ("real.jpg",)
        assert reasons(root) == {
            **dict.fromkeys(("link.jpg", "escape.jpg", "dangling.jpg", "folder", "loop"), "symlink"),
            **dict.fromkeys(("scan.pdf", "no suffix"), "unsupported"),
            **dict.fromkeys(("fifo.jpg", "socket.jpg"), "special-file"),
        }
        assert dict(walk(root).ignored) == {
            **dict.fromkeys((".DS_Store", "._real.jpg", ".thumbnails/"), "hidden"),
            **dict.fromkeys(("@eaDir/", "#recycle/", "$RECYCLE.BIN/", "__MACOSX/", "Thumbs.db"), "system"),
            "notes.txt": "text",
        }
        pdf = dict(walk(root).refused)["scan.pdf"].detail
        assert "a PDF" in pdf
        assert "as PNG or JPEG" in pdf


NFC, NFD = "\u00e9.jpg", "e\u0301.jpg"


def test_odd_names(tmp_path: Path) -> None:
    names = ["new\nline.jpg", "a" * 251 + ".jpg", NFC, NFD, "Case.jpg", "case.JPG", "-rf.jpg", "a\\b.png", "*?.bmp"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / os.fsdecode(b"latin\xe9.jpg")).touch()
    (tmp_path / os.fsdecode(b"dir\xff")).mkdir()
    (tmp_path / os.fsdecode(b"dir\xff") / "in.jpg").touch()
    result = walk(tmp_path)
    assert result.photos == tuple(sorted(names))
    assert reasons(tmp_path) == {"latin\\xe9.jpg": "bad-name", "dir\\xff/": "bad-name"}
    for name, _ in result.refused:
        name.encode()
    assert twins(result.photos) == (("Case.jpg", "case.JPG"), (NFD, NFC))


def test_twins_in_folders_of_different_case() -> None:
    assert twins(["A/x.png", "a/X.png", "b/x.png"]) == (("A/x.png", "a/X.png"),)
    assert twins(["ß.jpg", "SS.jpg", "s.jpg"]) == (("SS.jpg", "ß.jpg"),)
    assert twins([]) == ()


def test_unreadable_files_and_folders_are_refused(open_folder: Path) -> None:
    for name in ("fine.jpg", "locked.jpg"):
        (open_folder / name).touch()
    (open_folder / "sealed").mkdir()
    (open_folder / "sealed" / "in.jpg").touch()
    (open_folder / "locked.jpg").chmod(0)
    (open_folder / "sealed").chmod(0)
    try:
        with unprivileged():
            result = walk(open_folder)
    finally:
        (open_folder / "sealed").chmod(0o700)
    assert result.photos == ("fine.jpg",)
    assert {name: refusal.reason for name, refusal in result.refused} == {
        "locked.jpg": "unreadable",
        "sealed/": "unreadable",
    }


def test_a_path_too_long_to_open_is_refused_not_lost(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    result = walk(tmp_path)
    assert result.photos == ()
    assert [refusal.reason for _, refusal in result.refused] == ["unreadable"]


def test_a_root_that_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        walk(tmp_path / "missing")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=20), max_size=12))
def test_nothing_is_lost_or_doubled(stems: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = {stem + suffix for stem, suffix in zip(stems, [".jpg", ".txt", ""] * 4, strict=False)} - {".", ".."}
        for name in names:
            (root / name).touch()
        result = walk(root)
        listed = [*result.photos, *(name for name, _ in result.refused), *(name for name, _ in result.ignored)]
        assert sorted(listed) == sorted(names)
        assert {n for n, _ in result.ignored} >= {n for n in names if n.startswith(".") or n.endswith(".txt")}
        assert set(result.photos) == {n for n in names if n.endswith(".jpg") and not n.startswith(".")}


def test_folders_side_by_side_are_fine(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    check_folders(tmp_path / "in", tmp_path / "out")
    (tmp_path / "out").mkdir()
    check_folders(tmp_path / "in", tmp_path / "out")
    check_folders(tmp_path / "in", tmp_path / "in-out")


def test_folders_inside_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, outer = tmp_path / "in" / "photos", tmp_path / "in"
    inner.mkdir(parents=True)
    (tmp_path / "alias").symlink_to(outer)
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    monkeypatch.chdir(inner)
    refused = [
        (outer, outer),
        (outer, inner),
        (outer, inner / "new" / "deeper"),
        (inner, outer),
        (outer, tmp_path / "alias" / "new"),
        (tmp_path / "alias", outer / "new"),
        (inner, tmp_path / "alias"),
        (outer, Path("out")),
        (inner, inner / ".." / "photos"),
        (tmp_path / "missing", tmp_path / "out"),
        (tmp_path / "file", tmp_path / "out"),
        (outer, tmp_path / "file"),
        (outer, tmp_path / "broken"),
    ]
    for source, output in refused:
        with pytest.raises(UsageError):
            check_folders(source, output)


def test_an_input_that_may_not_be_read(open_folder: Path) -> None:
    (open_folder / "in").mkdir(mode=0)
    with unprivileged(), pytest.raises(UsageError):
        check_folders(open_folder / "in", open_folder / "out")
