"""Plain k-same: members of a group share its exact mean."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.privacy.ksame import GroupMean, exact_mean, k_same
from ganonym.types import Refusal

K = 11


@given(st.integers(2, 6), st.integers(0, 50), st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_members_share_the_mean_of_their_group(k: int, more: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(k + more, 3))
    sd = np.linspace(0.5, 2.0, rows.shape[1])
    shares = k_same(rows, None, k, sd)
    for share in shares:
        assert isinstance(share, GroupMean)
        members = [i for i, other in enumerate(shares) if isinstance(other, GroupMean) and other.group == share.group]
        assert len(members) == share.size >= k
        np.testing.assert_allclose(share.mean, rows[members].mean(axis=0), atol=1e-12)
        assert all(np.array_equal(share.mean, shares[i].mean) for i in members)  # type: ignore[union-attr]


def test_whitening_decides_the_groups() -> None:
    rows = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 1.0], [10.0, 1.0]])
    by_scale = [share.group for share in k_same(rows, None, 2, np.array([100.0, 0.1]))]  # type: ignore[union-attr]
    by_raw = [share.group for share in k_same(rows, None, 2, np.ones(2))]  # type: ignore[union-attr]
    assert by_scale == [0, 0, 1, 1]
    assert by_raw == [0, 1, 0, 1]


def test_groups_never_mix_labels_and_small_labels_are_withheld() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    labels = ["a"] * 17 + [None] * 12 + ["b"] * 10 + ["a"] * 1
    shares = k_same(rows, labels, K, np.ones(3))
    by_group: dict[int, set[str | None]] = {}
    for share, label in zip(shares, labels, strict=True):
        if label == "b":
            assert isinstance(share, Refusal)
            assert share.reason == "small-class"
            assert "only 10 subjects" in share.detail
        else:
            assert isinstance(share, GroupMean)
            by_group.setdefault(share.group, set()).add(label)
    assert sorted(map(str, by_group.values())) == ["{'a'}", "{None}"]


def test_mean_is_the_same_to_the_last_bit_in_any_order() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(11, 40)) * 10.0 ** rng.integers(-8, 8, size=(11, 40))
    orders = [rng.permutation(11) for _ in range(50)]
    assert {exact_mean(rows[order]).tobytes() for order in orders} == {exact_mean(rows).tobytes()}
    assert len({rows[order].sum(axis=0).tobytes() for order in orders}) > 1  # an ordinary sum does tell the order
