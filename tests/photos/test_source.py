"""Bytes come from a regular file below the root, or not at all."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ganonym.errors import EnvironmentFault, PhotoError
from ganonym.photos.source import read_bytes


def reason(root: Path, name: str, limit: int = 1000) -> str:
    with pytest.raises(PhotoError) as caught:
        read_bytes(root, name, limit)
    assert repr(name) in str(caught.value)
    return caught.value.reason


def test_plain_files(tmp_path: Path) -> None:
    for name in ("a.jpg", "b/c/d.jpg", "new\nline.jpg", "a" * 251 + ".jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
        assert read_bytes(tmp_path, name) == name.encode()


def test_the_root_itself_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").write_bytes(b"x")
    (tmp_path / "alias").symlink_to("real")
    assert read_bytes(tmp_path / "alias", "a.jpg") == b"x"


def test_names_that_leave_the_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.jpg").touch()
    for name in (
        "../secret.jpg",
        "in/../../secret.jpg",
        str(tmp_path / "secret.jpg"),
        "",
        ".",
        "a//b",
        "a\0.jpg",
        "\ud800.jpg",
    ):
        assert reason(tmp_path / "in", name) == "outside"


def test_links_at_any_depth(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "real.jpg").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret.jpg").touch()
    (root / "sub" / "link.jpg").symlink_to("real.jpg")
    (root / "escape").symlink_to(tmp_path / "out")
    assert reason(root, "sub/link.jpg") == "symlink"
    assert reason(root, "escape/secret.jpg") == "symlink"


def test_devices_and_pipes_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert reason(tmp_path, "fifo.jpg") == "special-file"
    assert reason(tmp_path, "folder.jpg") == "special-file"
    assert reason(Path("/dev"), "null") == "special-file"


def test_size_cap(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(bytes(1000))
    assert len(read_bytes(tmp_path, "a.jpg", 1000)) == 1000
    assert reason(tmp_path, "a.jpg", 999) == "too-large"
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(10**12)
    assert reason(tmp_path, "sparse.jpg") == "too-large"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_file_whose_size_is_not_what_it_said_is_not_trusted() -> None:
    assert os.stat("/proc/self/stat").st_size == 0  # noqa: PTH116 - a regular file that grows on reading
    assert reason(Path("/proc/self"), "stat") == "unreadable"


def test_missing_and_forbidden_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "locked.jpg").touch(mode=0)
        assert reason(root, "gone.jpg") == "unreadable"
        assert reason(root, "locked.jpg/x") == "unreadable"
        root_user = os.geteuid() == 0
        if root_user:
            os.seteuid(65534)
        try:
            assert reason(root, "locked.jpg") == "unreadable"
        finally:
            if root_user:
                os.seteuid(0)


def test_a_vanished_root_is_not_the_fault_of_the_photo(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault):
        read_bytes(tmp_path / "unmounted", "a.jpg")


def test_a_folder_exchanged_for_a_link_meanwhile_never_leads_outside(tmp_path: Path) -> None:
    root, outside = tmp_path / "in", tmp_path / "out"
    for folder, content in ((root / "sub", b"inside"), (outside, b"outside")):
        folder.mkdir(parents=True)
        (folder / "a.jpg").write_bytes(content)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            (root / "sub").rename(root / "kept")
            (root / "sub").symlink_to(outside)
            (root / "sub").unlink()
            (root / "kept").rename(root / "sub")
            time.sleep(0.0002)

    mover = threading.Thread(target=exchange)
    mover.start()
    seen: set[bytes | str] = set()
    try:
        # A busy machine may show one of the two states for long: go on until the real one was seen as well.
        until, tries = time.monotonic() + 20, 0
        while tries < 1500 or (b"inside" not in seen and time.monotonic() < until):
            tries += 1
            try:
                seen.add(read_bytes(root, "sub/a.jpg"))
            except PhotoError as error:
                seen.add(error.reason)
    finally:
        stop.set()
        mover.join()
    assert b"outside" not in seen
    assert b"inside" in seen
