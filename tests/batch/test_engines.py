"""The pool: order, isolation, limits, and an honest end."""

from __future__ import annotations

import os
import time
from itertools import count, islice

import pytest
from tiny_pipeline import PIPELINE, shape_model, weights_digest

from ganonym.batch.engines import PoolEngine, open_engine, resident_peak
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.settings import Settings
from ganonym.types import Refusal

POOL = Settings(jobs=2, timeout=30.0)


def slower_first(_tools: Tools, number: int) -> int:
    time.sleep(0.05 if number % 2 == 0 else 0.0)
    return number


def threads(_tools: Tools, _number: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def stop_all(_tools: Tools, _number: int) -> int:
    raise UsageError("the request is wrong.")


def dying_tools(_settings: Settings) -> Tools:
    os._exit(5)


def test_results_come_in_the_order_of_the_items_and_only_a_few_are_read_ahead() -> None:
    taken = count()
    read = 0

    def items() -> object:
        nonlocal read
        for number in taken:
            read += 1
            yield number

    with open_engine(PIPELINE, POOL) as engine:
        found = list(islice(engine.stream(slower_first, items()), 30))  # type: ignore[arg-type]
        assert found == [(number, number) for number in range(30)]
        assert read <= 30 + 4 * 2
        assert engine.peak_memory() > 2 * 2**20
    assert resident_peak() > 2**20


def test_workers_share_the_cores_and_the_environment_is_restored() -> None:
    before = dict(os.environ)
    with open_engine(PIPELINE, POOL) as engine:
        assert [value for _, value in engine.stream(threads, range(2))] == [str(POOL.threads)] * 2
    assert dict(os.environ) == before


def test_an_error_of_the_request_ends_the_stream() -> None:
    with open_engine(PIPELINE, POOL) as engine, pytest.raises(UsageError, match="the request is wrong"):
        list(engine.stream(stop_all, range(3)))


def test_workers_that_die_while_loading_are_an_environment_fault() -> None:
    pipeline = Pipeline(dying_tools, shape_model, weights_digest)
    with open_engine(pipeline, POOL) as engine, pytest.raises(EnvironmentFault, match="die before they can work"):
        list(engine.stream(slower_first, range(3)))


def test_a_broken_pool_is_replaced_and_no_item_lost() -> None:
    found = []
    with open_engine(PIPELINE, POOL) as engine:
        assert isinstance(engine, PoolEngine)
        for number, result in engine.stream(slower_first, range(20)):
            found.append((number, result))
            if number == 5:
                assert engine._pool is not None
                engine._pool.stop()  # as pebble leaves a pool whose workers it lost
    assert found == [(number, number) for number in range(20)]


def test_serial_engine_turns_bugs_into_refusals_too() -> None:
    def bug(_tools: Tools, number: int) -> float:
        return 1 / number

    with open_engine(PIPELINE, Settings(engine="serial")) as engine:
        found = dict(engine.stream(bug, [1, 0, 2]))
    assert found[1] == 1.0
    assert found[2] == 0.5
    assert found[0] == Refusal("internal", "ZeroDivisionError: division by zero")
