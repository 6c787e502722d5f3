"""Fixtures: the development photographs, where this machine has them. After a long run: which files took the time."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from ganonym.models import Models

# A busy machine is slow, which is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SLOWEST, WORTH_TELLING = 15, 20
_seconds: Counter[str] = Counter()

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))


def _folder(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"development photographs absent: no folder {name} beside the checkout (set GANONYM_DATA)")
    return folder


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.location[0]] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The slowest files, fixtures included: `--dist loadfile` ends when the last of them does."""
    if len(_seconds) < WORTH_TELLING:
        return
    terminalreporter.section(f"slowest {SLOWEST} of {len(_seconds)} files, {sum(_seconds.values()):.0f} s in all")
    for file, seconds in _seconds.most_common(SLOWEST):
        terminalreporter.write_line(f"{seconds:8.1f} s  {file}")


@pytest.fixture(scope="session")
def london_folder() -> Path:
    return _folder("london")


@pytest.fixture(scope="session")
def synthetic_folder() -> Path:
    return _folder("synthetic")


@pytest.fixture(scope="session")
def portraits_folder() -> Path:
    return _folder("portraits")


@pytest.fixture(scope="session")
def lisa_folder() -> Path:
    return _folder("lisa")


@pytest.fixture(scope="session")
def data_manifest() -> Path:
    path = DATA / "manifest.csv"
    if not path.is_file():
        pytest.skip("development photographs absent: no manifest.csv (set GANONYM_DATA)")
    return path


@pytest.fixture(scope="session")
def models() -> Models:
    """ganonym's own, loaded once."""
    from ganonym.models import open_models

    return open_models()


@pytest.fixture
def undetectable() -> Callable[[], AbstractContextManager[None]]:
    """A time without the networks that find faces, and without dlib: what is known then was found before."""

    @contextmanager
    def without_finders() -> Iterator[None]:
        from ganonym import onnx_session
        from ganonym.faces import blazeface, detect, landmarks, mesh

        opened = (onnx_session.open_network, blazeface._session, mesh._session, detect._hog, landmarks._predictor)
        modules = {name: sys.modules.get(name) for name in ("dlib", "onnxruntime")}
        for remembered in opened:
            remembered.cache_clear()
        sys.modules.update(dict.fromkeys(modules))  # type: ignore[arg-type]
        try:
            yield
        finally:
            for name, module in modules.items():
                sys.modules.pop(name)
                if module is not None:
                    sys.modules[name] = module

    return without_finders
