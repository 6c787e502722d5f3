"""Grouping against a brute-force MDAV, k-Same means, and the law of re-dispersion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from ganonym.errors import UsageError
from ganonym.privacy.draw import generator
from ganonym.privacy.ksame import GroupMean, disperse, exact_mean, group_subjects, k_same
from ganonym.types import Floats, Refusal

K = 11


def brute_mdav(points: list[tuple[float, ...]], k: int) -> set[frozenset[tuple[float, ...]]]:
    """MDAV as in the paper, in plain Python, on distinct points without ties."""

    def gap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))

    def centre(those: list[tuple[float, ...]]) -> tuple[float, ...]:
        return tuple(sum(axis) / len(those) for axis in zip(*those, strict=True))

    left, groups = list(points), []
    while len(left) >= 2 * k:
        middle = centre(left)
        r = max(left, key=lambda p: gap(p, middle))
        s = max(left, key=lambda p: gap(p, r))
        for seed in [r, s] if len(left) >= 3 * k else [r]:
            near = sorted(left, key=lambda p: gap(p, seed))[:k]
            groups.append(frozenset(near))
            left = [p for p in left if p not in near]
    return {*groups, frozenset(left)}


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[Floats, int]:
    k = draw(st.integers(2, 6))
    n = draw(st.integers(k, 60))
    m = draw(st.integers(1, 5))
    return np.random.default_rng(draw(st.integers(0, 10**6))).normal(size=(n, m)), k


@given(cohorts())
@settings(deadline=None, max_examples=80)
def test_grouping_is_mdav(cohort: tuple[Floats, int]) -> None:
    rows, k = cohort
    groups = group_subjects(rows, k)
    assert sorted(i for group in groups for i in group) == list(range(len(rows)))
    assert all(k <= len(group) < 2 * k for group in groups)
    points = [tuple(row) for row in rows.tolist()]
    assert {frozenset(points[i] for i in group) for group in groups} == brute_mdav(points, k)


@given(cohorts(), st.randoms(use_true_random=False), st.booleans())
@settings(deadline=None, max_examples=60)
def test_partition_ignores_the_order_of_subjects(cohort: tuple[Floats, int], random: object, ties: bool) -> None:
    rows, k = cohort
    rows = np.unique(np.round(rows), axis=0) if ties else rows  # a lattice: distances tie, rows stay distinct
    if len(rows) < k:
        return
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = {frozenset(order[i] for i in group) for group in group_subjects(rows[order], k)}
    assert shuffled == {frozenset(group) for group in group_subjects(rows, k)}


def test_identical_subjects_still_form_groups() -> None:
    assert [len(group) for group in group_subjects(np.zeros((23, 4)), 5)] == [5, 5, 5, 8]


@pytest.mark.parametrize(("n", "k"), [(10, 11), (0, 2), (5, 1)])
def test_too_few_subjects_are_a_usage_error(n: int, k: int) -> None:
    with pytest.raises(UsageError):
        group_subjects(np.zeros((n, 3)), k)


def test_not_finite_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="not finite"):
        group_subjects(np.array([[0.0], [np.nan], [1.0]]), 2)


@given(cohorts())
@settings(deadline=None, max_examples=40)
def test_members_share_the_mean_of_their_group(cohort: tuple[Floats, int]) -> None:
    rows, k = cohort
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
