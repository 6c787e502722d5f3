"""Studies without a command line: what is refused at once, and what an error says of the photographs before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ganonym.classify.recipe import load_recipe
from ganonym.classify.studies.screen import screen
from ganonym.classify.studies.study import Remark, Study, remembered
from ganonym.classify.studies.train import evaluate
from ganonym.errors import UsageError


def table(folder: Path) -> Path:
    """Two people of either class, of whom no photograph shows anybody."""
    rows = ["image,subject,syndrome"]
    for name in ("a1", "a2", "b1", "b2"):
        Image.new("RGB", (64, 64)).save(folder / f"{name}.png")
        rows.append(f"{name}.png,{name},{name[0]}")
    (folder / "people.csv").write_text("\n".join(rows))
    return folder / "people.csv"


def test_a_study_lacks_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe"):
        evaluate(Study(table(tmp_path), tmp_path))
    with pytest.raises(UsageError, match="for one disorder"):
        screen(Study(table(tmp_path), tmp_path, recipe=load_recipe("vcfs-screening")))


def test_classes_that_are_left_out_are_told_with_the_error_that_follows(tmp_path: Path) -> None:
    path = table(tmp_path)
    path.write_text(path.read_text() + "\nc1.png,c1,c\n")
    Image.new("RGB", (64, 64)).save(tmp_path / "c1.png")
    with pytest.raises(UsageError, match="no face was found") as caught:
        evaluate(Study(path, tmp_path, at_least=2, recipe=load_recipe("nearest-mean")))
    assert caught.value.__notes__ == ["1 photographs left out: their classes have fewer than 2 people."]


def test_an_error_takes_warnings_along_and_no_notes() -> None:
    with pytest.raises(UsageError) as caught, remembered([Remark("seen", warning=True), Remark("by the way")]):
        raise UsageError("no more.")
    assert caught.value.__notes__ == ["seen"]
