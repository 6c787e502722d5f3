"""Faults that a table alone can show are told before any of its photographs is read, with exit code 2.

The photographs here cannot be read: whoever looks at them first says something else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganonym.classify.case import Case

Run = Callable[..., Any]
HEAD = "image,subject,syndrome,split,level"
ROWS = {  # three disorders of three, two and one patients; one photograph each
    "a": ("A", "gallery 0", "low"),
    "b": ("A", "test 0", "low"),
    "c": ("A", "", "high"),
    "d": ("B", "gallery 0", "low"),
    "e": ("B", "test 0", "low"),
    "f": ("C", "", "low"),
}


def table(folder: Path, who: str = "abcdef", **changes: tuple[str, str, str]) -> Path:
    (folder / "photos").mkdir(exist_ok=True)
    lines = [HEAD]
    for name in who:
        (folder / "photos" / f"{name}.jpg").write_bytes(b"no photograph")
        lines.append(",".join((f"{name}.jpg", f"p{name}", *(changes | {}).get(name, ROWS[name]))))
    path = folder / "people.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


CASES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "a class of one": ("abcdef", ("evaluate", "nearest-mean"), "1 classes have one person only: C"),
    "one class": ("abc", ("evaluate", "nearest-mean"), "all 3 people are of one class, A"),
    "one class to learn": ("abc", ("train", "nearest-mean", "--out", "OUT"), "all 3 people are of one class, A"),
    "one class of the positive": (
        "abc", ("evaluate", "nearest-mean", "--positive", "A"), "all 3 people are of one class",
    ),
    "positive": ("abcdef", ("evaluate", "nearest-mean", "--positive", "X"), "no case has the disorder 'X'. There are"),
    "only": ("abcdef", ("evaluate", "nearest-mean", "--only", "X"), "nobody in"),
    "nobody left": ("abcdef", ("evaluate", "nearest-mean", "--at-least", "4"), "no class has 4 people, the largest"),
    "label": ("abcdef", ("evaluate", "nearest-mean", "--label", "gene"), "no column 'gene'"),
    "unaffected": ("abcdef", ("dysmorphism", "nearest-mean", "--unaffected", "X"), "no case is of class 'X'"),
    "one unaffected": (
        "abcdef", ("dysmorphism", "nearest-mean", "--unaffected", "C"), "5 patients and 1 unaffected people",
    ),
    "patients": ("abcdef", ("screen", "vcfs-screening", "--positive", "C"), "1 patients and 5 controls"),
    "inner folds": ("abcdef", ("screen", "vcfs-screening", "--positive", "A"), "cannot be dealt to 5 folds"),
    "people have no angle": ("abcdef", ("screen", "photo-set", "--positive", "A"), "people, not photographs"),
    "ways": ("abcdef", ("fewshot", "--ways", "3"), "an episode takes 3 novel classes"),
    "base": ("abcdef", ("fewshot", "--base", "X"), "nobody has the disorder 'X'"),
    "against": ("abcdef", ("composite", "--out", "OUT", "--against", "X"), "nobody has the disorder 'X'"),
    "composites": ("abcdef", ("composite", "--out", "OUT"), "a composite takes 5 people"),
    "levels": (
        "abcdef", ("grade", "risk-grading", "--label", "level", "--level", "low"), "disorders high are none of low",
    ),
    "a level of one": (
        "abcdef",
        ("grade", "risk-grading", "--label", "level", "--level", "low", "--level", "high"),
        "1 classes have one person only: high",
    ),
    "no two patients": ("adf", ("retrieve",), "no disorder has two patients"),
    "a split without gallery": ("be", ("retrieve",), "has no gallery"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_fault_of_the_table_comes_before_its_photographs(ganonym: Run, tmp_path: Path, name: str) -> None:
    who, command, said = CASES[name]
    arguments = [str(tmp_path / "out") if entry == "OUT" else entry for entry in command]
    ended = ganonym("classify", *arguments, "--data", table(tmp_path, who), "--jobs", 1)
    told = " ".join(ended.err.split())
    assert ended.code == 2, told
    assert said in told
    assert "look" not in told, "no photograph was looked at"
    assert ended.out == ""


def test_a_subject_in_gallery_and_test(ganonym: Run, tmp_path: Path) -> None:
    path = table(tmp_path, "abde")
    path.write_text(path.read_text().replace("b.jpg,pb", "b.jpg,pa"))
    ended = ganonym("classify", "retrieve", "--data", path, "--jobs", 1)
    assert ended.code == 2
    assert "1 subjects are in gallery and test: pa" in " ".join(ended.err.split())


def test_a_gallery_of_no_disorder(ganonym: Run, tmp_path: Path) -> None:
    path = table(tmp_path, "ab", a=("", "", ""), b=("", "", ""))
    ended = ganonym("classify", "match", tmp_path / "photos" / "a.jpg", "--gallery", path, "--jobs", 1)
    assert ended.code == 2
    assert "none of 2 cases has a disorder" in " ".join(ended.err.split())


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_learned(ganonym: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ended = ganonym(
        "classify", "train", "nearest-mean", "--data", table(tmp_path, "abde"), "--out", tmp_path / "file" / "model"
    )
    assert ended.code == 2
    assert "there is a file in its place" in " ".join(ended.err.split())


def test_fewer_folds_than_asked_for_are_told() -> None:
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.studies.study import fold_remarks

    cases = tuple(Case(str(row), Path("x"), f"p{row}", "A" if row < 3 else "B") for row in range(5))
    cohort = Cohort(cases, (), ("A", "B"), np.array([0, 0, 0, 1, 1]), ())
    (remark,) = fold_remarks(cohort, 5)
    assert (remark.text, remark.warning) == ("3 folds instead of 5: no class has more people.", True)
    assert fold_remarks(cohort, 3) == []


def test_what_photographs_take_away_is_told_as_a_fault_too(ganonym: Run, unequal_classes: Path, tmp_path: Path) -> None:
    """Two people of a class, and one of them not to be seen."""
    rows = (unequal_classes / "people.csv").read_text().splitlines()
    kept = [row for row in rows[1:] if "-FAS-" in row or "-KBG-" in row]
    (tmp_path / "photos").mkdir()
    for row in kept:
        image = tmp_path / "photos" / row.split(",")[0]
        image.parent.mkdir(exist_ok=True)
        image.write_bytes((unequal_classes / "photos" / row.split(",")[0]).read_bytes())
    image.write_bytes(b"no photograph")  # the last of the two with FAS
    path = tmp_path / "people.csv"
    path.write_text("\n".join([rows[0], *kept]) + "\n")
    ended = ganonym("classify", "evaluate", "nearest-mean", "--data", path, "--jobs", 1)
    told = " ".join(ended.err.split())
    assert ended.code == 2, told
    assert "1 classes have one person only: PHANTOM-FAS" in told
    assert told.index(f"{image.name}: ") < told.index("ganonym: "), "the photograph that is left out says why"


def test_what_a_table_shows_is_said_before_a_photograph_is_looked_at(ganonym: Run, tmp_path: Path) -> None:
    """The photographs show nobody: whoever looks at them says so instead."""
    Image.new("RGB", (64, 64)).save(tmp_path / "blank.png")
    people = [(name, number) for name in ("a", "b", "c") for number in range(4)]
    for name, number in people:
        shutil.copy(tmp_path / "blank.png", tmp_path / f"{name}{number}.png")
    table, opened = tmp_path / "people.csv", tmp_path / "open.key"
    rows = [f"{name}{number}.png,{name}{number},{name}" for name, number in people]
    table.write_text("\n".join(["image,subject,syndrome", *rows]))
    opened.write_bytes(bytes(32))
    opened.chmod(0o644)
    common = ("--data", table, "--images", tmp_path, "--jobs", 1)
    out = ("--out", tmp_path / "model")
    episodes = ("--set", "ways=4", "--set", "queries=1")
    levels = ("--level", "a", "--level", "b", "--level", "c")
    for arguments, said in (
        (("train", "vcfs-screening", *common, *out), "tells two classes apart"),
        (("evaluate", "vcfs-screening", *common), "tells two classes apart"),
        (("train", "meta-baseline", *common, *out, *episodes), "takes 4"),
        (("train", "fas-measurement", *common, *out, "--set", "learner=rule"), "tells patients from controls"),
        (("dysmorphism", "vcfs-screening", *common, "--unaffected", "a"), "tells two classes apart"),
        (("screen", "meta-baseline", *common, "--positive", "a", "--folds", 2, *episodes), "takes 4"),
        (("grade", "vcfs-screening", *common, "--label", "syndrome", *levels, "--folds", 2), "tells two classes apart"),
        (("train", "nearest-mean", *common, *out, "--key-file", opened), "open to other users"),
        (("train", "nearest-mean", *common, *out, "--key-file", opened / "key"), "no key can be written"),
        (("train", "nearest-mean", *common, *out), "no face was found"),
    ):
        ended = ganonym("classify", *arguments)
        assert (ended.code, said in " ".join(ended.err.split())) == (2, True), ended.err
    assert not (tmp_path / "private").exists()


def test_training_that_fails_leaves_no_new_key(ganonym: Run, unequal_classes: Path, tmp_path: Path) -> None:
    """A folder where the file of weights belongs: the model cannot be written."""
    (tmp_path / "m" / "model.safetensors").mkdir(parents=True)
    common = (
        "--data",
        unequal_classes / "people.csv",
        "--images",
        unequal_classes / "photos",
        "--out",
        tmp_path / "m",
        "--jobs",
        1,
    )
    ended = ganonym("classify", "train", "nearest-mean", *common)
    assert (ended.code, "cannot write" in ended.err) == (4, True), ended.err
    assert not list(tmp_path.rglob("*.key"))
    key = tmp_path / "own.key"
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    assert ganonym("classify", "train", "nearest-mean", *common, "--key-file", key).code == 4
    assert key.read_bytes() == bytes(32)
