"""Sets of photos with metadata: order, padding and repetition do not matter; a missing photo is not a black one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from ganonym.classify.case import Case
from ganonym.classify.learner import Inputs
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.learning.metadata import FEWEST, ITEMS, Vocabulary, ancestries, known_of
from ganonym.classify.networks.light import Light
from ganonym.classify.systems.photo_set import PhotoSet, pack
from ganonym.errors import EnvironmentFault, UsageError

METHOD = PhotoSet(Light(12), hidden=8, schedule=Schedule(30, 16, "adamw", 1e-2))


def cases(seed: int, each: int = 30) -> tuple[list[NDArray[np.float32]], NDArray[np.float64], NDArray[np.intp]]:
    """Four classes: photos tell 0, 1 from 2, 3 by their mean only; metadata tell 0, 2 from 1, 3."""
    rng = np.random.default_rng(seed)
    classes = np.arange(4 * each) % 4
    photos = []
    for label in classes:
        own = rng.normal(size=(rng.integers(1, 7), 5)).astype(np.float32)
        own[:, 0] += (2.5 if label >= 2 else -2.5) - own[:, 0].mean()
        photos.append(own)
    metadata = np.column_stack([classes % 2, rng.random(len(classes))]).astype(np.float64)
    return photos, metadata, classes.astype(np.intp)


PHOTOS, METADATA, CLASSES = cases(1)
PACKED = pack(PHOTOS, METADATA)
TRAINED = METHOD.learn(PACKED, CLASSES, 4, 0)


def test_photos_and_metadata_are_both_used() -> None:
    photos, metadata, classes = cases(2)
    assert (TRAINED(pack(photos, metadata)).argmax(axis=1) == classes).mean() > 0.95
    blind = TRAINED(pack(photos, metadata[:, ::-1] * 0)).argmax(axis=1)
    assert (blind // 2 == classes // 2).mean() > 0.9
    assert (blind == classes).mean() < 0.7
    without = METHOD.learn(pack(PHOTOS, METADATA[:, :0]), CLASSES, 4, 0)
    result = without(pack(photos, metadata[:, :0])).argmax(axis=1)
    assert (result // 2 == classes // 2).mean() > 0.9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 119), st.randoms(use_true_random=False))
def test_neither_order_nor_place_nor_padding_matters(row: int, random: object) -> None:
    one = PACKED[[row]].copy()
    expected = TRAINED(one)
    places = np.random.default_rng(row).permutation(6)  # gaps between photos included
    moved = one.copy()
    moved["photos"], moved["shown"] = one["photos"][:, places], one["shown"][:, places]
    np.testing.assert_allclose(TRAINED(moved), expected, atol=1e-6)
    one["photos"][~one["shown"]] = np.random.default_rng(row).normal(size=5) * 1e6
    assert TRAINED(one).tobytes() == expected.tobytes()


def test_a_case_is_the_mean_of_its_photos() -> None:
    """The same photo three times says what it says once, and the mean is taken of features: by hand."""
    once, thrice = (pack([PHOTOS[0][:1].repeat(times, axis=0)], METADATA[:1]) for times in (1, 3))
    np.testing.assert_allclose(TRAINED(once), TRAINED(thrice), atol=1e-6)
    network, own = TRAINED.network, torch.from_numpy(PHOTOS[1])
    with torch.inference_mode():
        features = network.encoder(own).mean(dim=0)
        encoded = network.metadata(torch.from_numpy(METADATA[1]).float())
        expected = network.head(torch.cat([features, encoded])).softmax(dim=0)
    np.testing.assert_allclose(TRAINED(PACKED[1:2])[0], expected, atol=1e-6)


def test_a_missing_photo_is_not_a_black_one() -> None:
    crops = np.random.default_rng(3).integers(0, 256, (20, 2, 16, 16, 3)).astype(np.uint8)
    classes = np.arange(20) % 2
    crops[classes == 1, ..., 0] = 255
    none = np.zeros((20, 0))
    method = PhotoSet(Light(4), schedule=Schedule(4, 10))
    trained = method.learn(pack(list(crops), none), classes, 2, 0)
    black = np.concatenate([crops, np.zeros_like(crops)], axis=1)
    missing, shown = pack(list(crops), none), pack(list(black), none)
    assert (missing["photos"] == shown["photos"]).all()  # only the mask tells them apart
    assert np.abs(trained(missing) - trained(shown)).min() > 1e-4


def with_batch_normalisation(shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(nn.Linear(shape[0], 6), nn.BatchNorm1d(6), nn.ReLU())


def test_padding_plays_no_part_in_training_either() -> None:
    """Batch normalisation would count it in: what is not shown never enters the encoder."""
    dirty = PACKED.copy()
    dirty["photos"][~dirty["shown"]] = 1e3
    method = PhotoSet(with_batch_normalisation, 4, schedule=Schedule(2, 16))
    first, second = (method.learn(inputs, CLASSES, 4, 0).arrays for inputs in (PACKED, dirty))
    assert set(first) == set(second)
    assert all((first[name] == second[name]).all() for name in first)


def test_equal_seeds_give_equal_bytes_and_files_restore_them() -> None:
    before = torch.random.get_rng_state()
    kept = CLASSES != 1
    short = PhotoSet(Light(12), 8, schedule=Schedule(3, 16))
    first = short.learn(PACKED[kept], CLASSES[kept], 4, 5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    again = short.learn(PACKED[kept], CLASSES[kept], 4, 5)
    assert first(PACKED).tobytes() == again(PACKED).tobytes()
    assert first(PACKED).tobytes() != short.learn(PACKED[kept], CLASSES[kept], 4, 6)(PACKED).tobytes()
    assert first(PACKED).tobytes() == short.restore(first.arrays, 4)(PACKED).tobytes()
    assert first(PACKED).shape == (120, 4)
    assert (first(PACKED)[:, 1] == 0).all()
    np.testing.assert_allclose(first(PACKED).sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(first(PACKED)[50], first(PACKED[50:51])[0], atol=1e-6)
    assert first(PACKED[:0]).shape == (0, 4)


def test_files_and_cases_of_another_layout_are_refused() -> None:
    arrays = dict(TRAINED.arrays)
    for wrong, count in (({}, 4), (arrays, 5), (arrays | {"columns": np.array([3])}, 4)):
        with pytest.raises(EnvironmentFault):
            METHOD.restore(wrong, count)
    with pytest.raises(UsageError, match="pack"):
        METHOD.learn(np.zeros((4, 5)), np.zeros(4, np.intp), 2, 0)
    with pytest.raises(UsageError, match="learned was"):
        TRAINED(pack(PHOTOS, METADATA[:, :1]))


def unfit(photos: list[tuple[int, ...]], metadata: NDArray[np.float64]) -> Inputs:
    return pack([np.zeros(shape, np.float32) for shape in photos], metadata)


def test_cases_that_cannot_be_packed_are_refused() -> None:
    metadata = np.zeros((2, 1))
    for shapes, match in (([(1, 4), (0, 4)], "case 1 has 0 photos"), ([(7, 4), (1, 4)], "case 0 has 7 photos")):
        with pytest.raises(UsageError, match=match):
            unfit(shapes, metadata)
    with pytest.raises(UsageError, match="photos of case 1"):
        unfit([(1, 4), (1, 3)], metadata)
    with pytest.raises(UsageError, match="1 ancestries of 2 cases"):
        pack([np.zeros((1, 4), np.float32)] * 2, metadata, ["asian"])
    for metadata in (np.zeros((3, 1)), np.zeros(2), np.array([[0.0], [np.nan]])):
        with pytest.raises(UsageError, match="metadata of shape"):
            unfit([(1, 4), (1, 4)], metadata)
    hidden = PACKED.copy()
    hidden["shown"][3] = False
    with pytest.raises(UsageError, match="case 3 shows no photo"):
        TRAINED(hidden)


def case(**fields: object) -> Case:
    return Case("1.png", Path("1.png"), "s1", **fields)  # type: ignore[arg-type]


def test_what_is_missing_is_said_and_never_zero() -> None:
    person = case(sex="male", age=25.0, present=("HP:2",), absent=("HP:1",))
    words = Vocabulary.of([person, case()])
    assert words.columns == (
        *("age", "age unknown", "female", "male", "sex unknown"),
        *("HP:1 present", "HP:1 not assessed", "HP:2 present", "HP:2 not assessed"),
    )
    others = [person, case(), case(age=0.0, sex="female", present=("HP:9",)), case(age=130.0)]
    assert words.encode(others).tolist() == [
        [0.25, 0, 0, 1, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0, 1, 0, 1],
        [0, 0, 1, 0, 0, 0, 1, 0, 1],
        [1, 0, 0, 0, 1, 0, 1, 0, 1],
    ]
    assert Vocabulary.of([]).encode([case()]).shape == (1, 5)
    assert [words.columns[item[-1]] for item in ITEMS] == ["age unknown", "sex unknown"]


def told(case_of: Callable[[int], dict[str, object]], people: int = 60) -> Inputs:
    """People who all have the same photograph, and are told apart by what is known of them at most."""
    cases = [case(**case_of(number)) for number in range(people)]
    metadata = Vocabulary(()).encode(cases)
    return pack([np.ones((1, 5), np.float32)] * people, metadata, [entry.ancestry for entry in cases])


ATTRIBUTES = {
    "age": lambda label: {"age": 5.0 + 60 * label},
    "sex": lambda label: {"sex": ("female", "male")[label]},
    "ancestry": lambda label: {"ancestry": ("Asian", " african")[label]},
}


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_age_sex_and_ancestry_are_seen_and_may_be_unknown(attribute: str) -> None:
    """Where a class has an attribute of its own, the attribute tells it, and nothing but chance does without."""
    classes = (np.arange(60) % 2).astype(np.intp)
    inputs = told(lambda number: ATTRIBUTES[attribute](number % 2))
    trained = PhotoSet(Light(4), 8, schedule=Schedule(60, 16, "adamw", 1e-2), items=ITEMS).learn(inputs, classes, 2, 0)
    assert (trained(inputs).argmax(axis=1) == classes).all()
    assert trained(inputs).max(axis=1).min() > 0.55
    nothing = trained(told(lambda _: {}, 1))
    np.testing.assert_allclose(nothing, 0.5, atol=0.15)
    with torch.no_grad():
        scores = trained.logits(torch.ones(1, 5)).double().softmax(dim=1).numpy()
    np.testing.assert_allclose(scores, nothing, atol=1e-6)
    arrays = trained.arrays
    restored = PhotoSet(Light(4), 8, items=ITEMS).restore(arrays, 2)
    assert restored(inputs).tobytes() == trained(inputs).tobytes()


def test_an_ancestry_of_few_people_or_of_none_that_was_learned_is_another() -> None:
    stated = ["Asian"] * 30 + ["african "] * 26 + ["Inuit"] * (FEWEST - 1)
    inputs = told(lambda number: {"ancestry": stated[number]})
    assert ancestries(inputs["ancestry"]) == ("african", "asian")
    classes = np.array([label != "Asian" for label in stated], np.intp)
    method = PhotoSet(Light(4), 8, schedule=Schedule(40, 16, "adamw", 1e-2), items=ITEMS)
    trained = method.learn(inputs, classes, 2, 0)
    assert b"inuit" not in bytes(trained.arrays["groups"])
    rare, unheard = (trained(told(lambda _, name=name: {"ancestry": name}, 1)) for name in ("inuit", "sami"))
    assert rare.tobytes() == unheard.tobytes()
    frequent = inputs[:56]
    without = method.learn(frequent, classes[:56], 2, 0)
    weight = without.arrays["network.metadata.0.weight"]
    assert (weight[:, -2] == 0).all(), "what nobody has whom it learned from counts for nothing"
    assert (weight[:, -1] != 0).any(), "unknown is made in training"


def test_what_is_known_of_a_person_is_of_the_first_photograph_that_tells_it() -> None:
    result = known_of([case(sex="male"), case(age=7.0, ancestry="asian"), case(sex="female", age=9.0)])
    assert (result.sex, result.age, result.ancestry) == ("male", 7.0, "asian")
