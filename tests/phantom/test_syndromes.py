"""The bundled facts say what their sources say, and a faulty file is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ganonym.errors import UsageError
from ganonym.phantom.syndromes import HARD, Sign, load_syndromes

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
    if known := re.search(r" (VF|F|Occ) ", source):
        return CLASSES[known[1]]
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
