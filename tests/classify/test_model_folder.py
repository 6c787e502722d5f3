"""A trained model survives its folder to the last bit, and knows what it must not be tested on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort
from ganonym.classify.model_folder import CARD, RECIPE, WEIGHTS, Card, digest, digest_of, load_model, save_model
from ganonym.classify.portrait import Portrait
from ganonym.classify.recipe import altered
from ganonym.classify.systems import system_of
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import Pose
from ganonym_train.recipes import find_recipe

NOBODY = {"weight": np.arange(6.0)}


def cohort(folder: Path, people: int = 12) -> Cohort:
    """Mean faces with wide or narrow mouths, of nobody; one photograph each, whose file exists."""
    rng = np.random.default_rng(1)
    cases, faces, classes = [], [], []
    for index in range(people):
        points = np.array(to_canvas(load_shape().mean)) + rng.normal(size=(68, 2))
        wide = index % 2
        points[48:, 0] = points[48:, 0].mean() + (points[48:, 0] - points[48:, 0].mean()) * (1.3 if wide else 0.9)
        path = folder / f"{index}.png"
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
        cases.append(Case(path.name, path, f"p{index}", "wide" if wide else "narrow"))
        faces.append(Portrait({}, points, Pose(0.0, 0.0, 0.0)))
        classes.append(wide)
    return Cohort(tuple(cases), tuple(faces), ("narrow", "wide"), np.array(classes, np.intp), ())


def written(folder: Path, learned: Cohort, temperature: float = 1.0) -> Path:
    recipe = find_recipe("fas-measurement")
    settings = altered(recipe.settings("small"), ["learner=forest", "trees=5"])
    system = system_of(recipe.system, settings, NOBODY)
    trained = system.method.learn(system.look(learned).inputs, learned.classes, 2, 3)
    seen = tuple(digest_of(case) for case in learned.cases)
    card = Card(settings, 3, learned.names, 12, 12, True, digest(NOBODY), seen, temperature)
    save_model(folder / "model", recipe, card, trained)
    return folder / "model"


def test_a_model_is_the_same_after_its_folder(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    folder = written(tmp_path, learned)
    system = system_of("measurement", {"learner": "forest", "strength": 0.05, "trees": 5}, NOBODY)
    wanted = system.method.learn(system.look(learned).inputs, learned.classes, 2, 3)
    model = load_model(folder, lambda _: NOBODY)
    seen, chances = model.chances(learned)
    assert np.array_equal(chances, wanted(system.look(learned).inputs))
    assert (chances.argmax(axis=1) == learned.classes).mean() > 0.9
    assert seen.subjects == learned.subjects
    assert model.card.names == ("narrow", "wide")
    assert model.card.simulated
    assert model.recipe.name == "Ratios between landmarks"


def test_the_temperature_of_its_card_is_applied(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    (tmp_path / "hot").mkdir()
    plain = load_model(written(tmp_path, learned), lambda _: NOBODY).chances(learned)[1]
    hot = load_model(written(tmp_path / "hot", learned, 2.0), lambda _: NOBODY).chances(learned)[1]
    roots = np.sqrt(np.maximum(plain, 1e-12))
    assert np.allclose(hot, roots / roots.sum(axis=1, keepdims=True))
    assert not np.allclose(hot, plain)


def test_a_temperature_below_1_is_applied_as_well(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    (tmp_path / "cold").mkdir()
    plain = load_model(written(tmp_path, learned), lambda _: NOBODY).chances(learned)[1]
    cold = load_model(written(tmp_path / "cold", learned, 0.5), lambda _: NOBODY).chances(learned)[1]
    assert ((plain > 0.01) & (plain < 0.99)).any(), "of certainties none can be surer"
    assert np.allclose(cold, plain**2 / (plain**2).sum(axis=1, keepdims=True))


def test_it_knows_photographs_that_it_learned_from_and_no_names(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    folder = written(tmp_path, learned)
    model = load_model(folder, lambda _: NOBODY)
    new = tmp_path / "new.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(new)
    renamed = tmp_path / "renamed.png"
    renamed.write_bytes(learned.cases[3].path.read_bytes())
    cases = [replace(learned.cases[0], image="new", path=new), replace(learned.cases[0], image="old", path=renamed)]
    assert model.learned_from(cases) == ["old"]
    assert not any(f"p{index}" in (folder / CARD).read_text() for index in range(12))


def test_damage_is_noticed(tmp_path: Path) -> None:
    folder = written(tmp_path, cohort(tmp_path))
    with pytest.raises(UsageError, match="already holds a model"):
        written(tmp_path, cohort(tmp_path))
    with pytest.raises(EnvironmentFault, match="another recognizer"):
        load_model(folder, lambda _: {"weight": np.arange(5.0)})
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(EnvironmentFault, match="card"):
        load_model(folder, lambda _: NOBODY)
    (folder / WEIGHTS).write_bytes(whole)
    card = (folder / CARD).read_text()
    (folder / CARD).write_text(card.replace("format = 1", "format = 2"))
    with pytest.raises(EnvironmentFault, match="format 2"):
        load_model(folder, lambda _: NOBODY)
    (folder / CARD).write_text(card.replace("seed = 3\n", ""))
    with pytest.raises(EnvironmentFault, match="seed"):
        load_model(folder, lambda _: NOBODY)
    (folder / CARD).write_text(card)
    (folder / RECIPE).unlink()
    with pytest.raises(EnvironmentFault, match="no model"):
        load_model(folder, lambda _: NOBODY)


def test_the_digest_sees_names_types_shapes_and_values() -> None:
    one = {"a": np.arange(6.0), "b": np.zeros(2, np.int64)}
    others = [
        {"a": np.arange(6.0), "c": np.zeros(2, np.int64)},
        {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(2, np.int64)},
        {"a": np.arange(6.0), "b": np.zeros(2, np.float64)},
        {"a": np.arange(6.0) + 1e-9, "b": np.zeros(2, np.int64)},
    ]
    assert len({digest(each) for each in (one, *others)}) == 5
    assert digest(dict(reversed(one.items()))) == digest(one)
