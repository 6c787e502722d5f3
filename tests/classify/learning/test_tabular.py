"""The discriminant says what scikit-learn's says, and the same after its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ganonym.classify.learning.tabular import Discriminant, load_reference, save_reference
from ganonym.errors import EnvironmentFault


@pytest.mark.parametrize("labels", [(0, 1), (0, 2, 3), (1, 3)])
@pytest.mark.parametrize("alike", [True, False])
def test_it_is_scikit_learns(labels: tuple[int, ...], alike: bool) -> None:
    rng = np.random.default_rng(1)
    classes = rng.choice(labels, 60, p=np.arange(1, len(labels) + 1) / sum(range(1, len(labels) + 1))).astype(np.intp)
    inputs = rng.normal(size=(60, 7)) + classes[:, None] * 0.4
    asked = rng.normal(size=(20, 7))
    trained = Discriminant(alike).learn(inputs, classes, 5, 0)
    priors = np.full(len(labels), 1 / len(labels)) if alike else None
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors).fit(inputs, classes)
    result = trained(asked)
    assert np.allclose(result[:, list(labels)], oracle.predict_proba(asked), atol=1e-10)
    assert result.sum(axis=1) == pytest.approx(1.0)
    assert not result[:, [number for number in range(5) if number not in labels]].any()
    assert np.array_equal(trained(asked[3:4])[0], result[3])
    again = Discriminant(alike).restore(trained.arrays, 5)
    assert np.array_equal(again(asked), result)
    assert trained(asked[:0]).shape == (0, 5)


def test_a_reference_survives_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    classes = np.arange(40, dtype=np.intp) % 3
    trained = Discriminant().learn(rng.normal(size=(40, 5)) + classes[:, None], classes, 3, 0)
    for name in ("one", "two"):
        save_reference(tmp_path / name, ["PHANTOM-A", "PHANTOM-B", "PHANTOM-C"], trained)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    result = load_reference(tmp_path / "one")
    assert result.names == ("PHANTOM-A", "PHANTOM-B", "PHANTOM-C")
    asked = rng.normal(size=(9, 5))
    assert np.array_equal(result.trained(asked), trained(asked))


def test_foreign_arrays_are_refused() -> None:
    good = {"weights": np.zeros((2, 3)), "bias": np.zeros(2), "known": np.array([0, 2])}
    Discriminant().restore(good, 3)
    for wrong in (
        good | {"known": np.array([0, 3])},
        good | {"known": np.array([2, 0])},
        good | {"bias": np.zeros(3)},
        {"weights": np.zeros((2, 3))},
        good | {"slope": np.zeros(2)},
        {},
    ):
        with pytest.raises(EnvironmentFault):
            Discriminant().restore(wrong, 3)
