"""Bundled syndromes are what their sources say, files are checked, and people get signs as often as listed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from ganonym.errors import UsageError
from ganonym.faces.measures import AXES
from ganonym.phantom.cohort import Studio
from ganonym.phantom.syndromes import (
    HARD,
    LEAST_SEVERITY,
    MOST_SHAM,
    SEVERITIES,
    DrawnSign,
    Severity,
    Sign,
    check_severity,
    combined,
    draw_phenotype,
    draw_sham,
    energy,
    load_syndromes,
)

CLASSES = {"VF": 0.9, "F": 0.55, "Occ": 0.17}
SIGNS = [(key, sign) for key, syndrome in load_syndromes().items() for sign in syndrome.signs]
GOOD = """
[terms]
"HP:0000154" = { term = "Wide mouth", axes = { MOUTHW = 1.0 } }
[syndromes.X]
name = "X"
ids = []
signs = [{ hpo = "HP:0000154", p = 0.5, source = "here" }]
"""


def probability(source: str) -> float | None:
    """The rule at the head of the file, applied to a source."""
    if fraction := re.search(r" (\d+)/(\d+)$", source):
        patients = int(fraction[2])
        share = int(fraction[1]) / patients
        return share if patients >= 5 else min(share, 0.3)
    if match := re.search(r" (VF|F|Occ) ", source):
        return CLASSES[match[1]]
    return 0.3 if source.endswith("no freq") else None


@pytest.mark.parametrize(("key", "sign"), SIGNS, ids=[f"{key}-{sign.hpo}" for key, sign in SIGNS])
def test_a_probability_is_what_its_source_says(key: str, sign: Sign) -> None:
    expected = probability(sign.source)
    if expected is None:
        assert (key, sign.hpo, sign.p) == ("FAS", "HP:0012745", 0.9)
    else:
        assert sign.p == pytest.approx(expected, abs=6e-4)


def test_twelve_syndromes_and_what_cannot_be_seen_of_them() -> None:
    syndromes = load_syndromes()
    assert len(syndromes) == 12
    assert set(syndromes) > HARD
    hidden = {sign.term for _, sign in SIGNS if not sign.visible}
    assert {"Low-set ears", "Proptosis", "Midface retrusion", "Long eyelashes"} <= hidden
    assert {sign.texture for _, sign in SIGNS if sign.texture} == {
        "synophrys",
        "thick eyebrow",
        "sparse eyebrow",
        "smooth philtrum",
    }


def test_one_syndrome_does_not_pull_a_term_both_ways() -> None:
    opposite = {("Wide mouth", "Narrow mouth"), ("Long philtrum", "Short philtrum"), ("Short nose", "Long nose")}
    for syndrome in load_syndromes().values():
        terms = {sign.term for sign in syndrome.signs}
        assert not [pair for pair in opposite if set(pair) <= terms]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("p = 0.5", "p = 1.5", "1.5"),
        ("p = 0.5", "p = 0.0", "0.0"),
        ("MOUTHW", "MOUTH", "'MOUTH'"),
        ("HP:0000154", "HP:154", "HP:154"),
        ("axes = { MOUTHW = 1.0 }", 'texture = "freckles"', "freckles"),
        ('signs = [{ hpo = "HP:0000154"', 'signs = [{ hpo = "HP:0000155"', "HP:0000155"),
        (', source = "here"', "", "source"),
        ('source = "here" }', 'source = "here" }, { hpo = "HP:0000154", p = 0.1, source = "" }', "twice"),
        ("[terms]", "[terms", "cannot read"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(GOOD)
    assert load_syndromes(file)["X"].signs[0].axes == (("MOUTHW", 1.0),)
    faulty = tmp_path / "faulty.toml"
    faulty.write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError, match=re.escape(told)) as raised:
        load_syndromes(faulty)
    assert str(faulty) in str(raised.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml"):
        load_syndromes(tmp_path / "nowhere.toml")


DRAWS = 1500


@pytest.mark.parametrize("key", ["CdLS", "AS", "KS"])
def test_signs_come_as_often_as_stated(key: str) -> None:
    syndrome, rng = load_syndromes()[key], np.random.default_rng(1)
    drawn = [draw_phenotype(syndrome, "normal", rng) for _ in range(DRAWS)]
    for sign in syndrome.signs:
        share = np.mean([sign in [entry.sign for entry in one.signs] for one in drawn])
        assert abs(share - sign.p) < 4 * np.sqrt(sign.p * (1 - sign.p) / DRAWS)


@pytest.mark.parametrize("severity", ["normal", "easy"])
def test_severities_spread_as_stated(severity: Severity) -> None:
    rng, wbs = np.random.default_rng(2), load_syndromes()["WBS"]
    drawn = np.array([entry.severity for _ in range(300) for entry in draw_phenotype(wbs, severity, rng).signs])
    mean, spread = SEVERITIES[severity]
    assert drawn.mean() == pytest.approx(mean, abs=0.05)
    assert drawn.std() == pytest.approx(spread, abs=0.03)
    assert drawn.min() >= LEAST_SEVERITY


def sign(**axes: float) -> Sign:
    return Sign("HP:0000000", "planted", 0.5, "test", tuple(axes.items()))


def test_names_for_one_thing_do_not_add_up_and_opposites_do() -> None:
    signs = [
        DrawnSign(sign(PFHGT=-1.0), 2.0),
        DrawnSign(sign(PFHGT=-1.0, PFLEN=-1.0), 2.5),
        DrawnSign(sign(PFLEN=0.5), 2.0),
        DrawnSign(sign(), 2.0),
    ]
    amounts = dict(zip(AXES, combined(signs), strict=True))
    assert (amounts.pop("PFHGT"), amounts.pop("PFLEN")) == (-2.5, -1.5)
    assert not any(amounts.values())


def test_shams_are_as_strong_as_syndromes_and_show_no_sign(place: Studio) -> None:
    rng, syndromes = (
        np.random.default_rng(3),
        [syndrome for key, syndrome in load_syndromes().items() if key not in HARD],
    )
    shams = [draw_sham(syndromes, "normal", place.axes, rng) for _ in range(400)]
    patients = [draw_phenotype(syndromes[number % 9], "normal", rng) for number in range(400)]
    assert not any(sham.signs or sham.textures for sham in shams)
    one, other = ([energy(entry.amounts, place.axes) for entry in group] for group in (shams, patients))
    assert ks_2samp(one, other).pvalue > 0.01
    assert np.mean(one) == pytest.approx(np.mean(other), rel=0.1)
    amounts = np.array([sham.amounts for sham in shams])
    assert np.abs(amounts.mean(axis=0)).max() < 4 * amounts.std() / np.sqrt(400)
    extremes = np.abs(amounts).max(axis=1)
    assert (extremes <= MOST_SHAM).mean() > 0.98
    assert extremes.max() < 4.5


def test_energy_is_the_displacement_of_a_mark(place: Studio) -> None:
    amounts = np.random.default_rng(4).normal(size=len(AXES))
    lengths = np.linalg.norm(place.axes.displacement(amounts), axis=1)
    assert energy(amounts, place.axes) == pytest.approx(np.sqrt(np.mean(lengths**2)))
    assert energy(3 * amounts, place.axes) == pytest.approx(3 * energy(amounts, place.axes))


def test_an_unknown_severity_is_named() -> None:
    assert check_severity("easy") == "easy"
    with pytest.raises(UsageError, match="'severe'"):
        check_severity("severe")
