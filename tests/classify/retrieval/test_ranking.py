"""Views, distances and rankings against libraries, the published procedure in a loop, and invariants."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise

from ganonym.classify.retrieval.encode import VARIANTS, Variant, seen
from ganonym.classify.retrieval.ranking import (
    Encodings,
    Search,
    by_disorder,
    by_fused_vectors,
    by_image,
    by_patient,
    by_patient_and_disorder,
    cosine_distances,
    ensemble_distances,
    fused,
    mean_case,
    nearest_case,
)
from ganonym.errors import UsageError

SIZES = (5, 3, 7)  # three encoders of different length


def vectors(seed: int, photos: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(photos, size)) * rng.uniform(0.1, 9, (photos, 1)) for size in SIZES)


def published_ranking(distances: np.ndarray, disorders: np.ndarray) -> list[list[int]]:
    """Sort the gallery, keep each disorder's first hit."""
    lists = []
    for row in distances:
        results: list[int] = []
        for index in np.argsort(row, kind="stable"):
            if disorders[index] not in results:
                results.append(int(disorders[index]))
        lists.append(results)
    return lists


def test_the_four_views_against_pillow() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 6, 5, 3)).astype(np.uint8)
    assert set(VARIANTS) == {Variant(flip, grey) for flip in (False, True) for grey in (False, True)}
    for variant in VARIANTS:
        shown = seen(crops, variant)
        assert (shown.shape, shown.dtype) == (crops.shape, np.uint8)
        assert shown.flags.c_contiguous
        for crop, other in zip(crops, shown, strict=True):
            picture = Image.fromarray(crop)
            if variant.flip:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            if variant.grey:
                picture = picture.convert("L").convert("RGB")
            assert np.abs(np.asarray(picture).astype(int) - other).max() <= (1 if variant.grey else 0)


def test_grey_is_of_rgb_not_bgr() -> None:
    red = np.zeros((1, 1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert seen(red, Variant(False, True)).ravel().tolist() == [76, 76, 76]


def test_the_ensemble_is_the_mean_of_cosine_distances() -> None:
    probes, gallery = vectors(2, 4), vectors(3, 9)
    expected = np.mean([cdist(one, other, "cosine") for one, other in zip(probes, gallery, strict=True)], axis=0)
    np.testing.assert_allclose(ensemble_distances(probes, gallery), expected, atol=1e-12)
    np.testing.assert_allclose(
        cosine_distances(probes[0], gallery[0]), pairwise.cosine_distances(probes[0], gallery[0]), atol=1e-12
    )
    longer = [probe * 40 for probe in probes]  # only directions count
    np.testing.assert_allclose(ensemble_distances(longer, gallery), expected, atol=1e-12)
    assert cosine_distances(probes[0], -probes[0]).max() <= 2.0
    assert cosine_distances(probes[0], probes[0]).min() >= 0.0
    with pytest.raises(ValueError, match="zero"):
        cosine_distances(np.zeros((1, 3)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="shorter"):
        ensemble_distances(probes, gallery[:2])
    with pytest.raises(ValueError, match="no encoder"):
        ensemble_distances([], [])


def test_vectors_are_found_by_name_and_missing_ones_are_named() -> None:
    """Upstream joins by position and loses images without encoding, so that labels move against images."""
    result = vectors(4, 4)
    result[1][2] = np.nan
    result[0][3] = 0.0
    encodings = Encodings(("d", "c", "b", "a"), result)
    for one, other in zip(encodings.of(["c", "d", "c"]), result, strict=True):
        np.testing.assert_array_equal(one, other[[1, 0, 1]])
    assert encodings.lacking(["a", "b", "c", "e"]) == ("a", "b", "e")
    with pytest.raises(UsageError, match=r"3 of 4 images have no encoding: a, b, e\."):
        encodings.of(["a", "b", "c", "e"])
    with pytest.raises(ValueError, match="as many rows"):
        Encodings(("a", "b"), result)
    with pytest.raises(ValueError, match="twice"):
        Encodings(("a", "b", "a", "c"), result)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 5), min_size=1, max_size=25))
def test_the_list_is_the_published_one_each_disorder_once(seed: int, names: list[int]) -> None:
    distances, disorders = np.random.default_rng(seed).random((3, len(names))), np.array(names)
    result = nearest_case(distances, disorders)
    assert result.disorders.tolist() == published_ranking(distances, disorders)
    assert all(sorted(row) == sorted(set(names)) for row in result.disorders.tolist())
    assert (np.diff(result.score, axis=1) >= 0).all()
    np.testing.assert_array_equal(np.take_along_axis(distances, result.nearest, axis=1), result.score)
    np.testing.assert_array_equal(disorders[result.nearest], result.disorders)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(12)), st.sampled_from([nearest_case, mean_case]))
def test_the_order_of_the_gallery_decides_nothing(seed: int, order: list[int], rank: Callable) -> None:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    distances, disorders = rng.integers(0, 4, (5, 12)) / 4, rng.integers(0, 5, 12)  # quarters: full of ties, exact
    one, other = rank(distances, disorders), rank(distances[:, order], disorders[order])
    np.testing.assert_array_equal(one.disorders, other.disorders)
    np.testing.assert_allclose(one.score, other.score)


def test_top_1_is_precision_at_1_of_metric_learning() -> None:
    import torch
    from pytorch_metric_learning import distances
    from pytorch_metric_learning.utils import accuracy_calculator as calculator
    from pytorch_metric_learning.utils import inference

    rng = np.random.default_rng(5)
    disorders, truth = rng.integers(0, 6, 60), rng.integers(0, 6, 40)
    gallery, probes = rng.normal(size=(60, 8)) + np.eye(6, 8)[disorders], rng.normal(size=(40, 8)) + np.eye(6, 8)[truth]
    judge = calculator.AccuracyCalculator(
        include=("precision_at_1",),
        avg_of_avgs=True,
        device=torch.device("cpu"),
        knn_func=inference.CustomKNN(distances.CosineSimilarity()),
    )
    tensors = [torch.from_numpy(value) for value in (probes, truth, gallery, disorders)]
    expected = judge.get_accuracy(*tensors)["precision_at_1"]
    first = nearest_case(cosine_distances(probes, gallery), disorders).disorders[:, 0]
    assert np.mean([(first[truth == label] == label).mean() for label in np.unique(truth)]) == pytest.approx(expected)


SUBJECTS = ["p", "q", "q", "r", "s", "s", "s", "t", "u", "u"]
DISORDERS = np.array([0, 1, 1, 2, 0, 0, 0, 1, 2, 2])
TEST, GALLERY = np.array([1, 2, 0, 3]), np.array([9, 4, 5, 6, 7, 8])


@pytest.mark.parametrize(
    ("search", "patients", "pooled"),
    [
        (by_image, False, False),
        (by_patient, True, False),
        (by_disorder, False, True),
        (by_patient_and_disorder, True, True),
    ],
)
def test_searches_against_a_loop(search: Callable[..., Search], patients: bool, pooled: bool) -> None:
    every = vectors(6, 10)
    pairs = np.mean([cdist(entry, entry, "cosine") for entry in every], axis=0)
    units = {0: [0], 1: [1, 2], 3: [3]} if patients else {row: [row] for row in TEST.tolist()}
    rows, result = search(every, DISORDERS, SUBJECTS)(TEST, GALLERY)
    assert sorted(rows.tolist()) == sorted(units)
    for row, ranked, score in zip(rows.tolist(), result.disorders.tolist(), result.score, strict=True):
        expected = {}
        for disorder in (0, 1, 2):
            cases = [index for index in GALLERY if DISORDERS[index] == disorder]
            results = [np.mean([pairs[photo, case] for photo in units[row]]) for case in cases]
            expected[disorder] = np.mean(results) if pooled else min(results)
        assert ranked == sorted(expected, key=expected.__getitem__)
        np.testing.assert_allclose(score, sorted(expected.values()))


def test_fused_vectors_are_means_of_patients_then_of_disorders() -> None:
    every = vectors(7, 10)
    rows, result = by_fused_vectors(every, DISORDERS, SUBJECTS)(TEST, GALLERY)
    assert rows.tolist() == [0, 1, 3]
    probes = [np.stack([entry[0], entry[[1, 2]].mean(axis=0), entry[3]]) for entry in every]
    centres = []
    for entry in every:
        s, t, u = entry[[4, 5, 6]].mean(axis=0), entry[7], entry[[8, 9]].mean(axis=0)
        centres.append(np.stack([s, t, u]))  # one patient each of disorders 0, 1 and 2
    expected = np.mean([cdist(one, other, "cosine") for one, other in zip(probes, centres, strict=True)], axis=0)
    np.testing.assert_allclose(result.score, np.sort(expected, axis=1))
    np.testing.assert_array_equal(result.disorders, np.argsort(expected, axis=1))
    np.testing.assert_array_equal(DISORDERS[GALLERY][result.nearest], result.disorders)


def test_a_patient_with_many_photos_weighs_as_one_in_a_disorders_vector() -> None:
    photos = (np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),)
    _, result = by_fused_vectors(photos, np.zeros(5, np.intp), ["a", "a", "a", "b", "c"])(np.array([4]), np.arange(4))
    assert result.score[0, 0] == pytest.approx(0.0, abs=1e-12)  # a and b alike: the diagonal
    (mean,) = fused(photos, np.array([0, 0, 0, 1, 1]))
    np.testing.assert_allclose(mean, [[1.0, 0.0], [0.5, 1.0]])


def test_an_empty_gallery_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        nearest_case(np.zeros((2, 0)), np.zeros(0, np.intp))
