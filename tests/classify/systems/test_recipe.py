"""Recipes: every one that comes along builds a system in both sizes; faults are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
from ganonym.classify.recipe import altered, load_recipe, parse_recipe, recipe_entries, recipe_names
from ganonym.classify.systems import configured
from ganonym.classify.systems.screening import ScreeningConfiguration
from ganonym.errors import UsageError

GOOD = """
name = "x"
paper = "y"
section = "z"
system = "screening"
deviations = ["none"]
[small]
strength = 0.5
[full]
strength = 1
"""


def foundation() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    form = IResNetForm(blocks=(1, 1, 1, 1), widths=(4, 4, 8, 8), embedding=16, side=32)
    network = seeded(lambda: IResNet(form), 1)
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", recipe_names())
def test_bundled_recipes_build_systems_in_both_sizes(name: str) -> None:
    recipe = load_recipe(name)
    base = foundation()
    for preset in ("small", "full"):
        system = recipe.preset(preset).system(base)
        assert hasattr(system.method, "learn")
        assert hasattr(system.method, "restore")
    assert recipe.deviations, "no recipe here is the published one to the letter"


def test_settings_go_where_they_belong() -> None:
    from ganonym.classify.systems.deepgestalt import DeepGestalt

    recipe = load_recipe("deepgestalt")
    method = altered(recipe.full, ['regions=["full"]', "epochs=7"]).system(foundation()).method
    assert isinstance(method, DeepGestalt)
    assert (method.regions, method.schedule.epochs, method.side) == (("full",), 7, 100)
    assert (method.schedule.batch, method.schedule.rate, method.schedule.course) == (280, 0.005, "constant")
    assert method.schedule.clip == 0.1


def test_faults_of_a_recipe_are_named() -> None:
    good = parse_recipe(GOOD, "good.toml")
    assert (good.small, good.preset("full")) == (ScreeningConfiguration(strength=0.5), good.full)
    for text, said in (
        (GOOD.replace('paper = "y"\n', ""), "bad.toml: paper is missing"),
        (GOOD + "\n[medium]\n", "unknown medium"),
        (GOOD.replace('"y"', "3"), "paper must be a valid string, not 3"),
        (GOOD.replace('"y"', '" "'), "paper: String should have at least 1 character"),
        (GOOD.replace('["none"]', "[1]"), r"deviations\.0 must be a valid string, not 1"),
        ("name = ", "no TOML"),
        (
            GOOD.replace("= 0.5", "= -1"),
            r"bad.toml, preset small: .*strength must be greater than 0, not -1\. strength is a",
        ),
        (GOOD.replace("strength = 1\n", "depth = 1\n"), "preset full: .*strength is missing; unknown depth"),
        (GOOD.replace('"screening"', '"astrology"'), "preset small: there is no system 'astrology'"),
    ):
        with pytest.raises(UsageError, match=said):
            parse_recipe(text, "bad.toml")
    with pytest.raises(UsageError, match="deepgestalt"):
        load_recipe("no such")
    with pytest.raises(UsageError, match="preset"):
        good.preset("medium")


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(GOOD)
    assert load_recipe(tmp_path / "own.toml") == parse_recipe(GOOD, "")
    (tmp_path / "latin.toml").write_bytes(GOOD.replace("y", "é").encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.toml is not UTF-8"):
        load_recipe(str(tmp_path / "latin.toml"))


def test_unknown_and_missing_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="batch is missing"):
        configured("deepgestalt", {"epochs": 3})
    with pytest.raises(UsageError, match="unknown depth"):
        ScreeningConfiguration(strength=0.1, depth=3)
    with pytest.raises(UsageError, match="no system"):
        configured("astrology", {})


def test_changes_are_read_as_toml_or_as_words() -> None:
    small = load_recipe("shen-margin").small
    result = altered(small, ["rate=1", "pretrained=false", "head = arcface", "depth=18"]).model_dump()
    assert result == {**small.model_dump(), "rate": 1.0, "pretrained": False, "head": "arcface", "depth": 18}
    assert altered(load_recipe("deepgestalt").small, ['regions=["full"]']).model_dump()["regions"] == ("full",)
    for change in ("width=3", "epochs"):
        with pytest.raises(UsageError, match="--set"):
            altered(small, [change])
    with pytest.raises(UsageError, match="epochs must be a valid integer, not 'many'"):
        altered(small, ["epochs=many"])


def test_to_look_at_what_there_is_imports_no_network() -> None:
    program = "import sys; from ganonym.classify import recipe, systems; recipe.recipe_names(); systems.SYSTEMS; "
    program += "print('torch' in sys.modules, 'sklearn' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]


def test_recipes_are_listed_without_importing_any_system() -> None:
    """The list says of each recipe what the loaded one says, but neither torch nor a system's file is imported."""
    code = """
import sys
from ganonym.classify.recipe import recipe_entries
entries = recipe_entries()
heavy = [name for name in sys.modules if name == "torch" or name.startswith("ganonym.classify.systems.")]
print(len(entries), heavy)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    entries = recipe_entries()
    assert done.stdout == f"{len(entries)} []\n"
    for name, entry in entries.items():
        recipe = load_recipe(name)
        said = (entry.name, entry.paper, entry.section, entry.system, entry.deviations)
        assert said == (recipe.name, recipe.paper, recipe.section, recipe.system, recipe.deviations)
