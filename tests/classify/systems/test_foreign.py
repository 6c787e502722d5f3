"""Classifiers of other packages: really installed in a folder of their own, and found, used or refused by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ganonym.classify.classifier import Classifier
from ganonym.classify.recipe import load_recipe, recipe_names
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.phantom.cohort import phantom_cohort

CODE = """
import numpy as np
from ganonym.classify.system import Configuration

class Brightest:
    def learn(self, inputs, classes, count, seed):
        assert inputs.dtype == np.uint8 and inputs.shape[1:] == (112, 112, 3)
        light = np.array([inputs[classes == c].mean() for c in range(count)])
        return Told(light)
    def restore(self, arrays, count):
        return Told(arrays["light"])

class Told:
    def __init__(self, light):
        self.arrays = {"light": light}
    def __call__(self, inputs):
        near = -np.abs(inputs.mean(axis=(1, 2, 3))[:, None] - self.arrays["light"])
        shares = np.exp(near)
        return shares / shares.sum(axis=1, keepdims=True)

class Forgetful:
    def learn(self, inputs, classes, count, seed):
        return lambda others: np.full((len(others), count), 1 / count)

def made():
    return Forgetful()

def made_badly():
    return object()

class Nothing:
    pass

class Own(Configuration):
    depth: int = 3
"""


def install(folder: Path, package: str, points: dict[str, str], code: str = CODE) -> None:
    (folder / f"{package}.py").write_text(code)
    info = folder / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[ganonym.classifiers]", *lines]) + "\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    points = {
        "brightest": "foreign_package:Brightest",
        "made": "foreign_package:made",
        "made-badly": "foreign_package:made_badly",
        "nothing": "foreign_package:Nothing",
        "number": "foreign_package:CODE",
        "own": "foreign_package:Own",
        "absent": "no_such_module:X",
        "twice": "foreign_package:Brightest",
    }
    install(tmp_path, "foreign_package", points)
    install(tmp_path, "second_package", {"twice": "second_package:Brightest", "broken": "broken_package:X"})
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('not today')")
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.endswith("_package"):
            del sys.modules[name]


def test_it_is_found_by_name_learns_and_comes_back(installed: Path) -> None:
    assert {"brightest", "made", "own"} <= set(recipe_names())
    assert "foreign_package" not in sys.modules  # nothing is imported before it is asked for
    photos = [photo.rgb for photo in phantom_cohort(2, photos=1, seed=1)]
    lit = [photo // 2 for photo in photos] + photos
    model = Classifier("brightest").fit(lit, ["dark", "dark", "light", "light"])
    answers = model.predict(lit)
    assert [answer[0][0] for answer in answers if answer] == ["dark", "dark", "light", "light"]
    model.save(installed / "model")
    assert Classifier.load(installed / "model").predict(lit) == answers
    assert Classifier.load(installed / "model").recipe.text == load_recipe("brightest").text
    with pytest.raises(UsageError, match="does not say what it looks at"):
        model.explain(photos[0])


def test_what_cannot_be_saved_says_so(installed: Path) -> None:
    photos = [photo.rgb for photo in phantom_cohort(2, photos=1, seed=1)]
    model = Classifier("made").fit(photos, ["a", "b"])
    answer = model.predict(photos[:1])[0]
    assert answer is not None
    assert [chance for _, chance in answer] == [0.5, 0.5]
    with pytest.raises(UsageError, match="made learned cannot be saved"):
        model.save(installed / "model")
    assert not (installed / "private" / "model.key").exists()
    with pytest.raises(EnvironmentFault, match="has no `restore`"):
        load_recipe("made").small.system({}).method.restore({"x": np.zeros(1)}, 2)


def test_a_whole_system_may_be_brought(installed: Path) -> None:
    assert load_recipe("own").small.model_dump() == {"depth": 3}
    assert load_recipe("own").small.kind == "own"


def test_what_is_no_classifier_is_refused_with_its_maker(installed: Path) -> None:
    for name, said in (
        ("nothing", r"foreign_package 1\.2 offers as the classifier 'nothing', makes nothing with `learn`"),
        ("absent", r"'absent' of foreign_package 1\.2 cannot be imported \(ModuleNotFoundError"),
        ("number", r"foreign_package 1\.2 cannot be imported \(AttributeError"),
        ("broken", r"'broken' of second_package 1\.2 cannot be imported \(RuntimeError: not today"),
        ("twice", r"foreign_package 1\.2 and second_package 1\.2 both offer a classifier 'twice'"),
    ):
        with pytest.raises(UsageError, match=said):
            load_recipe(name)
    photos = [photo.rgb for photo in phantom_cohort(2, photos=1, seed=1)]
    with pytest.raises(UsageError, match=r"foreign_package 1\.2 offers .* makes nothing with `learn`"):
        Classifier("made-badly").fit(photos, ["a", "b"])


def test_a_name_of_ours_is_not_taken_over(installed: Path) -> None:
    install(installed, "third_package", {"deepgestalt": "third_package:Brightest", "cnn": "third_package:Brightest"})
    for name in ("deepgestalt", "cnn"):
        with pytest.raises(
            UsageError, match=rf"third_package 1\.2 offers a classifier '{name}': that name comes along"
        ):
            Classifier(name)
    assert load_recipe("nearest-mean").name == "Nearest mean"
