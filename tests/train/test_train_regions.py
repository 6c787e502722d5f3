"""Region networks in miniature: they learn people, a killed run ends as a whole one, DeepGestalt starts from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ganonym.classify.crops import REGIONS
from ganonym.classify.encoders import read_foundation
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.systems.deepgestalt import DeepGestalt, descriptors
from ganonym.errors import UsageError
from ganonym_train.gestalt import Crops, rank1
from ganonym_train.regions import RegionsRecipe, recipe_of, train_regions

METHOD = DeepGestalt(side=16, width=0.1, schedule=Schedule(8, 16, "adam", 5e-3))


def people(count: int = 20, photos: int = 6) -> Crops:
    """Nobody: each person is a blotchy picture of their own in every region, each photo adds noise."""
    rng = np.random.default_rng(3)
    own = rng.integers(40, 216, (count, 4, 4, 4)).repeat(4, axis=2).repeat(4, axis=3)
    pixels = own[:, None] + rng.normal(size=(count, photos, 4, 16, 16)) * 12
    return Crops(pixels.reshape(-1, 4, 16, 16).clip(0, 255).astype(np.uint8), np.repeat(np.arange(count), photos))


def test_a_run_goes_on_and_strangers_are_told_apart(tmp_path: Path) -> None:
    told: list[str] = []
    crops, recipe = people(), RegionsRecipe(METHOD, 1)
    train_regions(crops, tmp_path / "run", tmp_path / "out.safetensors", recipe, told.append)
    assert [line.split(":")[0] for line in told] == list(REGIONS)
    assert all("of 4 unseen people" in line for line in told)
    whole = (tmp_path / "out.safetensors").read_bytes()
    (tmp_path / "run" / "upper.safetensors").unlink()
    train_regions(crops, tmp_path / "run", tmp_path / "again.safetensors", recipe, told.append)
    assert (tmp_path / "again.safetensors").read_bytes() == whole
    assert told[:4] == told[4:]

    start = replace(METHOD, pretrained=load_file(tmp_path / "out.safetensors"))
    unseen = crops.unseen
    results = [rank1(descriptors(start, crops.pixels[unseen], region), crops.person[unseen]) for region in REGIONS]
    assert min(results) > 0.6, "of four people, a quarter would be chance"
    idle = replace(start, schedule=replace(METHOD.schedule, epochs=0)).learn(crops.pixels, crops.person, 20, 5)
    assert np.allclose(
        idle.networks["lower"].base[0].conv.weight.detach().numpy(),  # type: ignore[union-attr, operator]
        load_file(tmp_path / "out.safetensors")["lower.base.0.conv.weight"],
        atol=1e-3,
    )


def test_a_region_that_is_in_the_folder_is_not_trained_again(tmp_path: Path) -> None:
    method = replace(METHOD, schedule=replace(METHOD.schedule, epochs=1))
    run, crops = tmp_path / "run", people(6, 2)
    train_regions(crops, run, tmp_path / "one.safetensors", RegionsRecipe(method, 1), lambda _: None)
    before = {region: (run / f"{region}.safetensors").read_bytes() for region in REGIONS}
    (run / "upper.safetensors").unlink()
    train_regions(crops, run, tmp_path / "two.safetensors", RegionsRecipe(method, 2), lambda _: None)
    after = {region: (run / f"{region}.safetensors").read_bytes() for region in REGIONS}
    assert [region for region in REGIONS if after[region] != before[region]] == ["upper"]
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    changed = {name.split(".")[0] for name in one if not np.array_equal(one[name], two[name])}
    assert changed == {"upper"}


def test_networks_do_not_depend_on_the_people_who_are_kept_out(tmp_path: Path) -> None:
    recipe = RegionsRecipe(replace(METHOD, schedule=replace(METHOD.schedule, epochs=1)), 1)
    crops = people(6, 2)
    other = Crops(crops.pixels.copy(), crops.person)
    other.pixels[crops.unseen] = 255 - other.pixels[crops.unseen]
    for name, entry in (("one", crops), ("two", other)):
        train_regions(entry, tmp_path / name, tmp_path / f"{name}.safetensors", recipe, lambda _: None)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


@pytest.mark.parametrize(("count", "kept_out"), [(4, 0), (14, 2), (300, 60), (500, 60)])
def test_the_last_fifth_of_people_is_kept_out_and_60_at_most(count: int, kept_out: int) -> None:
    person = np.repeat(np.arange(count), 2)
    unseen = Crops(np.zeros((2 * count, 1), np.uint8), person).unseen
    assert unseen.tolist() == (person >= count - kept_out).tolist()


def test_who_learned_nothing_describes_nothing() -> None:
    with pytest.raises(UsageError, match="describes nothing"):
        descriptors(METHOD, people(2, 1).pixels, "full")
    with pytest.raises(UsageError, match="no preset"):
        recipe_of("huge")
    assert recipe_of("full").method.width == 1.0


def test_the_bundled_networks_are_what_the_small_recipe_starts_from() -> None:
    method = replace(recipe_of("small").method, pretrained=read_foundation(bundled="regions"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 48, 48), dtype=np.uint8)
    for region in REGIONS:
        assert descriptors(method, pixels, region).shape == (2, 80)
