"""Thresholds come from people whom the scoring model has not seen, and from the training set only."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from ganonym.classify.screening import threshold
from ganonym.classify.screening.threshold import Rule, choose_threshold
from ganonym.classify.systems import screening
from ganonym.errors import UsageError


@dataclasses.dataclass
class Given:
    """A classifier whose score of a photo is its one input, whatever it learned; notes what it learned from."""

    learned: list[set[float]] = dataclasses.field(default_factory=list)

    def learn(self, inputs: NDArray, classes: NDArray, count: int, seed: int) -> Callable:  # noqa: ARG002
        self.learned.append(set(inputs[:, 0]))
        return lambda others: np.concatenate([1 - others, others], axis=1)


class Memory:
    """Knows by heart what it learned, and of others nothing: 1 or 0 for those it knows, the input for the rest."""

    def learn(self, inputs: NDArray, classes: NDArray, count: int, seed: int) -> Callable:  # noqa: ARG002
        labels = dict(zip(inputs[:, 0], classes, strict=True))

        def predict(others: NDArray[np.float64]) -> NDArray[np.float64]:
            scores = np.array([labels.get(entry, entry) for entry in others[:, 0]], float)
            return np.stack([1 - scores, scores], axis=1)

        return predict


def cohort(seed: int, people: int = 60, overlap: float = 1.0) -> tuple[NDArray, NDArray[np.bool_], list[str]]:
    """Two photos a person; scores in 0…1, of positives higher."""
    rng = np.random.default_rng(seed)
    positive = np.repeat(np.arange(people) % 2 == 0, 2)
    scores = 1 / (1 + np.exp(-rng.normal(np.where(positive, 1.0, -1.0), overlap)))
    return scores[:, None], positive, np.repeat(np.arange(people), 2).astype(str).tolist()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_rules_on_known_scores_are_those_of_the_roc_curve(seed: int) -> None:
    inputs, positive, subjects = cohort(seed)
    alarms, hits, _ = roc_curve(positive, inputs[:, 0], drop_intermediate=False)

    def reached(rule: Rule) -> tuple[float, float]:
        called = inputs[:, 0] >= choose_threshold(Given(), inputs, positive, subjects, rule, seed=1)
        return float(called[positive].mean()), float((~called)[~positive].mean())

    sensitivity, specificity = reached(Rule())
    assert sensitivity + specificity == pytest.approx(1 + (hits - alarms).max())
    for target in (0.5, 0.9, 1.0):
        sensitivity, specificity = reached(Rule("sensitivity", target))
        assert sensitivity >= target
        assert specificity == pytest.approx(1 - alarms[hits >= target].min())
        sensitivity, specificity = reached(Rule("specificity", target))
        assert specificity >= target
        assert sensitivity == pytest.approx(hits[1 - alarms >= target].max())


def test_the_threshold_is_halfway_between_neighbouring_scores() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.5, 0.7, 0.8])[:, None]
    positive = np.array([False, False, False, True, True, True])
    people = list("abcdef")
    assert choose_threshold(Given(), scores, positive, people, Rule(), 0, folds=3) == pytest.approx(0.4)
    assert choose_threshold(Given(), scores, positive, people, Rule("sensitivity", 0.0), 0, folds=3) == np.inf
    assert choose_threshold(Given(), scores, positive, people, Rule("specificity", 0.0), 0, folds=3) == 0.0


def test_nobody_is_scored_by_a_model_that_learned_from_them() -> None:
    inputs, positive, subjects = cohort(5)
    model = Given()
    choose_threshold(model, inputs, positive, subjects, Rule(), seed=1, folds=5)
    assert len(model.learned) == 5
    owner = dict(zip(inputs[:, 0], subjects, strict=True))
    for learned in model.learned:
        people = {owner[entry] for entry in learned}
        assert len(learned) == 2 * len(people)  # all photos of a person or none
        assert len(people) == 48
    left = [set(owner.values()) - {owner[entry] for entry in learned} for learned in model.learned]
    assert sorted(name for group in left for name in group) == sorted(set(subjects))
    # In its own training set a memory is perfect and any threshold does; out of fold it is the input again.
    one = choose_threshold(Memory(), inputs, positive, subjects, Rule(), seed=1)
    assert one == choose_threshold(Given(), inputs, positive, subjects, Rule(), seed=2)


def test_equal_seeds_give_equal_thresholds_and_folds_follow_the_seed() -> None:
    inputs, positive, subjects = cohort(6)
    models = [Given(), Given(), Given()]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        choose_threshold(model, inputs, positive, subjects, Rule(), seed)
    assert models[0].learned == models[1].learned
    assert models[0].learned != models[2].learned


def test_nothing_in_the_interface_takes_scores_or_test_photos() -> None:
    """Choosing on the test set is not possible: no rule takes scores, no rating takes a rule or a threshold."""
    own = {
        name
        for name, value in vars(threshold).items()
        if isinstance(value, FunctionType) and value.__module__ == threshold.__name__
    }
    assert {name for name in own if not name.startswith("_")} == {"check_dealt", "choose_threshold"}
    assert not {"scores", "predictor", "screen"} & set(inspect.signature(choose_threshold).parameters)
    assert not {"rule", "threshold"} & set(inspect.signature(screening.assess).parameters)
    inputs, positive, subjects = cohort(7)
    screen = screening.BinaryScreening().learn(inputs, positive, subjects, seed=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        screen.threshold = 0.5  # type: ignore[misc]
    with pytest.raises(AttributeError):  # what was trained cannot be handed in again to look at other photos
        choose_threshold(screen, inputs, positive, subjects, Rule(), seed=0)  # type: ignore[arg-type]


def test_a_threshold_chosen_so_promises_nothing_on_noise() -> None:
    """Youden's index on new people: 0 on average; chosen on those people themselves it would be well above."""
    ours, chosen_there = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inputs, positive = rng.random((40, 1)), np.arange(40) % 2 == 0
        others = rng.random(40)
        limit = choose_threshold(Given(), inputs, positive, [str(n) for n in range(40)], Rule(), seed)
        called = others >= limit
        ours.append(called[positive].mean() - called[~positive].mean())
        alarms, hits, _ = roc_curve(positive, others)
        chosen_there.append((hits - alarms).max())
    assert abs(np.mean(ours)) < 0.06
    assert np.mean(chosen_there) > 0.15


def test_refusals() -> None:
    inputs, positive, subjects = cohort(8, people=8)
    with pytest.raises(UsageError, match="4 positive people cannot be dealt to 5"):
        choose_threshold(Given(), inputs, positive, subjects, Rule(), 0)
    with pytest.raises(UsageError, match="both positive and negative"):
        choose_threshold(Given(), inputs, positive, ["a"] * len(positive), Rule(), 0)
    with pytest.raises(UsageError, match="is no rate"):
        Rule("sensitivity", 1.5)
