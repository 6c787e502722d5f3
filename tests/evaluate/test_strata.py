"""Strata: trials whose own photo in the gallery is of another sitting, and those of people who resemble nobody."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.metrics.strata import DISTINCTIVE, NOBODY, across_sessions, distinctive, of_people
from ganonym.evaluate.protocol import OTHER_PHOTO
from ganonym.evaluate.scores import Scores


def trials() -> Scores:
    """Photos 0, 2, 5 are in the gallery; 1 shows whom 0 shows, 3 and 4 whom 2 shows. A distractor is a candidate."""
    distances = np.arange(12.0).reshape(3, 4)
    owners, gallery = np.array(["a", "b", "b"]), np.array(["a", "b", "c", "distractor 0"])
    return Scores("x", "T0", OTHER_PHOTO, distances, owners, gallery, np.array([1, 3, 4]))


KNOWN = [0, 2, 5, NOBODY]


def test_only_trials_whose_mate_is_of_another_session_stay() -> None:
    sessions = across_sessions(trials(), ["s1", "s1", "s1", "s2", "s1", "s2"], KNOWN)
    assert sessions is not None
    assert sessions.photos.tolist() == [3]
    assert sessions.owners.tolist() == ["b"]
    assert sessions.distances.tolist() == [[4.0, 5.0, 6.0, 7.0]]
    assert sessions.setting == "other photo, other session"


def test_an_unknown_session_is_no_other_session() -> None:
    sessions = across_sessions(trials(), ["s1", None, None, "s1", "s2", "s1"], KNOWN)
    assert sessions is None
    sessions = across_sessions(trials(), ["s1", None, "s1", "s1", "s2", "s1"], KNOWN)
    assert sessions is not None
    assert sessions.photos.tolist() == [4]


def test_one_stratum_only_is_told_as_it_is() -> None:
    assert across_sessions(trials(), ["s1"] * 6, KNOWN) is None
    assert across_sessions(trials(), ["s1", "s2", "s1", "s2", "s2", "s1"], KNOWN) is None


def test_masks_follow_their_trials() -> None:
    mask = np.array([[True, True, False, False], [False, True, True, False], [True, True, True, True]])
    scores = trials()
    masked = Scores("x", "T0", OTHER_PHOTO, scores.distances, scores.owners, scores.gallery, scores.photos, mask)
    sessions = across_sessions(masked, ["s1", "s1", "s1", "s2", "s1", "s2"], KNOWN)
    assert sessions is not None
    assert sessions.mask is not None
    assert sessions.mask.tolist() == [mask[1].tolist()]


def test_the_most_distinctive_are_those_far_from_everybody_else() -> None:
    """Ten people on a line; two stand far off. Two photos each, the second of one of them near somebody else."""
    places = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 50, 90])
    templates = np.repeat(places, 2)[:, None]
    subjects = [f"p{index}" for index in range(10) for _ in range(2)]
    assert distinctive(templates, subjects) == {"p8", "p9"}
    templates[17] = 7.4  # of p8
    templates[0] = -3.0
    assert distinctive(templates, subjects) == {"p9", "p0"} or distinctive(templates, subjects) == {"p9", "p1"}
    templates[18:] = np.nan
    assert "p9" not in distinctive(templates, subjects)
    assert distinctive(templates[:14], subjects[:14]) == frozenset(), "seven people have no quarter worth a rate"


def test_the_most_distinctive_do_not_depend_on_how_many_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    templates, subjects = rng.normal(size=(90, 2)), [f"p{number}" for number in rng.integers(0, 40, 90)]
    whole = distinctive(templates, subjects)
    monkeypatch.setattr("ganonym.evaluate.metrics.strata._ROWS", 7)
    assert distinctive(templates, subjects) == whole
    owner = np.array(subjects)
    apart = np.where(owner[:, None] == owner, np.inf, np.linalg.norm(templates[:, None] - templates, axis=2)).min(
        axis=1
    )
    nearest = {name: apart[owner == name].min() for name in sorted(set(subjects))}
    assert whole == set(sorted(nearest, key=lambda name: -nearest[name])[: len(nearest) // 4])


def test_trials_of_some_people_keep_all_candidates() -> None:
    result = of_people(trials(), {"b", "z"})
    assert result is not None
    assert result.setting == OTHER_PHOTO + DISTINCTIVE
    assert result.photos.tolist() == [3, 4]
    assert result.distances.shape == (2, 4)
    assert of_people(trials(), {"z"}) is None
