"""The pool: order, isolation, limits, and an honest end."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from ganonym.batch.run import anonymize_folder
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.workers import Lost, Workers, compute, resident_peak

TOOLS = 1000


def load() -> int:
    return TOOLS


def die() -> int:
    os._exit(5)


def refuse() -> int:
    raise UsageError("the models are wrong.")


def break_down() -> int:
    raise ValueError("no such layer")


def slower_first(tools: int, number: int) -> int:
    time.sleep(0.05 if number % 2 == 0 else 0.0)
    return tools + number


def threads(_tools: int, _number: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def fate(_tools: int, number: int) -> int:
    if number == 1:
        os.abort()
    if number == 2:
        time.sleep(600)
    if number == 3:
        raise MemoryError
    return number


def double(number: int) -> int:
    return 2 * number


def doom(number: int) -> int:
    return fate(0, number)


def fail(number: int) -> float:
    return 1 / number


@pytest.fixture
def workers() -> Iterator[Workers[int]]:
    workers = Workers(load, 2, timeout=30.0)
    yield workers
    workers.stop()
    assert multiprocessing.active_children() == []


def test_results_come_in_the_order_of_the_items_and_only_a_few_are_read_ahead(workers: Workers[int]) -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in count():
            read += 1
            yield number

    results = list(islice(workers.stream(slower_first, items()), 30))
    assert results == [(number, TOOLS + number) for number in range(30)]
    assert read <= 30 + 4 * 2
    assert workers.peak_memory() > 2 * 2**20
    assert resident_peak() > 2**20
    again = list(workers.stream(slower_first, range(3)))
    assert again == [(number, TOOLS + number) for number in range(3)], "a second stream in the same processes"


def test_a_number_of_threads_for_each_process_and_the_environment_is_restored() -> None:
    before = dict(os.environ)
    workers = Workers(load, 2, threads=3)
    try:
        assert [value for _, value in workers.stream(threads, range(2))] == ["3"] * 2
    finally:
        workers.stop()
    assert dict(os.environ) == before


def test_a_crash_a_timeout_and_lack_of_memory_cost_one_item_each() -> None:
    workers = Workers(load, 1, timeout=3.0)
    try:
        results = dict(workers.stream(fate, [0, 1, 2, 3, 4]))
    finally:
        workers.stop()
    assert results[0] == 0
    assert results[4] == 4
    assert isinstance(results[1], Lost)
    assert results[1].reason in {"crash", "timeout"}  # pebble may miss a very quick death
    assert results[2] == Lost("timeout", "not done after 3 s")
    assert isinstance(results[3], Lost)
    assert results[3].reason == "memory"


def test_a_broken_pool_is_replaced_and_no_item_lost(workers: Workers[int]) -> None:
    results = []
    for number, result in workers.stream(slower_first, range(20)):
        results.append((number, result))
        if number == 5:
            assert workers._pool is not None
            workers._pool.stop()  # as pebble leaves a pool whose workers it lost
    assert results == [(number, TOOLS + number) for number in range(20)]


def test_processes_that_die_while_loading_are_an_environment_fault() -> None:
    workers = Workers(die, 2)
    try:
        with pytest.raises(EnvironmentFault, match="die before they can work"):
            list(workers.stream(slower_first, range(3)))
    finally:
        workers.stop()


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script, call = tmp_path / "script.py", "list(compute(abs, [-3, 2], jobs=1 + 1))"
    script.write_text(f"from ganonym.workers import compute\n{call}\n")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True)
    *children, last = [line for line in ended.stderr.splitlines() if line.startswith("ganonym.errors.")]
    told = 'In a script, call ganonym below: if __name__ == "__main__":'
    assert set(children) == {f"ganonym.errors.UsageError: this script begins anew in every worker process. {told}"}
    assert last.startswith(f"ganonym.errors.EnvironmentFault: worker processes die before they can work. {told}")
    script.write_text(f"from ganonym.workers import compute\nif __name__ == '__main__':\n    print({call})\n")
    assert subprocess.run([sys.executable, script], capture_output=True, text=True).stdout == "[3, 2]\n"


def test_a_release_is_not_begun_by_a_script_that_a_worker_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    with pytest.raises(UsageError, match="begins anew"):
        anonymize_folder(tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("broken", "told"), [(refuse, "the models are wrong"), (break_down, "cannot load the models")])
def test_what_loading_says_reaches_the_caller(broken: object, told: str) -> None:
    workers = Workers(broken, 1)  # type: ignore[arg-type]
    try:
        with pytest.raises((UsageError, EnvironmentFault), match=told):
            list(workers.stream(slower_first, range(3)))
    finally:
        workers.stop()


def test_what_cannot_do_without_any_item() -> None:
    assert list(compute(double, range(5), jobs=2)) == list(compute(double, range(5), jobs=1)) == [0, 2, 4, 6, 8]
    with pytest.raises(ZeroDivisionError):
        list(compute(fail, [1, 0], jobs=2))
    with pytest.raises(EnvironmentFault, match="not enough memory"):
        list(compute(doom, [0, 3], jobs=2))
    assert multiprocessing.active_children() == []


def test_whoever_stops_listening_leaves_no_process() -> None:
    results = compute(double, count(), jobs=2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
