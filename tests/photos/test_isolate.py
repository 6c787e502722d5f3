"""A decoder that dies, hangs or swells takes nothing with it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pebble import ProcessPool

from ganonym.errors import PhotoError
from ganonym.photos.isolate import DECODE_MEMORY, decode_pool, read_isolated, settle

SMALL_MEMORY = 400_000_000


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with decode_pool() as pool:
        yield pool
        pool.stop()


@pytest.fixture
def good(tmp_path: Path, photo: Any, save: Any) -> Path:
    (tmp_path / "good.png").write_bytes(save(photo, "PNG"))
    return tmp_path


def reason(future: Any, name: str = "bad.jpg") -> str:
    with pytest.raises(PhotoError) as caught:
        settle(future, name)
    assert repr(name) in str(caught.value)
    return caught.value.reason


def test_pixels_and_reasons_cross_the_process_border(pool: ProcessPool, good: Path, photo: Any) -> None:
    rgb, digest = read_isolated(pool, good, "good.png")
    np.testing.assert_array_equal(rgb, photo)
    assert rgb.flags.writeable
    assert len(digest) == 64
    (good / "bad.jpg").write_bytes(b"GIF89a")
    with pytest.raises(PhotoError, match="a GIF") as caught:
        read_isolated(pool, good, "bad.jpg")
    assert caught.value.reason == "unsupported"


def test_a_dying_worker_is_one_refusal_and_the_pool_goes_on(pool: ProcessPool, good: Path, photo: Any) -> None:
    deaths: list[tuple[Any, tuple[Any, ...]]] = [
        (os.abort, ()),
        (ctypes.string_at, (8,)),  # a genuine segmentation fault
        (signal.raise_signal, (signal.SIGKILL,)),  # what the kernel does when memory runs out
        (os._exit, (3,)),
    ]
    for function, args in deaths:
        assert reason(pool.schedule(function, args=args, timeout=30)) == "decoder-crash"
    np.testing.assert_array_equal(read_isolated(pool, good, "good.png")[0], photo)


def test_a_hanging_worker_is_stopped(pool: ProcessPool, good: Path) -> None:
    start = time.monotonic()
    assert reason(pool.schedule(time.sleep, args=(600,), timeout=0.5)) == "decoder-timeout"
    assert time.monotonic() - start < 20
    read_isolated(pool, good, "good.png")


def test_workers_leave_no_core_dump_and_have_a_memory_limit(pool: ProcessPool) -> None:
    assert pool.schedule(resource.getrlimit, args=(resource.RLIMIT_CORE,)).result() == (0, 0)
    assert pool.schedule(resource.getrlimit, args=(resource.RLIMIT_AS,)).result() == (DECODE_MEMORY, DECODE_MEMORY)
    assert reason(pool.schedule(bytearray, args=(DECODE_MEMORY,))) == "too-large"


def test_a_picture_that_needs_more_memory_than_allowed(good: Path, png: Any, photo: Any) -> None:
    side = 9_900
    (good / "swell.png").write_bytes(png(side, side, 1, 0, bytes(side * (1 + (side + 7) // 8))))
    with decode_pool(memory=SMALL_MEMORY) as pool:
        with pytest.raises(PhotoError) as caught:
            read_isolated(pool, good, "swell.png")
        assert caught.value.reason == "too-large"
        np.testing.assert_array_equal(read_isolated(pool, good, "good.png")[0], photo)
        pool.stop()


def test_the_largest_admitted_picture_fits_the_default_limit(
    pool: ProcessPool, good: Path, png: Any, png_chunk: Any
) -> None:
    side = 10_000
    half_transparent = png_chunk(b"PLTE", bytes(range(6))) + png_chunk(b"tRNS", b"\x80")
    (good / "large.png").write_bytes(png(side, side, 1, 3, bytes((side // 8 + 1) * side), half_transparent))
    assert read_isolated(pool, good, "large.png")[0].shape == (side, side, 3)
