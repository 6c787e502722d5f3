"""A trained model survives its folder to the last bit, and knows what it must not be tested on."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from PIL import Image

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort, Portrait
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.learner import Arrays, Inputs
from ganonym.classify.learning.fit import seeded
from ganonym.classify.model_folder import CARD, RECIPE, WEIGHTS, Card, digest, load_model, save_model
from ganonym.classify.model_key import Key, Learned, key_place
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
from ganonym.classify.recipe import altered, load_recipe
from ganonym.classify.systems import configured
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import Floats, Pose
from ganonym.weights import read_tensors

KEY = Key(b"a secret of thirty-two bytes and more")
FORM = IResNetForm(blocks=(1, 1, 1, 1), widths=(4, 4, 6, 8), embedding=10, side=32)


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


def nobody_asks(kind: str) -> dict[str, np.ndarray[Any, Any]]:
    raise AssertionError(f"a system of landmarks starts from no network, asked was {kind}")


def people_of(cases: Sequence[Case]) -> tuple[str, ...]:
    return tuple(person for case in cases if (person := KEY.person_of(case)) is not None)


def card_of(learned: Cohort, settings: dict[str, Any], **others: Any) -> Card:
    usual = {"seed": 3, "photos": 12, "subjects": 12, "simulated": True, "seen": (), "people": ()}
    usual |= {"foundation": digest({}), "key": KEY.mark}
    return Card(names=learned.names, settings=settings, **(usual | others))


def written(folder: Path, learned: Cohort, temperature: float = 1.0) -> Path:
    recipe = load_recipe("fas-measurement")
    configuration = altered(recipe.small, ["learner=forest", "trees=5"])
    system = configuration.system({})
    trained = system.method.learn(system.look(learned).inputs, learned.classes, 2, 3)
    seen = tuple(KEY.digest_of(case) for case in learned.cases)
    card = card_of(
        learned, configuration.model_dump(), seen=seen, people=people_of(learned.cases), temperature=temperature
    )
    save_model(folder / "model", recipe, card, trained)
    return folder / "model"


def test_a_model_is_the_same_after_its_folder(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    folder = written(tmp_path, learned)
    system = configured("measurement", {"learner": "forest", "strength": 0.05, "trees": 5}).system({})
    wanted = system.method.learn(system.look(learned).inputs, learned.classes, 2, 3)
    model = load_model(folder, nobody_asks)
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
    plain = load_model(written(tmp_path, learned), nobody_asks).chances(learned)[1]
    hot = load_model(written(tmp_path / "hot", learned, 2.0), nobody_asks).chances(learned)[1]
    roots = np.sqrt(np.maximum(plain, 1e-12))
    assert np.allclose(hot, roots / roots.sum(axis=1, keepdims=True))
    assert not np.allclose(hot, plain)


def test_a_temperature_below_1_is_applied_as_well(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    (tmp_path / "cold").mkdir()
    plain = load_model(written(tmp_path, learned), nobody_asks).chances(learned)[1]
    cold = load_model(written(tmp_path / "cold", learned, 0.5), nobody_asks).chances(learned)[1]
    assert ((plain > 0.01) & (plain < 0.99)).any(), "of certainties none can be surer"
    assert np.allclose(cold, plain**2 / (plain**2).sum(axis=1, keepdims=True))


def test_with_its_key_it_knows_photographs_that_it_learned_from(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    folder = written(tmp_path, learned)
    model = load_model(folder, nobody_asks)
    new = tmp_path / "new.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(new)
    renamed = tmp_path / "renamed.png"
    renamed.write_bytes(learned.cases[3].path.read_bytes())
    cases = [Case("new", new, "new person"), Case("old", renamed, "other person")]
    assert model.learned_from(cases, KEY) == Learned(("old",), ())
    with pytest.raises(UsageError, match="not the key"):
        model.learned_from(cases, Key(b"another secret of thirty-two bytes"))
    assert not any(f"p{index}" in (folder / CARD).read_text() for index in range(12))


def test_with_its_key_it_knows_people_on_photographs_that_it_never_saw(tmp_path: Path) -> None:
    model = load_model(written(tmp_path, cohort(tmp_path)), nobody_asks)
    new = tmp_path / "new.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(new)
    spelled = [Case(f"{number}", new, subject) for number, subject in enumerate(("p3", "P 03", "p12", "p4"))]
    result = model.learned_from(spelled, KEY)
    assert result == Learned((), ("0", "3")), "one image a person"
    assert result.words("these photographs").startswith("other photographs of 2 of the people on these photographs")
    assert not model.learned_from(spelled[2:3], KEY).words("these photographs")


def test_a_photograph_that_is_called_by_its_own_file_is_nobody_in_particular(tmp_path: Path) -> None:
    path = tmp_path / "p3.png"
    assert KEY.person_of(Case("p3.png", path, str(path))) is None
    assert KEY.person_of(Case("p3.png", path, "p3.png")) is None
    assert KEY.person_of(Case("p3.png", path, "p3")) == KEY.person_of(Case("a", tmp_path / "a.png", "P3"))


def test_the_folder_alone_says_of_no_photograph_whether_it_was_learned_from(tmp_path: Path) -> None:
    """Whoever guesses a photograph finds no digest of it in any file, in whatever common way it is made."""
    learned = cohort(tmp_path)
    folder = written(tmp_path, learned)
    content = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    for case in learned.cases:
        guessed = case.path.read_bytes()
        for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256"):
            for text in (guessed, case.image.encode(), case.subject.encode()):
                made = hashlib.new(name, text)
                assert made.digest()[:12] not in content
                assert made.hexdigest()[:24].encode() not in content
    assert KEY.secret not in content
    place = key_place(folder)
    assert folder not in place.parents
    assert place == tmp_path / "private" / "model.key"
    assert len({Key(bytes([secret]) * 32).digest_of(learned.cases[0]) for secret in range(9)}) == 9


def test_a_number_comes_back_as_a_number(tmp_path: Path) -> None:
    """`offset` of a logistic regression, `num_batches_tracked` of a network: arrays without a dimension."""
    learned = cohort(tmp_path)
    recipe = load_recipe("vcfs-screening")
    arrays = {"offset": np.array(3.5), "steps": np.array(7), "row": np.arange(3.0), "turned": np.zeros((3, 2)).T}

    class Numbers:
        def __call__(self, inputs: Inputs) -> Floats:
            return np.zeros((len(inputs), 2))

        @property
        def arrays(self) -> Arrays:
            return arrays

    card = card_of(learned, {"strength": 0.1})
    save_model(tmp_path / "numbers", recipe, card, Numbers())
    result = read_tensors(tmp_path / "numbers" / WEIGHTS)[0]
    assert {name: entry.shape for name, entry in result.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    assert digest(result) == digest(arrays)


def test_a_model_is_read_with_the_network_it_started_from_only(tmp_path: Path) -> None:
    learned = cohort(tmp_path)
    crops = {ArcFaceCrop(FORM.side): np.zeros((FORM.side, FORM.side, 3), np.uint8)}
    learned = replace(learned, portraits=tuple(replace(face, crops=crops) for face in learned.portraits))

    def foundation(seed: int) -> Arrays:
        return {name: entry.numpy() for name, entry in seeded(lambda: IResNet(FORM), seed).state_dict().items()}

    recipe = load_recipe("nearest-mean")
    system = recipe.small.system(foundation(1))
    seen = system.look(learned)
    card = card_of(learned, {}, foundation=digest(foundation(1)))
    save_model(tmp_path / "means", recipe, card, system.method.learn(seen.inputs, seen.classes, 2, 0))
    assert load_model(tmp_path / "means", lambda _: foundation(1)).foundation.keys() == foundation(1).keys()
    with pytest.raises(EnvironmentFault, match="another recognizer"):
        load_model(tmp_path / "means", lambda _: foundation(2))


def test_damage_is_noticed(tmp_path: Path) -> None:
    folder = written(tmp_path, cohort(tmp_path))
    with pytest.raises(UsageError, match="already holds a model"):
        written(tmp_path, cohort(tmp_path))
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(EnvironmentFault, match="card"):
        load_model(folder, nobody_asks)
    (folder / WEIGHTS).write_bytes(whole)
    card = (folder / CARD).read_text()
    (folder / CARD).write_text(card.replace("format = 3", "format = 4"))
    with pytest.raises(EnvironmentFault, match="format 4"):
        load_model(folder, nobody_asks)
    (folder / CARD).write_text(card.replace("format = 3", "format = 1"))
    with pytest.raises(EnvironmentFault, match=r"which photographs it learned from: delete it\. Train"):
        load_model(folder, nobody_asks)
    (folder / CARD).write_text(card.replace("seed = 3\n", ""))
    with pytest.raises(EnvironmentFault, match="seed"):
        load_model(folder, nobody_asks)
    (folder / CARD).write_text(card)
    (folder / RECIPE).unlink()
    with pytest.raises(EnvironmentFault, match="no model"):
        load_model(folder, nobody_asks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("names", "3"),
        ("names", '"narrow"'),
        ("names", '["narrow"]'),
        ("names", '["wide", "wide"]'),
        ("names", '["narrow", 2]'),
        ("names", '["a", "b", "c"]'),
        ("names", '["wide", "narrow"]'),
        ("seen", "5"),
        ("seen", '["x"]'),
        ("people", "[1]"),
        ("temperature", '"x"'),
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("temperature", "0.0"),
        ("temperature", "-1.0"),
        ("temperature", "true"),
        ("seed", '"3"'),
        ("seed", "3.5"),
        ("photos", "0"),
        ("subjects", "1979-05-27"),
        ("simulated", "1"),
        ("foundation", "4"),
        ("weights", "[]"),
        ("key", '""'),
        ("settings", "4"),
        ("settings", '{learner = "oracle", strength = 0.05, trees = 5}'),
        ("moon", '"full"'),
    ],
)
def test_a_damaged_card_is_never_accepted(tmp_path: Path, name: str, value: str) -> None:
    folder = written(tmp_path, cohort(tmp_path))
    card = tomllib.loads((folder / CARD).read_text())
    (folder / CARD).write_text(tomli_w.dumps(card | tomllib.loads(f"{name} = {value}")))
    with pytest.raises(EnvironmentFault, match=r"is damaged|or its names are not") as caught:
        load_model(folder, nobody_asks)
    assert caught.value.exit_code == 4


def test_the_digest_sees_names_types_shapes_and_values() -> None:
    one = {"a": np.arange(6.0), "b": np.zeros(2, np.int64)}
    others = [
        {"a": np.arange(6.0), "c": np.zeros(2, np.int64)},
        {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(2, np.int64)},
        {"a": np.arange(6.0), "b": np.zeros(2, np.float64)},
        {"a": np.arange(6.0) + 1e-9, "b": np.zeros(2, np.int64)},
        {"a": np.arange(6.0), "b": np.zeros((), np.int64)},
        {"a": np.arange(6.0), "b": np.zeros(1, np.int64)},
    ]
    assert len({digest(entry) for entry in (one, *others)}) == 7
    assert digest(dict(reversed(one.items()))) == digest(one)
