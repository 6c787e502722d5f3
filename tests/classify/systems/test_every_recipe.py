"""Every recipe that comes along: trained, saved, read in another process, asked and explained; and all its settings.

One tiny cohort of virtual people serves all, and one other process reads all models.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, gather
from ganonym.classify.encoders import read_foundation
from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.classify.learner import Arrays, Inputs, Trained
from ganonym.classify.model_folder import Card, digest, save_model
from ganonym.classify.model_key import Key
from ganonym.classify.recipe import Preset, altered, load_recipe, recipe_names
from ganonym.classify.system import Configuration, System
from ganonym.classify.systems import SYSTEMS, configuration_of
from ganonym.errors import UsageError

KEY = Key(b"a secret of thirty-two bytes and more")
POSITIVE = "PHANTOM-WBS"
QUICK = {
    "cnn-comparison": ("epochs=1", "side=96"),
    "deepgestalt": ("epochs=1", 'regions=["full"]'),
    "gestaltmatcher": ("epochs=1", "draws=none"),
    "meta-baseline": ("epochs=1", "steps=1", "ways=2", "queries=1"),
    "photo-set": ("epochs=1",),
    "risk-grading": ("epochs=1",),
    "shen-margin": ("epochs=1",),
}
OTHER_PROCESS = """
import json, sys
from functools import partial
from pathlib import Path
from ganonym.classify.case import Case
from ganonym.classify.cohort import gather
from ganonym.classify.studies.model import explained
from ganonym.classify.model_folder import load_model
from ganonym.classify.encoders import read_foundation
from ganonym.errors import GanonymError

photos, found = [Path(name) for name in sys.argv[2:]], {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    model = load_model(folder, partial(read_foundation, None, None))
    cases = [Case(path.name, path, str(path), model.card.names[0]) for path in photos]
    cohort = gather(cases, names=model.card.names, crops=model.look.crops)
    told = {"chances": model.chances(cohort)[1].tolist(), "shares": None, "refused": []}
    for name in model.card.names:
        try:
            told["shares"] = dict(explained(model, photos[0], name).shares)
            break
        except GanonymError as error:
            told["refused"].append([type(error).__name__, str(error)])
    found[folder.name] = told
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Read:
    """What models said of the probe photographs in the process that trained them, and in the one that read them."""

    before: dict[str, np.ndarray[Any, Any]]
    trained: dict[str, tuple[Trained, Inputs]]
    after: dict[str, dict[str, Any]]


def quick_system(name: str) -> tuple[Configuration, Arrays, System]:
    """A configuration that takes seconds, what the system starts from, and the system."""
    configuration = altered(load_recipe(name).small, QUICK.get(name, ()))
    start = configuration.pretrained_start
    foundation = read_foundation(bundled=configuration.bundled_start) if start else {}
    return configuration, foundation, configuration.system(foundation)


@pytest.fixture(scope="session")
def few_people(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Three virtual people of each of two classes, one photograph each."""
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("few")
    write_cohort(folder / "photos", cohort_of(class_sizes("WBS=3,control=3", 3), 1, 3), 1, lambda *_: None)
    crops = {crop for name in recipe_names() for crop in quick_system(name)[2].look.crops}
    return gather(read_cases(folder / "people.csv", folder / "photos"), crops=tuple(crops))


@pytest.fixture(scope="module")
def models(few_people: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("models")
    names = few_people.names
    probes = [few_people.cases[0].path, few_people.cases[-1].path]
    nobody = [Case(path.name, path, str(path), names[0]) for path in probes]
    seen_again = few_people.portraits[0], few_people.portraits[-1]
    unknown = replace(few_people, cases=tuple(nobody), portraits=seen_again, classes=np.zeros(2, np.intp))
    before, kept = {}, {}
    for name in recipe_names():
        configuration, foundation, system = quick_system(name)
        seen = system.look(few_people)
        trained = system.method.learn(seen.inputs, seen.classes, len(names), 1)
        seen_digests = tuple(KEY.digest_of(case) for case in few_people.cases)
        card = Card(
            settings=configuration.model_dump(),
            seed=1,
            names=names,
            photos=6,
            subjects=6,
            simulated=True,
            foundation=digest(foundation),
            seen=seen_digests,
            people=(),
            key=KEY.mark,
        )
        save_model(folder / name, load_recipe(name), card, trained)
        asked = system.look(unknown).inputs
        before[name], kept[name] = trained(asked), (trained, asked)
    ended = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, folder, *probes], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return Read(before, kept, json.loads(ended.stdout))


@pytest.mark.parametrize("name", recipe_names())
def test_a_model_is_read_asked_and_explained_in_another_process(name: str, models: Read) -> None:
    after = models.after[name]
    assert np.array_equal(np.array(after["chances"]), models.before[name])
    np.testing.assert_allclose(np.sum(after["chances"], axis=1), 1)
    if load_recipe(name).small.network_of_faces:
        # After so little training nothing may speak for a class, but something speaks for one of the two.
        assert sum(after["shares"].values()) == pytest.approx(1)
        assert all("nothing in" in said for _, said in after["refused"])
    else:
        assert after["shares"] is None
        assert [kind for kind, _ in after["refused"]] == ["UsageError", "UsageError"]
        others = ", ".join(kind for kind in SYSTEMS if kind != "measurement")
        assert all(f"Models of {others} can be explained" in said for _, said in after["refused"])


def test_what_is_differentiated_to_explain_is_what_is_predicted(models: Read) -> None:
    results = {name: one for name, one in models.trained.items() if hasattr(one[0], "logits")}
    assert {*results} == {"meta-baseline", "nearest-mean", "photo-set", "risk-grading", "vcfs-screening"}
    for name, (trained, asked) in results.items():
        own = asked if asked.dtype.names is None else asked["photos"][:, 0].copy()
        vectors = torch.tensor(own, requires_grad=True)
        scores = trained.logits(vectors)
        chances = scores.double().softmax(dim=1) if name != "vcfs-screening" else scores.sigmoid()
        np.testing.assert_allclose(chances.numpy(force=True), trained(asked), atol=1e-6)
        scores[:, 1].sum().backward()
        assert vectors.grad is not None
        assert float(vectors.grad.abs().max()) > 0


def test_it_is_known_which_models_hold_means_of_classes(models: Read) -> None:
    for name, (trained, _) in models.trained.items():
        assert ("means" in trained.arrays) == load_recipe(name).small.keeps_means, name
    assert altered(load_recipe("fas-measurement").small, ["learner=rule"]).keeps_means


def test_all_systems_but_one_are_explained() -> None:
    assert [kind for kind in SYSTEMS if not configuration_of(kind).network_of_faces] == ["measurement"]
    assert {load_recipe(name).system for name in recipe_names()} == set(SYSTEMS)
    assert [configuration_of(kind).kind for kind in SYSTEMS] == list(SYSTEMS)


OTHERWISE = {"sex": "female", "age": 3.0, "ancestry": "african"}


@pytest.mark.parametrize("column", OTHERWISE)
def test_what_photo_set_promises_to_look_at_changes_what_it_says(column: str, few_people: Cohort) -> None:
    told = [replace(case, sex="male", age=40.0, ancestry="asian") for case in few_people.cases]
    usual = replace(few_people, cases=tuple(told))
    other = replace(usual, cases=(replace(told[0], **{column: OTHERWISE[column]}), *told[1:]))
    unknown = replace(usual, cases=(replace(told[0], **{column: None}), *told[1:]))
    system = quick_system("photo-set")[2]
    seen = system.look(usual)
    trained = system.method.learn(seen.inputs, seen.classes, len(usual.names), 1)
    answers = [trained(system.look(value).inputs) for value in (usual, other, unknown)]
    assert not np.array_equal(answers[0][0], answers[1][0])
    assert not np.array_equal(answers[0][0], answers[2][0])
    assert np.array_equal(answers[0][1:], answers[1][1:])


SETTINGS = [
    (name, preset, setting)
    for name in recipe_names()
    for preset in get_args(Preset)
    for setting in type(load_recipe(name).small).model_fields
]
WRONG = ("-1", "-0.5", "0", "abc", "[]", "nan", "inf", "1e999", "[1]", '""', "{}", "2026-01-01")


@pytest.mark.parametrize(("name", "preset", "setting"), SETTINGS)
def test_a_setting_that_cannot_be_is_refused_with_what_it_may_be(name: str, preset: Preset, setting: str) -> None:
    recipe = load_recipe(name)
    usual = recipe.preset(preset)
    kind = usual.model_dump()[setting]
    wrong = [*WRONG, "1.5" if isinstance(kind, int) else "true", f"{kind}x", "10000000"]
    wrong += ["true", "false"] if not isinstance(kind, bool) else ["1", "yes"]
    wrong += [f"{kind}.0"] if type(kind) is int else []
    for value in wrong:
        with pytest.raises(UsageError, match=rf"{setting} is {usual.meaning()[setting][:12]}"):
            altered(usual, [f"{setting}={value}"])


def test_a_region_is_looked_at_once() -> None:
    recipe = load_recipe("deepgestalt")
    for twice in ('["full", "full"]', '["upper", "full", "upper"]'):
        with pytest.raises(UsageError, match="regions is a list, each once, of full, upper"):
            altered(recipe.small, [f"regions={twice}"])


def test_a_setting_that_does_nothing_beside_the_others_is_refused() -> None:
    for name, changes, idle in (
        ("fas-measurement", ["trees=5"], "trees"),
        ("fas-measurement", ["learner=forest", "strength=1.0"], "strength"),
        ("fas-measurement", ["learner=rule", "trees=5"], "trees"),
        ("shen-margin", ["depth=18"], "depth"),
    ):
        with pytest.raises(UsageError, match=f"{idle} does nothing"):
            altered(load_recipe(name).small, changes)
    assert not altered(load_recipe("shen-margin").small, ["pretrained=false", "depth=18"]).pretrained_start
