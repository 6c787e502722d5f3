"""k-Same means, and the law of re-dispersion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from ganonym.privacy.ksame import GroupMean, disperse, exact_mean, k_same
from ganonym.privacy.population import generator
from ganonym.types import Floats, Refusal

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


def test_dispersion_is_a_draw_from_the_public_covariance() -> None:
    sd = np.array([3.0, 1.0, 0.2])
    group = GroupMean(np.array([5.0, -1.0, 0.0]), 4, 0)
    rng = np.random.default_rng(2)
    noise = np.array([disperse(group, sd, rng) for _ in range(20_000)]) - group.mean
    correlation = np.corrcoef(noise.T)
    assert np.allclose(noise.var(axis=0) / sd**2, 1 - 1 / 4, rtol=0.03)
    assert np.abs(noise.mean(axis=0) / sd).max() < 0.03
    assert np.abs(correlation - np.eye(3)).max() < 0.03
    assert np.abs(noise / sd).max() < 2.63 * np.sqrt(1 - 1 / 4)  # truncation: no caricatures


def test_redispersed_covariance_is_the_population_covariance() -> None:
    """Random groups (not MDAV) of Gaussian people: mean + draw has exactly the population's covariance."""
    rng = np.random.default_rng(3)
    sd = np.array([2.0, 1.0, 0.5])
    people = rng.normal(size=(4000, 5, 3)) * sd
    out = np.array([disperse(GroupMean(group.mean(axis=0), 5, 0), sd, rng) for group in people])
    lost = people.mean(axis=1).var(axis=0) / sd**2
    assert np.allclose(lost, 0.2, rtol=0.1)
    assert np.allclose(np.cov((out / sd).T), np.eye(3), atol=0.06)


def test_mdav_groups_stay_near_the_population_covariance() -> None:
    rng = np.random.default_rng(4)
    people = rng.normal(size=(660, 40))
    shares = k_same(people, None, K, np.ones(40))
    out = np.array([disperse(share, np.ones(40), rng) for share in shares if isinstance(share, GroupMean)])
    assert 1.0 < out.var(axis=0).mean() < 1.15  # similar people's means keep a little more than 1/k
    assert np.linalg.norm(np.cov(out.T) - np.eye(40)) < 2 * np.linalg.norm(np.cov(people.T) - np.eye(40))


def test_draw_does_not_depend_on_the_subject() -> None:
    """Same seed, other people: the same draw. Other seeds: no correlation with the shape of the subject."""
    sd = np.ones(6)
    a, b = GroupMean(np.zeros(6), K, 0), GroupMean(np.full(6, 8.0), K, 3)
    same = disperse(b, sd, generator(7, "x")) - disperse(a, sd, generator(7, "x"))
    np.testing.assert_allclose(same, 8.0, atol=1e-12)
    n = 3000
    people = np.random.default_rng(5).normal(size=(n, 6))
    draws = np.array([disperse(a, sd, generator(seed, "x")) for seed in range(n)])
    correlation = (people - people.mean(0)).T @ (draws - draws.mean(0)) / n / people.std(0)[:, None] / draws.std(0)
    assert chi2.sf(n * np.sum(correlation**2), 36) > 0.001  # under independence n·Σr² ~ χ²(36)
    assert not np.array_equal(disperse(a, sd, generator(7, "x")), disperse(a, sd, generator(7, "y")))


def audit(people: Floats, outputs: Floats, owners: np.ndarray, centres: Floats) -> tuple[float, float]:
    """Exact 95 % interval of two attackers' better rank-1: nearest original, and nearest known group mean.

    Both hold every original; the second also holds the partition and names a group's most central member.
    """
    nearest = np.argmin(((outputs[:, None] - people[None]) ** 2).sum(-1), axis=1)
    best_group = np.argmin(((outputs[:, None] - centres[None]) ** 2).sum(-1), axis=1)
    spokesmen = {
        tuple(centre): int(np.argmin(((people - centre) ** 2).sum(-1))) for centre in np.unique(centres, axis=0)
    }
    informed = np.array([spokesmen[tuple(centres[i])] for i in best_group])
    hits = max(int((nearest == owners).sum()), int((informed == owners).sum()))
    interval = binomtest(hits, len(owners)).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


@pytest.mark.parametrize("kind", ["plain", "redispersed", "leaky", "exact"])
def test_one_in_k_audit(kind: str) -> None:
    """The 1/k bound holds for plain and re-dispersed means, and the same audit catches two planted leaks."""
    rng = np.random.default_rng(6)
    people = rng.normal(size=(165, 40))
    sd = np.ones(40)
    shares = [share for share in k_same(people, None, K, sd) if isinstance(share, GroupMean)]
    centres = np.array([share.mean for share in shares])
    outputs, owners = [], []
    for _ in range(12):
        for i, share in enumerate(shares):
            out = {
                "plain": lambda share=share: share.mean,
                "redispersed": lambda share=share: disperse(share, sd, rng),
                "leaky": lambda i=i, share=share: disperse(share, sd, rng) + 0.4 * (people[i] - share.mean),
                "exact": lambda i=i: people[i],
            }[kind]()
            outputs.append(out)
            owners.append(i)
    low, high = audit(people, np.array(outputs), np.array(owners), centres)
    if kind == "exact":
        assert low > 0.99
    elif kind == "leaky":
        assert low > 1 / K  # the audit falsifies
    else:
        assert low <= 1 / K
        assert high < 0.12
