"""A decoder that dies, hangs or swells takes nothing with it: one PhotoError, and the other files are read."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.errors import PhotoError
from ganonym.photos.decode import read_photo
from ganonym.types import RGB
from ganonym.workers import in_workers

DECODE_MEMORY = 2 * 2**30
SMALL_MEMORY = 400_000_000
DEATHS = {
    "abort": os.abort,
    "fault": lambda: ctypes.string_at(8),  # a genuine segmentation fault
    "kill": lambda: signal.raise_signal(signal.SIGKILL),  # what the kernel does when memory runs out
    "exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(600),
}


def read(path: Path) -> tuple[RGB, str]:
    """As a decoder would: a file called after a death brings it."""
    if path.stem in DEATHS:
        DEATHS[path.stem]()
    return read_photo(path.parent, path.name)


def read_within(path: Path) -> tuple[int, ...]:
    """With at most as many bytes of addresses as the folder's name says, beyond those of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (int(path.parent.name), resource.RLIM_INFINITY))
    return read_photo(path.parent, path.name)[0].shape


def core_limit(_path: Path) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)


def swell(_path: Path) -> None:
    raise MemoryError


def results(look: Callable[[Path], Any], paths: list[Path], patience: float = 60.0, jobs: int = 2) -> list[Any]:
    return list(in_workers(look, paths, lambda path: path.name, jobs, patience))


def reasons(answers: list[Any]) -> list[str | None]:
    return [answer.reason if isinstance(answer, PhotoError) else None for answer in answers]


def test_pixels_and_reasons_cross_the_process_border(tmp_path: Path, photo: Any, save: Any) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    good.write_bytes(save(photo, "PNG"))
    bad.write_bytes(b"GIF89a")
    (rgb, digest), error = results(read, [good, bad])
    np.testing.assert_array_equal(rgb, photo)
    assert rgb.flags.writeable
    assert len(digest) == 64
    assert error.reason == "unsupported"
    assert "a GIF" in str(error)


def test_dying_and_hanging_workers_cost_one_photo_each(tmp_path: Path, photo: Any, save: Any) -> None:
    (tmp_path / "good.png").write_bytes(save(photo, "PNG"))
    paths = []
    for death in DEATHS:
        paths += [tmp_path / f"{death}.png", tmp_path / "good.png"]
    start = time.monotonic()
    answers = results(read, paths, patience=6.0)
    assert time.monotonic() - start < 60
    for (rgb, _), error in zip(answers[1::2], answers[::2], strict=True):
        np.testing.assert_array_equal(rgb, photo)
        assert error.reason in {"decoder-crash", "decoder-timeout"}  # pebble may miss a very quick death
    assert reasons(answers)[-2] == "decoder-timeout"
    assert "decoder-crash" in reasons(answers)
    assert all(repr(path.name) in str(error) for path, error in zip(paths[::2], answers[::2], strict=True))


def test_workers_leave_no_core_dump_and_lack_of_memory_is_one_photo_s() -> None:
    assert results(core_limit, [Path("a")]) == [(0, 0)]
    for jobs in (1, 2):
        assert reasons(results(swell, [Path("a"), Path("b")], jobs=jobs)) == ["too-large"] * 2


def test_a_picture_that_needs_more_memory_than_there_is(tmp_path: Path, png: Any) -> None:
    side = 9_900
    folder = tmp_path / str(SMALL_MEMORY)
    folder.mkdir()
    (folder / "swell.png").write_bytes(png(side, side, 1, 0, bytes(side * (1 + (side + 7) // 8))))
    assert reasons(results(read_within, [folder / "swell.png"])) == ["too-large"]


def test_the_largest_admitted_picture_fits_two_gibibytes(tmp_path: Path, png: Any, png_chunk: Any) -> None:
    side = 10_000
    half_transparent = png_chunk(b"PLTE", bytes(range(6))) + png_chunk(b"tRNS", b"\x80")
    folder = tmp_path / str(DECODE_MEMORY)
    folder.mkdir()
    (folder / "large.png").write_bytes(png(side, side, 1, 3, bytes((side // 8 + 1) * side), half_transparent))
    assert results(read_within, [folder / "large.png"]) == [(side, side, 3)]
