"""Fisherfaces find what a person keeps under large common variation, learned on other people only."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ganonym.errors import UsageError
from ganonym.evaluate.attack_one import attacks
from ganonym.evaluate.attackers.attacker import Approach, Fixed, Lesson, Sample, Templates, templates, uncorrelated
from ganonym.evaluate.attackers.eigenface import Eigenface, EigenView, Taught
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.scores import Photos
from ganonym.types import Floats, Points

PIXELS = EigenView().width
PLAIN = Fixed("plain", EigenView(), uncorrelated, Approach("T0"))


def standardized(rows: Floats) -> Floats:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return (rows / rows.std(axis=1, keepdims=True)).astype(np.float32)


def faces(rng: np.random.Generator, people: int, own: float, common: float) -> tuple[Floats, tuple[str, ...]]:
    """Two templates a person: own pattern among 20 shared ones, and large variation along 6 directions of light."""
    patterns, light = rng.normal(size=(20, PIXELS)), np.random.default_rng(5).normal(size=(6, PIXELS))
    result = np.repeat(rng.normal(size=(people, 20)) @ patterns, 2, axis=0) * own
    result += rng.normal(size=(2 * people, 6)) @ light * common + rng.normal(size=(2 * people, PIXELS)) * 0.3
    return standardized(result), tuple(f"s{index // 2}" for index in range(2 * people))


def by_setting(
    attacker: Eigenface | Fixed, before: Floats, after: Floats, names: tuple[str, ...]
) -> dict[str, Finding]:
    photos = Photos(before, after, names, np.zeros(len(names), dtype=bool))
    return {attack.finding.setting: attack.finding for attack in attacks(attacker, photos)}


def points() -> Points:
    placed = np.full((68, 2), 80.0)
    placed[36:42], placed[42:48], placed[48:60] = (60, 65), (100, 65), (80, 110)
    return placed


def test_people_are_found_under_light_that_hides_them_from_plain_correlation() -> None:
    before, names = faces(np.random.default_rng(1), 50, own=0.2, common=1.0)
    assert by_setting(PLAIN, before, before, names)[OTHER_PHOTO].rank1.value < 0.4
    result = by_setting(Eigenface("originals"), before, before, names)
    assert result[OTHER_PHOTO].rank1.value > 0.95
    assert result[SAME_PHOTO].rank1.value == 1.0


def test_unrelated_pictures_are_at_chance() -> None:
    before, names = faces(np.random.default_rng(2), 50, own=0.2, common=1.0)
    after = standardized(np.random.default_rng(3).normal(size=before.shape))
    for attacker in (Eigenface(), Eigenface("originals"), Eigenface("both")):
        for outcome in by_setting(attacker, before, after, names).values():
            assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high


def test_the_informed_attacker_learns_what_the_anonymizer_varies() -> None:
    """A pattern of large random size upon every output hides people from all who have seen no output."""
    rng = np.random.default_rng(4)
    before, names = faces(rng, 50, own=0.5, common=0.0)
    noise = rng.normal(size=(8, PIXELS))
    after = standardized(before + rng.normal(size=(len(before), 8)) @ noise * 2.0)
    naive = by_setting(Eigenface("originals"), before, after, names)[ANONYMIZED].rank1.value
    informed = by_setting(Eigenface(), before, after, names)[ANONYMIZED].rank1.value
    assert informed > 0.9
    assert naive < informed - 0.3


def test_pairs_teach_what_outlasts_the_anonymizer() -> None:
    """Half of what tells people apart is exchanged on every output, so only the other half finds originals."""
    rng = np.random.default_rng(10)
    kept, names = faces(rng, 50, own=0.25, common=0.0)
    lost = faces(rng, 50, own=1.0, common=0.0)[0]
    others = np.repeat(rng.permutation(lost[::2]), 2, axis=0)
    before, after = standardized(kept + 2 * lost), standardized(kept + 2 * others)
    results = {
        taught: by_setting(Eigenface(taught), before, after, names)[OTHER_PHOTO].rank1.value
        for taught in get_args(Taught)
    }
    assert results["both"] > 0.9
    assert max(results["released"], results["originals"]) < results["both"] - 0.3
    single, released = before[::2], after[::2]
    (outcome,) = by_setting(Eigenface("both"), single, released, names[::2]).values()
    assert outcome.rank1.value > 0.9


def test_distances_are_sklearns_discriminant_space() -> None:
    """With no shrinkage to speak of, the chain PCA → LDA → cosine of scikit-learn orders all pairs alike."""
    rows, names = faces(np.random.default_rng(6), 40, own=0.3, common=1.0)
    matcher = Eigenface("originals").learn(Lesson(rows, rows, names))
    distances = matcher(Templates(rows, False), Templates(rows, False))
    pca = PCA(79, svd_solver="full").fit(rows.astype(float))
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.05).fit(pca.transform(rows.astype(float)), names)
    other = lda.transform(pca.transform(rows.astype(float)))
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    assert np.corrcoef(distances.ravel(), (1 - other @ other.T).ravel())[0, 1] > 0.95
    assert np.diag(distances) == pytest.approx(0.0, abs=1e-9)


def test_the_template_is_the_aligned_face_without_its_light() -> None:
    rng = np.random.default_rng(7)
    rgb = np.repeat(np.repeat(rng.integers(40, 120, (16, 16, 3), dtype=np.uint8), 10, axis=0), 10, axis=1)
    turned = Sample(np.ascontiguousarray(np.rot90(rgb)), np.column_stack([points()[:, 1], 159 - points()[:, 0]]))
    rows = templates(
        EigenView(),
        [Sample(rgb, points()), turned, Sample(rgb * 2, None, oracle=points()), Sample(rgb, None), flat()],
    )
    assert rows.dtype == np.float32
    assert np.corrcoef(rows[0], rows[1])[0, 1] > 0.99
    assert np.corrcoef(rows[0], rows[2])[0, 1] > 0.99
    assert np.isnan(rows[3]).all()
    assert not rows[4].any()


def flat() -> Sample:
    return Sample(np.full((160, 160, 3), 9, np.uint8), points())


def test_missing_faces_stay_missing_and_flat_ones_tie() -> None:
    rows, names = faces(np.random.default_rng(8), 10, own=0.3, common=1.0)
    after = rows.copy()
    after[1] = np.nan
    after[2] = 0.0
    distances = Eigenface().learn(Lesson(rows, after, names))(Templates(after, True), Templates(rows, False))
    assert np.isnan(distances[1]).all()
    assert (distances[2] == 1.0).all()
    assert np.isfinite(np.delete(distances, 1, axis=0)).all()


def test_too_few_people_are_an_error() -> None:
    rows, names = faces(np.random.default_rng(9), 8, own=0.3, common=1.0)
    missing = np.full_like(rows, np.nan)
    missing[: 2 * 4] = rows[: 2 * 4]
    with pytest.raises(UsageError, match="two photos of 5 other people, it got 4"):
        Eigenface().learn(Lesson(rows, missing, names))
    Eigenface("originals").learn(Lesson(rows, missing, names))


@pytest.mark.parametrize("taught", get_args(Taught))
def test_pictures_all_alike_are_chance_and_one_picture_a_person_is_found(taught: Taught) -> None:
    """Black bars for everyone, and the same donor on all photos of a person: nothing varies as learning expects."""
    before, names = faces(np.random.default_rng(11), 40, own=0.3, common=0.5)
    for same in (np.zeros_like(before), np.repeat(before[:1], len(before), axis=0)):
        outcome = by_setting(Eigenface(taught), before, same, names)[ANONYMIZED]
        assert outcome.rank1.value == pytest.approx(outcome.chance)
    donors = np.repeat(faces(np.random.default_rng(12), 40, own=1.0, common=0.0)[0][::2], 2, axis=0)
    assert by_setting(Eigenface(taught), before, donors, names)[ANONYMIZED].rank1.value == 1.0
    assert by_setting(Eigenface(taught), donors, donors, names)[OTHER_PHOTO].rank1.value == 1.0
