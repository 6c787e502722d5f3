"""Recipes: every one that comes along builds a system in both sizes; faults are named."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
from ganonym.classify.recipe import altered, parse_recipe
from ganonym.classify.systems import system_of
from ganonym.errors import UsageError
from ganonym_train.recipes import bundled, find_recipe

GOOD = """
name = "x"
paper = "y"
section = "z"
system = "deepgestalt"
deviations = ["none"]
[small]
epochs = 3
[full]
epochs = 300
"""


def foundation() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    form = IResNetForm(blocks=(1, 1, 1, 1), widths=(4, 4, 8, 8), embedding=16, side=32)
    network = seeded(lambda: IResNet(form), 1)
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", sorted(bundled()))
def test_bundled_recipes_build_systems_in_both_sizes(name: str) -> None:
    recipe = find_recipe(name)
    base = foundation()
    for preset in ("small", "full"):
        system = system_of(recipe.system, recipe.settings(preset), base)
        assert hasattr(system.method, "learn")
        assert hasattr(system.method, "restore")
    assert recipe.deviations, "no recipe here is the published one to the letter"


def test_settings_go_where_they_belong() -> None:
    from ganonym.classify.systems.deepgestalt import DeepGestalt

    recipe = find_recipe("deepgestalt")
    changed = altered(recipe.settings("full"), ['regions=["full"]', "epochs=7"])
    method = system_of(recipe.system, changed, foundation()).method
    assert isinstance(method, DeepGestalt)
    assert (method.regions, method.schedule.epochs, method.side) == (("full",), 7, 100)
    assert (method.schedule.batch, method.schedule.rate, method.schedule.course) == (280, 0.005, "constant")
    assert method.schedule.clip == 0.1


def test_faults_of_a_recipe_are_named() -> None:
    assert parse_recipe(GOOD, "good.toml").small == {"epochs": 3}
    for text, said in (
        (GOOD.replace('paper = "y"\n', ""), "lacks paper"),
        (GOOD + "\n[medium]\n", "medium"),
        (GOOD.replace('"y"', "3"), "no proper paper"),
        (GOOD.replace('["none"]', "[1]"), "no proper deviations"),
        ("name = ", "no TOML"),
    ):
        with pytest.raises(UsageError, match=said):
            parse_recipe(text, "bad.toml")
    with pytest.raises(UsageError, match="deepgestalt"):
        find_recipe("no such")
    with pytest.raises(UsageError, match="preset"):
        parse_recipe(GOOD, "x").settings("medium")  # type: ignore[arg-type]


def test_unknown_and_missing_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="lack batch"):
        system_of("deepgestalt", {"epochs": 3}, foundation())
    with pytest.raises(UsageError, match="means nothing"):
        system_of("screening", {"strength": 0.1, "depth": 3}, foundation())
    with pytest.raises(UsageError, match="no system"):
        system_of("astrology", {}, foundation())


def test_changes_are_read_as_toml_or_as_words() -> None:
    settings = {"epochs": 3, "rate": 0.1, "weighted": True, "regions": [], "head": "cosface"}
    found = altered(settings, ["rate=1", "weighted=false", "head = arcface", 'regions=["full"]', "epochs=many"])
    assert found == {"epochs": "many", "rate": 1, "weighted": False, "regions": ["full"], "head": "arcface"}
    for change in ("depth=3", "epochs"):
        with pytest.raises(UsageError, match="--set"):
            altered(settings, [change])
