"""The codebook: public, at most M codes, and its bits where syndromes differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from ganonym.faces.shape import ShapeModel
from ganonym.privacy.codebook import Codebook, make_codebook
from ganonym.privacy.population import (
    LANDMARK_NOISE,
    generator,
    population_draw,
    separating,
    sign_axes,
    virtual_patients,
)

from .small_space import SD, SPACE, SYNDROMES, small_space

PUBLIC = virtual_patients(SPACE, SYNDROMES)
COVARIANCE = np.diag(SD**2)


@pytest.fixture(scope="module")
def book() -> Codebook:
    return make_codebook(PUBLIC, 16)


def test_it_is_a_function_of_public_things_and_the_seed(book: Codebook) -> None:
    again = make_codebook(virtual_patients(small_space(), SYNDROMES.copy()), 16)
    assert again.centres.tobytes() == book.centres.tobytes()
    assert all(np.array_equal(a, b) for a, b in zip(again.members, book.members, strict=True))
    assert make_codebook(PUBLIC, 16, seed=1).centres.tobytes() != book.centres.tobytes()
    other = virtual_patients(SPACE, SYNDROMES, seed=1)
    assert other.rows.tobytes() != PUBLIC.rows.tobytes()


def test_virtual_patients_are_a_mixture_of_the_healthy_and_each_syndrome() -> None:
    share = (PUBLIC.rows[:, 1] - SPACE.mean[1] > 4).mean()
    assert share == pytest.approx(1 / 3, abs=0.03)
    assert PUBLIC.rows[:, 0].std() == pytest.approx(SD[0], rel=0.03)
    assert PUBLIC.places[:, 1:].std(axis=0).min() > 1.5, "two syndromes four SD away"


def test_the_projection_is_fishers() -> None:
    """With unit covariance, scikit-learn's discriminant analysis spans the same directions."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 6)) * 3
    classes = np.repeat(np.arange(4), 20_000)
    rows = means[classes] + rng.standard_normal((len(classes), 6))
    theirs = np.linalg.qr(LinearDiscriminantAnalysis(solver="eigen").fit(rows, classes).scalings_[:, :3])[0]
    ours = separating(means)
    assert ours.T @ ours == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.svd(ours.T @ theirs)[1] == pytest.approx(np.ones(3), abs=0.01)


def test_one_syndrome_is_seen_by_fishers_rule_with_the_error_of_landmarks(model: ShapeModel) -> None:
    """w = Σ⁻¹ δ, scaled so that what a detector sees of the population has SD 1 along it; of coefficients in SD."""
    moved = np.zeros(20)
    moved[[0, 1, 7, 19]] = [0.02, -0.03, 0.003, 0.001]
    variance = model.identity_sd**2 + LANDMARK_NOISE**2
    fisher = moved / variance
    fisher /= np.sqrt(fisher**2 @ variance)
    axes = sign_axes(model, (moved @ model.identity_basis).reshape(1, 68, 2))
    assert axes.shape == (1, 20)
    seen = axes[0] / model.identity_sd
    assert seen * np.sign(seen[0]) == pytest.approx(fisher * np.sign(fisher[0]), rel=1e-6)


def test_places_are_tone_age_and_sex_then_signs_as_far_as_they_are_kept() -> None:
    assert PUBLIC.projection.shape == (6, 3)
    np.testing.assert_array_equal(PUBLIC.projection[:, 0], SPACE.axes[2])
    np.testing.assert_array_equal(PUBLIC.projection[:, 1:].T, SPACE.axes[:2])
    np.testing.assert_allclose(PUBLIC.places[7], PUBLIC.place(PUBLIC.rows[7]), atol=1e-9)


def test_the_code_is_the_nearest_centre_where_syndromes_differ(book: Codebook) -> None:
    for identity in np.random.default_rng(2).uniform(-20, 20, (200, 6)):
        gaps = np.linalg.norm(book.centres - (identity - SPACE.mean) @ PUBLIC.projection, axis=1)
        assert gaps[book.code(identity)] == pytest.approx(gaps.min())


@pytest.mark.parametrize("codes", [1, 5, 64])
def test_at_most_so_many_codes_and_every_virtual_patient_has_its_own(codes: int) -> None:
    book = make_codebook(PUBLIC, codes)
    assert 1 <= len(book.centres) == len(book.members) <= codes
    assert sorted(np.concatenate(book.members).tolist()) == list(range(len(PUBLIC.rows)))
    for code, rows in enumerate(book.members):
        assert {book.code(PUBLIC.rows[row]) for row in rows[:30]} == {code}


def test_what_is_drawn_depends_on_the_code_alone(book: Codebook) -> None:
    people = SPACE.mean + population_draw(generator(3, "people"), COVARIANCE, 400)
    codes = [book.code(person) for person in people]
    for code in set(codes):
        mates = [person for person, own in zip(people, codes, strict=True) if own == code]
        shown = {book.draw(book.code(person), generator(7, "x")).tobytes() for person in mates}
        assert len(shown) == 1
    drawn = np.array([book.draw(0, generator(seed, "y")) for seed in range(1500)])
    for column, own in zip(drawn.T, PUBLIC.rows[book.members[0]].T, strict=True):
        assert ks_2samp(column, own).pvalue > 1e-3
    assert book.middle(0) == pytest.approx(drawn.mean(axis=0), abs=0.3)


def test_few_codes_keep_syndromes_and_not_people() -> None:
    """Four bits: syndromes survive, the rest of a person is drawn anew; codes blind to syndromes keep neither."""
    rng = generator(5, "patients")
    syndrome = rng.integers(3, size=1200)
    people = SPACE.mean + population_draw(rng, COVARIANCE, 1200)
    people += np.concatenate([np.zeros((1, 6)), SYNDROMES])[syndrome]
    blind = virtual_patients(small_space({"sign 1": 0}), np.array([[6.0, 0, 0, 0, 0, 0]]))
    kept = {}
    for name, public in (("aware", PUBLIC), ("blind", blind)):
        book = make_codebook(public, 16)
        shown = np.array([book.draw(book.code(person), rng) for person in people])
        kept[name] = [np.corrcoef(a, b)[0, 1] for a, b in zip(people.T, shown.T, strict=True)]
    assert min(kept["aware"][1], kept["aware"][4]) > 0.75
    assert abs(kept["aware"][0]) < 0.1
    assert max(kept["blind"][1], kept["blind"][4]) < 0.1
