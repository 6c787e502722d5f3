"""Tables on 80 columns: nothing is cut, no name and no interval is broken, whatever disorders are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ganonym_cli.table import Table

Run = Callable[..., Any]
KBG = "Intellectual developmental disorder with dysmorphic facies and macrodontia"
WBS = "Williams-Beuren syndrome; deletion of chromosome 7q11.23"
PARTS = ("frequent", "rare")
INTERVAL = re.compile(r"\[-?[\d.+∞%]+, -?[\d.+∞%]+\]")


@pytest.fixture(autouse=True)
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def check(out: str, *names: str) -> None:
    """Nothing is cut, nothing is wider than the terminal, and names and intervals stand on one line."""
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    for name in names:
        assert any(name in line for line in out.splitlines()), f"{name} is broken\n{out}"
    for line in out.splitlines():
        assert line.count("[") - line.count("[95 %") == len(INTERVAL.findall(line)), line


@given(
    st.lists(
        st.tuples(st.text("abc d", min_size=1, max_size=76), st.text("0123", max_size=30), st.text("xyz", max_size=30)),
        min_size=1,
        max_size=6,
    ),
    st.integers(76, 160),
)
def test_every_cell_is_whole_at_every_width(rows: list[tuple[str, str, str]], width: int) -> None:
    table = Table("name", "first rate", "second rate", title="of all")
    for row in rows:
        table.add_row(*row)
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    out = captured.get()
    assert max(map(len, out.splitlines())) <= width
    for row in rows:
        for cell in row:
            assert any(cell.strip() in line for line in out.splitlines()), out


def test_side_by_side_where_there_is_room_and_below_one_another_where_there_is_none() -> None:
    def shown(width: int) -> list[str]:
        table = Table("class", "rate", "other")
        table.add_row("Sotos syndrome", "0.75 [0.41, 0.93]", "0.50 [0.10, 0.90]")
        table.add_row("KBG", "1.00 [0.50, 1.00]", "")
        console = Console(width=width, highlight=False)
        with console.capture() as captured:
            console.print(table)
        return [line.rstrip() for line in captured.get().splitlines()]

    assert shown(60)[0].startswith("┏")
    assert shown(55) == [
        "class           rate               other",
        "Sotos syndrome  0.75 [0.41, 0.93]  0.50 [0.10, 0.90]",
        "KBG             1.00 [0.50, 1.00]",
    ]
    assert shown(45) == [
        "Sotos syndrome",
        "  rate 0.75 [0.41, 0.93]",
        "  other 0.50 [0.10, 0.90]",
        "KBG",
        "  rate 1.00 [0.50, 1.00]",
    ]


def test_rates_of_classes_and_the_star_of_few_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Of KBG nine people, of the others ten and twelve: a sensitivity of nine has a star, a specificity has none."""
    from ganonym.classify.cross_validation import rated, tempered
    from ganonym.classify.studies.train import Evaluation
    from ganonym_cli.classify.evaluate import tell
    from ganonym_cli.console import Output

    classes = np.repeat([0, 1, 2], [9, 10, 12])
    subjects = [f"p{row}" for row in range(31)]
    chances = np.random.default_rng(0).dirichlet(np.ones(3), 31) + np.eye(3)[classes]
    chances /= chances.sum(axis=1, keepdims=True)
    result = rated(chances, classes, subjects, 0, rounds=50)
    names, scaled = (KBG, WBS, "Unaffected"), tempered(chances, classes, subjects, 0)
    tell(Output(), Evaluation("x", names, result, scaled, True, False, ()))
    out = capsys.readouterr().out
    check(out, KBG, WBS, "Unaffected")
    of_kbg = out.partition(KBG)[2].partition(WBS)[0]
    assert re.search(r"sensitivity [\d.]+ \[[\d., ]+\]\*", of_kbg)
    assert re.search(r"specificity [\d.]+ \[[\d., ]+\](?!\*)", of_kbg)
    assert "* Of fewer than 10 people" in out
    tell(Output(as_json=True), Evaluation("x", names, result, None, True, False, ()))
    told = json.loads(capsys.readouterr().out)
    assert "sensitivity" in told["classes"][KBG]["few_people"]
    assert "specificity" not in told["classes"][KBG]["few_people"]
    assert "sensitivity" not in told["classes"][WBS]["few_people"]
    assert (told["few_people"], [*told["top"]]) == (False, ["1"])


def test_retrieval_screening_and_separation(capsys: pytest.CaptureFixture[str]) -> None:
    from ganonym.classify.retrieval.protocol import Accuracy
    from ganonym.classify.systems.screening import Logistic, Screen, assess
    from ganonym.statistics.intervals import Estimate
    from ganonym.types import Pose
    from ganonym_cli.classify.gallery import shown
    from ganonym_cli.classify.screen import _table
    from ganonym_cli.console import Output

    rate = Estimate(value=0.5, low=0.25, high=0.75)
    rows = [
        Accuracy(
            setting=name, gallery=9716.6, test=386.4, candidates=816.3, disorders=509, people=people, few_people=few,
            splits=10, top=dict.fromkeys((1, 5, 10, 30), rate),
        )
        for name, people, few in (("F/F", 800, False), ("R/F+R", 9, True))
    ]  # fmt: skip
    Output().result({}, shown(rows))
    out = capsys.readouterr().out
    check(out, "509 of 816.3")
    assert (out.count("0.50 [0.25, 0.75]"), out.count("0.50 [0.25, 0.75]*")) == (8, 4)
    rng = np.random.default_rng(0)
    positive = np.arange(24) % 3 == 0
    inputs = rng.normal(size=(24, 3)) + positive[:, None]
    screen = Screen(Logistic().learn(inputs, positive.astype(np.intp), 2, 0), 0.5)
    result = assess(screen, inputs, positive, [f"p{row}" for row in range(24)], [Pose(0.0, 0.0, 0.0)] * 24, 0)
    Output().result({}, _table(result))
    out = capsys.readouterr().out
    check(out)
    assert "sensitivity" in result.any_angle.few_people
    assert re.search(r"sensitivity +│? *[\d.]+ \[[\d., ]+\]\*", out)
    assert not re.search(r"specificity +│? *[\d.]+ \[[\d., ]+\]\*", out)


def test_the_commands_that_make_their_tables_themselves(ganonym: Run, release: Path) -> None:
    photo = release / "gmdb_images" / "1000.png"
    frequent, table = (release / "gmdb_metadata" / f"gmdb_{kind}_gallery_images_v1.1.0.csv" for kind in PARTS)
    for arguments, names in (
        (("match", photo, "--gallery", table, "--top", 3), (KBG, "Fetal alcohol spectrum disorder", str(photo))),
        (("recipes",), ("Nearest mean",)),
        (
            ("grade", "risk-grading", "--data", frequent, "--label", "gender", "--level", "male", "--level", "female",
             "--folds", 2, "--set", "epochs=1"),
            ("called female",),
        ),
    ):  # fmt: skip
        ended = ganonym("classify", *arguments, *(["--jobs", 1] if len(arguments) > 1 else []))
        assert ended.code == 0, ended.err
        check(ended.out, *names)


def test_predictions_and_composites(ganonym: Run, release: Path, tmp_path: Path) -> None:
    few = ("--data", release, "--at-least", 5, "--jobs", 1)
    ended = ganonym("classify", "train", "nearest-mean", *few, "--out", tmp_path / "model")
    assert ended.code == 0, ended.err
    assert "6 photographs left out: their classes have fewer than 5 people" in " ".join(ended.err.split())
    photo = release / "gmdb_images" / "1000.png"
    asked = ganonym("classify", "predict", tmp_path / "model", photo, "--jobs", 1)
    check(asked.out, WBS, "Unaffected", str(photo))
    made = ganonym(
        "classify", "composite", "--data", release, "--against", "Unaffected", "--out", tmp_path / "c", "--jobs", 1
    )
    assert made.code == 0, made.err
    check(made.out.partition(str(tmp_path))[2].partition("\n")[2], WBS, "Unaffected")
