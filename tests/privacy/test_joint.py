"""Joint k-same: what is shown is a function of the group and public noise, and it is as spread as people are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.faces import kept
from ganonym.faces.kept import KeptSpace
from ganonym.privacy.joint import Joint, joint_by_subject, joint_k_same, noise_factor, shown
from ganonym.types import Floats

from .drawn_rows import WIDTH, kept_space

SPACE = kept_space()
K = 7


def people(count: int, photos: int = 1, seed: int = 0, space: KeptSpace = SPACE) -> tuple[Floats, list[str]]:
    rng = np.random.default_rng(seed)
    person = rng.multivariate_normal(space.mean, space.covariance, count)
    owners = np.repeat(np.arange(count), photos)
    noise = rng.multivariate_normal(np.zeros(len(space.mean)), space.covariance, len(owners))
    return person[owners] + 0.4 * noise, [f"s{owner}" for owner in owners]


def outputs(joint: Joint, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.array([shown(joint, photo, rng) for photo in range(len(joint.group))])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(2, 6), st.integers(1, 3))
def test_the_order_of_photos_changes_not_one_bit(seed: int, k: int, photos: int) -> None:
    rows, owners = people(14, photos, seed)
    rows[3] = rows[0]  # one picture twice, of two people where they have one photo each
    order = np.random.default_rng(seed).permutation(len(rows))
    joint = joint_k_same(rows, owners, None, SPACE, k)
    other = joint_k_same(rows[order], [owners[photo] for photo in order], None, SPACE, k)
    for name in ("middle", "sizes", "bounds", "noise", "gains"):
        assert getattr(joint, name).tobytes() == getattr(other, name).tobytes()
    assert joint.people == other.people
    pairs = {(rows[order[i]].tobytes(), owners[order[i]], group) for i, group in enumerate(other.group.tolist())}
    assert pairs == {(rows[i].tobytes(), owners[i], group) for i, group in enumerate(joint.group.tolist())}


def test_what_a_group_shows_is_its_mean_but_for_the_stretch() -> None:
    rows, owners = people(60, 2)
    joint = joint_k_same(rows, owners, None, SPACE, K)
    means = np.array([rows[joint.group == number].mean(axis=0) for number in range(len(joint.middle))])
    centre = rows.mean(axis=0)
    before, after = (means - centre) @ SPACE.axes.T, (joint.middle - centre) @ SPACE.axes.T
    assert np.allclose(after, before * joint.gains)
    left = joint.middle - means
    residual = left - left @ np.linalg.pinv(SPACE.pull.T) @ SPACE.pull.T
    assert np.abs(residual).max() < 1e-9  # moved along the population's regression, nowhere else
    assert joint.people[0] == tuple(sorted({owners[photo] for photo in np.flatnonzero(joint.group == 0)}))


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.6, 9.0])
def test_kept_axes_get_the_spread_of_the_cohort_but_never_more_than_the_populations(scale: float) -> None:
    rows, owners = people(150)
    rows = SPACE.mean + scale * (rows - SPACE.mean)
    joint = joint_k_same(rows, owners, None, SPACE, K)
    after = ((outputs(joint, 0) - SPACE.mean) @ SPACE.axes.T).std(axis=0)
    means = np.array([rows[joint.group == number].mean(axis=0) for number in joint.group])
    cohort, squeezed = (rows @ SPACE.axes.T).std(axis=0), (means @ SPACE.axes.T).std(axis=0)
    assert np.allclose(after, np.maximum(squeezed, np.minimum(cohort, 1.0)))  # what is wider already is not squeezed
    assert joint.gains.max() < 3
    assert (after > squeezed + 0.01).any() == (scale < 1)


def test_a_mean_that_says_little_of_its_members_is_not_stretched_as_if_it_did() -> None:
    rng = np.random.default_rng(2)
    rows = rng.multivariate_normal(SPACE.mean, SPACE.covariance, 40)
    coordinates = SPACE.coordinates(rows)
    half = np.arange(40) % 2 == 0
    gap = coordinates[half].mean(axis=0) - coordinates[~half].mean(axis=0)
    rows[half] -= 0.99 * SPACE.pull @ gap  # two groups that hardly differ on any axis
    joint = joint_k_same(rows, [f"s{i}" for i in range(40)], ["even" if even else "odd" for even in half], SPACE, 20)
    assert len(joint.middle) == 2
    assert np.allclose(joint.gains, 3.0)
    assert np.abs(SPACE.coordinates(joint.middle) - coordinates.mean(axis=0)).max() < 1.0


def test_stretched_groups_are_no_stranger_than_people() -> None:
    space = kept.kept_space()
    rng = np.random.default_rng(1)
    rows = rng.multivariate_normal(space.mean, space.covariance, 200)
    joint = joint_k_same(rows, [f"s{i}" for i in range(200)], None, space, 20)
    whole = np.linalg.inv(space.axes @ space.covariance @ space.axes.T)
    own, after = space.coordinates(rows), space.coordinates(joint.middle)[joint.group]
    distance = np.einsum("ni,ij,nj->n", after, whole, after)  # Mahalanobis's, squared
    assert joint.gains.max() > 1.5
    assert distance.mean() < np.einsum("ni,ij,nj->n", own, whole, own).mean()
    assert distance.max() < 2 * len(space.names)


def test_noise_has_nothing_on_kept_axes_and_is_the_conditional_covariance_of_a_gaussian() -> None:
    for space in (SPACE, kept.kept_space()):
        factor = noise_factor(space.covariance, space)
        assert np.abs(space.axes @ factor).max() < 1e-12
        floor = 1e-6 * np.eye(len(space.mean))
        # Another formula: in coordinates that begin with the kept ones, the inverse of a block of the inverse.
        rest = np.linalg.svd(space.axes)[2][len(space.axes) :]
        basis = np.concatenate([space.axes, rest])
        precision = np.linalg.inv(basis @ (space.covariance + floor) @ basis.T)
        block = np.linalg.inv(precision[len(space.axes) :, len(space.axes) :])
        assert np.allclose(rest @ factor @ factor.T @ rest.T, block, atol=1e-4)


def test_outputs_are_spread_beyond_the_kept_axes_as_told() -> None:
    rows, owners = people(300)
    joint = joint_k_same(rows, owners, None, SPACE, K)
    drawn = np.concatenate([outputs(joint, seed) - joint.middle[joint.group] for seed in range(12)])
    expected = 0.64 * joint.noise @ joint.noise.T * 0.969  # what a clip at 2.5 SD leaves of a normal variance
    assert np.allclose(np.cov(drawn.T), expected, atol=0.06)


def test_no_draw_is_farther_out_than_two_and_a_half_deviations() -> None:
    rows, owners = people(40)
    joint = joint_k_same(rows, owners, None, SPACE, K)
    drawn = np.concatenate([outputs(joint, seed) - joint.middle[joint.group] for seed in range(5)])
    values, directions = np.linalg.eigh(joint.noise @ joint.noise.T)
    seen = values > 1e-9
    scores = np.abs(drawn @ directions[:, seen] / np.sqrt(values[seen]))
    assert scores.max() == pytest.approx(0.8 * 2.5, rel=1e-3)


def test_noise_leaves_out_what_the_groups_show_already() -> None:
    rows, owners = people(90)
    joint = joint_k_same(SPACE.mean + 3 * (rows - SPACE.mean), owners, None, SPACE, 3)
    told = np.cov(joint.middle[joint.group].T, bias=True)
    expected = noise_factor(SPACE.covariance - told, SPACE)
    assert np.allclose(joint.noise @ joint.noise.T, expected @ expected.T)
    assert np.trace(expected @ expected.T) < 0.7 * np.sum(noise_factor(SPACE.covariance, SPACE) ** 2)


def test_exchanging_which_member_is_which_changes_nothing() -> None:
    rows, owners = people(40)
    joint = joint_k_same(rows, owners, None, SPACE, K)
    i, j = np.flatnonzero(joint.group == 1)[:2]
    rows[[i, j]] = rows[[j, i]]
    swapped = joint_k_same(rows, owners, None, SPACE, K)
    assert outputs(joint, 4).tobytes() == outputs(swapped, 4).tobytes()


def test_the_informed_attacker_names_no_more_than_one_in_k_and_a_leak_is_seen() -> None:
    rows, owners = people(210, 2, space=SPACE)
    joint = joint_k_same(rows, owners, None, SPACE, K)
    draws = 10
    honest = [informed(rows, joint, outputs(joint, seed)) for seed in range(draws)]
    bound = float(joint.bounds[joint.group].mean())
    error = np.sqrt(bound / (len(rows) * draws))
    assert bound <= 1 / K
    assert abs(np.mean(honest) - bound) < 3.5 * error  # the group is read for certain, and then he has to guess
    leaky = informed(rows, joint, 0.8 * outputs(joint, 0) + 0.2 * rows)
    assert leaky > 3 * bound


def informed(rows: Floats, joint: Joint, released: Floats) -> float:
    """Share of photos that an attacker names who holds all rows and reruns the mechanism.

    He reads the group on the kept axes; then names the member whose deviation from the group is most like that of the
    output from what the group shows, noise made even.
    """
    seen, known = SPACE.coordinates(released), SPACE.coordinates(joint.middle)
    even = np.linalg.pinv(joint.noise, rcond=1e-6)
    hits = 0
    for photo, point in enumerate(seen):
        number = int(np.argmin(((known - point) ** 2).sum(axis=1)))
        members = np.flatnonzero(joint.group == number)
        deviation = (rows[members] - rows[members].mean(axis=0)) @ even.T
        likeness = deviation @ (even @ (released[photo] - joint.middle[number])) / np.linalg.norm(deviation, axis=1)
        hits += int(members[np.argmax(likeness)] == photo)
    return hits / len(rows)


def test_by_subject_all_photos_have_the_group_of_their_person_and_expression_is_not_kept() -> None:
    named = replace(SPACE, names=("sign 1", "sign 2", "sign 3", "tone", "expression 1", "expression 2"))
    rows, owners = people(30, 3)
    joint = joint_by_subject(rows, owners, None, named, 5)
    means = np.array([rows[np.array(owners) == f"s{person}"].mean(axis=0) for person in range(30)])
    alone = joint_k_same(means, [f"s{person}" for person in range(30)], None, named.without("expression"), 5)
    assert joint.group.tolist() == np.repeat(alone.group, 3).tolist()
    assert np.allclose(joint.middle, alone.middle)
    assert len(joint.gains) == 4
    assert np.abs(named.axes[:4] @ joint.noise).max() < 1e-12 < np.abs(named.axes[4:] @ joint.noise).max()
    assert joint.sizes.min() >= 5
    with pytest.raises(UsageError, match="'s0' has several labels: a, b"):
        joint_by_subject(rows, owners, ["a"] * 2 + ["b"] * 88, named, 5)


def test_rows_that_fit_nothing_are_refused() -> None:
    rows, owners = people(10)
    with pytest.raises(UsageError, match=f"do not fit a kept space of {WIDTH}"):
        joint_k_same(rows[:, :5], owners, None, SPACE, 2)
    with pytest.raises(UsageError, match="not equally many"):
        joint_k_same(rows, owners[:-1], None, SPACE, 2)
    with pytest.raises(UsageError, match="10 people are too few for k = 11"):
        joint_k_same(rows, owners, None, SPACE, 11)
    with pytest.raises(UsageError, match="not finite"):
        joint_k_same(np.where(rows == rows[0], np.inf, rows), owners, None, SPACE, 2)
