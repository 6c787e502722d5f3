"""An engine: what befalls one item is a refusal of that item, in worker processes as in this one."""

from __future__ import annotations

import os

import pytest
from tiny_pipeline import PIPELINE

from ganonym.batch.pipeline import Tools, open_engine
from ganonym.errors import PhotoError, UsageError
from ganonym.settings import Settings
from ganonym.types import Refusal

POOL, SERIAL = Settings(jobs=2, timeout=30.0), Settings(engine="serial")


def threads(_tools: Tools, _number: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def stop_all(_tools: Tools, _number: int) -> int:
    raise UsageError("the request is wrong.")


def fate(_tools: Tools, number: int) -> float:
    if number == 3:
        raise PhotoError("blur", "the photo is blurred.")
    if number == 4:
        raise MemoryError
    return 1 / number


@pytest.mark.parametrize("settings", [POOL, SERIAL])
def test_errors_are_refusals_of_one_item_each(settings: Settings) -> None:
    with open_engine(PIPELINE, settings) as engine:
        results = dict(engine.stream(fate, [1, 0, 2, 3, 4]))
        assert (engine.peak_memory() > 2**20) == (settings is POOL)
    assert results == {
        1: 1.0,
        0: Refusal("internal", "ZeroDivisionError: division by zero"),
        2: 0.5,
        3: Refusal("blur", "the photo is blurred."),
        4: Refusal("memory", "not enough memory for this photo"),
    }


@pytest.mark.parametrize("settings", [POOL, SERIAL])
def test_an_error_of_the_request_ends_the_stream(settings: Settings) -> None:
    with open_engine(PIPELINE, settings) as engine, pytest.raises(UsageError, match="the request is wrong"):
        list(engine.stream(stop_all, range(3)))


def test_workers_share_the_cores() -> None:
    with open_engine(PIPELINE, POOL) as engine:
        assert [value for _, value in engine.stream(threads, range(2))] == [str(POOL.threads)] * 2
