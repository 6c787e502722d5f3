"""The Python of README and guides, and the notebooks, run as they stand, on people who do not exist."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import ganonym

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def code(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos` and `people.csv`, as the pages take for granted."""
    from ganonym.phantom.write import write_people

    home = tmp_path_factory.mktemp("study")
    write_people(home / "photos", people=12, photos=2, seed=0).replace(home / "people.csv")
    return home


@pytest.mark.parametrize("page", [page for page in PAGES if code(page)], ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    names: dict[str, object] = {}
    for block in code(page):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("name", [name for name in ganonym.__all__ if name != "__version__"])
def test_every_public_name_says_what_it_is_by_an_example(name: str) -> None:
    assert doctest.DocTestParser().get_examples(inspect.getdoc(getattr(ganonym, name)) or "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert all(output.output_type != "error" for cell in notebook.cells for output in cell.get("outputs", []))


def test_there_are_two_notebooks_without_stored_outputs() -> None:
    stored = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells if cell.get("outputs")]
    assert len(NOTEBOOKS) == 2
    assert stored == []
