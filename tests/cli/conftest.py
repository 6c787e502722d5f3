"""Run the command line in this process, as `main` would leave it: (exit code, stdout, stderr); and people for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganonym_cli.app import main


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def ganonym(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        code = stop.value.code
        captured = capsys.readouterr()
        return Ended(code if isinstance(code, int) else 0 if code is None else 1, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def unequal_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """people.csv and photos of a tiny phantom cohort, one photograph each: 7 WBS, 5 unaffected, 3 KBG, 2 FAS, 1 NS."""
    from ganonym.phantom.plan import cohort_of
    from ganonym_cli.phantom import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("unequal")
    plan = cohort_of(class_sizes("WBS=7,control=5,KBG=3,FAS=2,NS=1", 1), 1, 3)
    write_cohort(folder / "photos", plan, 1, lambda *_: None)
    return folder
