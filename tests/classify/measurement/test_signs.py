"""Planted signs are suggested and no others; what a photograph spoils is said; a turned head is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from ganonym.classify.measurement.lengths import MEASUREMENTS, Spoiler, measurements
from ganonym.classify.measurement.norms import Norm, Score, cohort_norms, scores
from ganonym.classify.measurement.signs import Conditions, Suggestion, conditions, signs, suggest
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import Pose

STILL = Conditions(Pose(0.0, 0.0, 0.0), gap=0.0, smile=0.0, lids=0.3)
# Ids and terms as they stand in hp.obo of 2025-01-16.
TERMS = {
    "HP:0000154": "Wide mouth", "HP:0000160": "Narrow mouth", "HP:0000179": "Thick lower lip vermilion",
    "HP:0000215": "Thick upper lip vermilion", "HP:0000219": "Thin upper lip vermilion", "HP:0000275": "Narrow face",
    "HP:0000276": "Long face", "HP:0000278": "Retrognathia", "HP:0000283": "Broad face",
    "HP:0000289": "Broad philtrum", "HP:0000293": "Full cheeks", "HP:0000303": "Mandibular prognathia",
    "HP:0000307": "Pointed chin", "HP:0000311": "Round face", "HP:0000316": "Hypertelorism",
    "HP:0000321": "Square face", "HP:0000322": "Short philtrum", "HP:0000325": "Triangular face",
    "HP:0000343": "Long philtrum", "HP:0000347": "Micrognathia", "HP:0000414": "Bulbous nose",
    "HP:0000430": "Underdeveloped nasal alae", "HP:0000431": "Wide nasal bridge", "HP:0000445": "Wide nose",
    "HP:0000446": "Narrow nasal bridge", "HP:0000455": "Broad nasal tip", "HP:0000460": "Narrow nose",
    "HP:0000463": "Anteverted nares", "HP:0000494": "Downslanted palpebral fissures", "HP:0000506": "Telecanthus",
    "HP:0000508": "Ptosis", "HP:0000581": "Blepharophimosis", "HP:0000582": "Upslanted palpebral fissure",
    "HP:0000601": "Hypotelorism", "HP:0000637": "Long palpebral fissure", "HP:0002553": "Highly arched eyebrow",
    "HP:0002714": "Downturned corners of mouth", "HP:0003189": "Long nose", "HP:0003196": "Short nose",
    "HP:0010282": "Thin lower lip vermilion", "HP:0010804": "Tented upper lip vermilion",
    "HP:0011219": "Short face", "HP:0011341": "Long upper lip", "HP:0011829": "Narrow philtrum",
    "HP:0012745": "Short palpebral fissure", "HP:0012801": "Narrow jaw", "HP:0012802": "Broad jaw",
    "HP:0045025": "Narrow palpebral fissure", "HP:0400000": "Tall chin",
}  # fmt: skip
COHORT = Norm("ENEN", 0.0, 1.0, "face size", "test", n=100)


def compared(**z: float) -> dict[str, Score]:
    """Scores of a face that is average but for these z-scores, against a cohort."""
    named = {key.replace("_", " "): value for key, value in z.items()}
    return {key: Score(1.0, "", named.get(key, 0.0), 50.0, COHORT) for key in MEASUREMENTS}


def terms(value: object) -> set[str]:
    assert isinstance(value, list)
    return {entry.term for entry in value}


def test_every_sign_is_a_term_of_the_ontology_with_a_criterion() -> None:
    assert {sign.hpo: sign.term for sign in signs()} == TERMS
    assert len(signs()) == len(TERMS)
    for sign in signs():
        assert re.fullmatch(r"HP:\d{7}", sign.hpo)
        assert sign.reliability in ("good", "medium", "low")
        assert set(sign.measures) <= set(MEASUREMENTS)
        for test in (*sign.tests, *sign.given):
            assert (test.above is None) != (test.below is None)


# Each rule at work: what is suggested of these z-scores alone, and nothing else.
RULES = [
    ({"IPD": 2.1, "ENEN": 2.1}, {"Hypertelorism"}),
    ({"ENEN": 2.1}, {"Telecanthus"}),
    ({"IPD": 2.1}, set()),
    ({"IPD": -2.1}, {"Hypotelorism"}),
    ({"ENEN": 2.1, "ALARW": 2.1}, {"Telecanthus", "Wide nasal bridge", "Wide nose"}),
    ({"ENEN": -2.1, "ALARW": -2.1}, {"Narrow nasal bridge", "Narrow nose", "Underdeveloped nasal alae"}),
    ({"PFINC_right": 1.0, "PFINC_left": 3.2}, {"Upslanted palpebral fissure"}),
    ({"PFINC_right": -2.2, "PFINC_left": -2.2}, {"Downslanted palpebral fissures"}),
    ({"PFINC_right": 4.0, "PFINC_left": -4.0}, set()),
    ({"PFLEN_right": -1.0, "PFLEN_left": -3.2, "PFLEN": -2.1}, {"Short palpebral fissure"}),
    ({"PFLEN_right": 2.1, "PFLEN_left": 2.1}, {"Long palpebral fissure"}),
    ({"PFHGT": -2.1}, {"Ptosis", "Narrow palpebral fissure"}),
    ({"PFHGT": -2.1, "PFLEN": -2.1}, {"Narrow palpebral fissure"}),
    (
        {"PFHGT_right": -2.1, "PFHGT_left": -2.1, "PFLEN_right": -2.1, "PFLEN_left": -2.1},
        {"Blepharophimosis", "Short palpebral fissure"},
    ),
    ({"PHIL": 2.1, "UVERM": -2.1}, {"Long philtrum", "Thin upper lip vermilion"}),
    ({"PHIL": -2.1, "UVERM": 2.1}, {"Short philtrum", "Thick upper lip vermilion"}),
    ({"LIPL": 2.1, "LVERM": 2.1}, {"Long upper lip", "Thick lower lip vermilion"}),
    ({"TENT": 2.1}, {"Tented upper lip vermilion"}),
    ({"LVERM": -2.1, "CPHW": -2.1}, {"Thin lower lip vermilion", "Narrow philtrum"}),
    ({"CPHW": 2.1, "MOUTHW": 2.1}, {"Broad philtrum", "Wide mouth"}),
    ({"MOUTHW": -2.1, "CORNERY": -2.1}, {"Narrow mouth", "Downturned corners of mouth"}),
    ({"NOSEINDEX": 2.1, "NOSEL": -2.1}, {"Bulbous nose", "Broad nasal tip", "Short nose"}),
    ({"NOSEL": 2.1, "TIPUP": 2.1}, {"Long nose", "Anteverted nares"}),
    ({"CHINH": -2.1}, {"Micrognathia", "Retrognathia"}),
    ({"CHINH": 2.1, "CHINPT": 2.1}, {"Mandibular prognathia", "Tall chin", "Pointed chin"}),
    ({"JAWW": -2.1, "FACEW": 1.1, "CHINPT": 1.1}, {"Narrow jaw", "Triangular face"}),
    ({"JAWW": 2.1}, {"Broad jaw", "Square face"}),
    ({"FACEH": 2.1}, set()),
    ({"FACEH": 2.1, "FACEINDEX": 0.35}, {"Long face"}),
    ({"FACEH": -2.1, "FACEINDEX": -0.45}, {"Short face"}),
    ({"FACEW": -2.1, "JAWW": -2.1, "FACEINDEX": 1.0}, {"Narrow face", "Narrow jaw"}),
    ({"FACEW": 2.1, "JAWW": 2.1, "FACEINDEX": -1.0}, {"Broad face", "Broad jaw"}),
    ({"FACEINDEX": -2.1}, {"Round face"}),
    ({"BROWARCH": 2.1, "CHEEK": 2.1}, {"Highly arched eyebrow", "Full cheeks"}),
]  # fmt: skip


@pytest.mark.parametrize(("z", "expected"), RULES)
def test_rules(z: dict[str, float], expected: set[str]) -> None:
    assert terms(suggest(compared(**z), STILL)) == expected
    assert suggest(compared(**{key: value * 0.95 / 2.1 for key, value in z.items()}), STILL) == []


def test_all_rules_are_tried_above() -> None:
    assert set().union(*(expected for _, expected in RULES)) == set(TERMS.values())


def test_suggestions_say_how_marked_and_how_reliable() -> None:
    result = suggest(compared(IPD=2.5, ENEN=3.0, CPHW=9.0, NOSEL=-4.0), STILL)
    assert isinstance(result, list)
    assert [(entry.term, entry.z, entry.reliability) for entry in result] == [
        ("Short nose", -4.0, "good"), ("Hypertelorism", 2.5, "good"), ("Broad philtrum", 9.0, "low")
    ]  # fmt: skip
    assert all(entry.caveats == () for entry in result)


@pytest.mark.parametrize(
    ("changed", "spoiled", "spared"),
    [
        ({"pose": Pose(-10.5, 0, 0)}, {"Wide mouth", "Telecanthus"}, {"Long nose"}),
        ({"pose": Pose(0, 11.0, 0)}, {"Long nose"}, {"Wide mouth", "Telecanthus"}),
        ({"gap": 0.2}, {"Wide mouth"}, {"Long nose", "Telecanthus"}),
        ({"smile": 1.5}, {"Wide mouth"}, {"Long nose", "Telecanthus"}),
        ({"lids": 0.05}, {"Ptosis"}, {"Wide mouth", "Telecanthus", "Long nose"}),
    ],
)
def test_what_the_photograph_spoils_is_a_caveat(
    changed: dict[str, object], spoiled: set[str], spared: set[str]
) -> None:
    parts = {"pose": STILL.pose, "gap": 0.0, "smile": 0.0, "lids": 0.3} | changed
    result = suggest(compared(MOUTHW=3, ENEN=3, NOSEL=3, PFHGT=-3), Conditions(**parts))  # type: ignore[arg-type]
    assert isinstance(result, list)
    by_term: dict[str, Suggestion] = {entry.term: entry for entry in result}
    assert all(by_term[term].reliability == "low" and by_term[term].caveats for term in spoiled)
    assert all(by_term[term].reliability == "good" and not by_term[term].caveats for term in spared)


def test_a_turned_head_is_refused() -> None:
    for pose, word in ((Pose(15.5, 0, 0), "turned by 16°"), (Pose(0, -21, 0), "tilted by 21°")):
        refusal = suggest(compared(ENEN=5), Conditions(pose, 0.0, 0.0, 0.3))
        assert not isinstance(refusal, list)
        assert refusal.reason == "pose"
        assert word in refusal.detail
    assert isinstance(suggest(compared(ENEN=5), Conditions(Pose(14.9, 19, 40), 0.0, 0.0, 0.3)), list)


def test_signs_without_their_norms_are_left_out_and_published_norms_are_a_caveat() -> None:
    some = {key: entry for key, entry in compared(ENEN=3).items() if key != "IPD"}
    some["NOSEL"] = Score(1.0, "", None, None, None, "no norm")
    assert terms(suggest(some, STILL)) == set()
    foreign = {key: Score(1.0, "", 3.0 if key == "ENEN" else 0.0, 50, Norm("ENEN", 0, 1, "mm", "book")) for key in some}
    result = suggest(foreign | {"IPD": foreign["PHIL"]}, STILL)
    assert isinstance(result, list)
    assert result[0].reliability == "low"
    assert "not of landmarks" in result[0].caveats[0]


def mean_face() -> NDArray[np.float64]:
    return np.array(to_canvas(load_shape().mean))


def test_conditions_are_read_off_landmarks() -> None:
    face = mean_face()
    calm = conditions(face, Pose(0, 0, 0))
    assert calm.smile == pytest.approx(0.0, abs=1e-6)
    assert set(calm.spoilers()) <= {"open mouth"}
    opened = face.copy()
    opened[[65, 66, 67, *range(55, 60)], 1] += 20
    assert "the mouth is open" in conditions(opened, calm.pose).spoilers().values()
    model = load_shape()
    smiling = model.mean + (2 * model.expression_sd[0] * model.expression_patterns[0]).reshape(68, 2)
    assert "smile" in conditions(to_canvas(smiling), calm.pose).spoilers()
    shut = face.copy()
    shut[[43, 44]] = shut[[47, 46]] - [0.0, 1.0]  # one eye is enough
    assert "blink" in conditions(shut, calm.pose).spoilers()
    turned = face.copy()
    turned[:, 0] = face[:, 0] + 0.6 * np.where(face[:, 0] > face[27, 0], 0, face[27, 0] - face[:, 0])
    assert abs(conditions(turned).pose.yaw) > abs(conditions(face).pose.yaw)
    spoilers: set[Spoiler] = set().union(*(measurement.spoiled for measurement in MEASUREMENTS.values()))  # type: ignore[arg-type]
    assert spoilers == {"yaw", "pitch", "open mouth", "smile", "blink"}


def test_signs_planted_in_faces_are_found() -> None:
    """Faces that differ by noise, one landmark group moved in some of them: those, and hardly others, are named."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1.0, (260, 68, 2))
    people = mean_face() + noise
    values = measurements(people[:200])
    norms = cohort_norms(values, [str(index) for index in range(200)], "face size", "simulated")

    def hits(moved: NDArray[np.float64]) -> list[set[str]]:
        result = measurements(moved)
        return [
            terms(suggest(scores({key: float(column[row]) for key, column in result.items()}, norms, "face size")))
            for row in range(len(moved))
        ]

    plain = hits(people[200:])
    wide, long = people[200:].copy(), people[200:].copy()
    wide[:, [39, 42], 0] += [-8, 8]
    long[:, 48:68, 1] += 8
    for moved, term in ((hits(wide), "Telecanthus"), (hits(long), "Long philtrum")):
        assert np.mean([term in entry for entry in plain]) < 0.1
        assert np.mean([term in entry for entry in moved]) > 0.9
