"""Settings: precedence, complete validation, and a digest over exactly what changes bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ganonym.errors import UsageError
from ganonym.faces.shape import join, load_shape
from ganonym.manifest import Row
from ganonym.release_plan import Claim, plan_release
from ganonym.settings import PROFILES, Settings, explained, load_settings
from ganonym.types import Box, FaceRecord, Pose, PrivateFace, Refusal

OTHER = {
    "mechanism": "codebook",
    "k": 5,
    "small_classes": "merge",
    "epsilon": 2.0,
    "directions": 5,
    "disperse": "none",
    "consistent": True,
    "attributes": (),
    "attributes_from": "subject",
    "release": ("sex",),
    "seed": 7,
    "verify": "recognizer",
    "i_understand": True,
    "output": "photo",
    "subject_face": "left",
}
INDIFFERENT = {"jobs": 3, "engine": "serial", "timeout": 5.0, "resume": False, "background": "grey", "text": "keep"}


def test_every_setting_either_changes_the_digest_or_is_known_not_to() -> None:
    assert set(Settings.model_fields) == set(OTHER) | set(INDIFFERENT)
    assert len({Settings(**{name: value}).digest() for name, value in OTHER.items()}) == len(OTHER)
    assert {Settings(**{name: value}).digest() for name, value in INDIFFERENT.items()} == {Settings().digest()}
    in_photo = {Settings(output="photo", background=each).digest() for each in ("keep", "blur", "grey")}
    in_photo |= {Settings(output="photo", text=each).digest() for each in ("cover", "keep")}
    assert len(in_photo) == 5, "a background and text there are in whole photos only"


def test_command_line_beats_file_beats_profile_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('k = 5\ndisperse = "none"\nrelease = ["age"]\n')
    settings = load_settings({"k": 7, "disperse": None, "attributes-from": "subject"}, file, "strict")
    assert settings.k == 7
    assert settings.disperse == "none"
    assert settings.release == ("age",)
    assert settings.attributes_from == "subject"
    assert settings.verify == "recognizer", "from the profile"
    assert settings.seed == 0, "the default"
    assert load_settings({"consistent": False}).consistent is False


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({"k": 1, "seed": -1, "disperse": "some", "attributes": ["tone", "tone"], "timeout": float("nan")})
    for name in ("k must", "seed must", "disperse must", "attributes must", "timeout must"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", True),
        ("k", "11"),
        ("k", 11.0),
        ("jobs", -1),
        ("consistent", 1),
        ("release", "sex"),
        ("release", ("name",)),
        ("mechanism", ["auto"]),
        ("timeout", 0),
        ("timeout", True),
        ("attributes", None),
        ("seed", 2**63),
    ],
)
def test_wrong_values_are_usage_errors(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_mechanism_none_needs_understanding() -> None:
    with pytest.raises(UsageError, match="i_understand"):
        Settings(mechanism="none")
    assert Settings(mechanism="none", i_understand=True).mechanism == "none"


IDLE = [
    ({"mechanism": "codebook", "k": 20}, "-k does nothing: it is of mechanism k-same, not of codebook"),
    ({"mechanism": "metric", "small_classes": "merge"}, "--small-classes does nothing"),
    ({"mechanism": "codebook", "attributes-from": "group"}, "--attributes-from does nothing"),
    ({"epsilon": 1.0}, "--epsilon does nothing: it is of mechanism metric, not of auto"),
    ({"mechanism": "k-same", "directions": 4}, "--directions does nothing"),
    ({"mechanism": "none", "i_understand": True, "disperse": "none"}, "--disperse does nothing"),
    ({"i_understand": True}, "--i-understand does nothing: it is of mechanism none, not of auto"),
    ({"background": "keep"}, "--background does nothing: it is of --output photo"),
    ({"output": "photo", "attributes_from": "subject"}, "--attributes-from does nothing with --output photo"),
    ({"engine": "serial", "jobs": 2}, "--jobs does nothing"),
]


@pytest.mark.parametrize(("given", "words"), IDLE)
def test_a_value_that_does_nothing_is_refused_when_it_was_asked_for_and_allowed_in_a_file(
    tmp_path: Path, given: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        load_settings(given)
    file = tmp_path / "settings.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
    load_settings(file=file)


def test_several_values_that_do_nothing_are_listed_at_once() -> None:
    with pytest.raises(UsageError, match=r"-k does.*--epsilon does.*--background does.*Leave them out"):
        load_settings({"mechanism": "codebook", "k": 3, "epsilon": 2.0, "background": "blur"})


EFFECTS = {
    "k": [3, 4],
    "small_classes": ["withhold", "merge"],
    "attributes_from": ["group", "subject"],
    "epsilon": [0.5, 2.0],
    "directions": [3, 5],
    "disperse": ["photo", "none"],
    "attributes": [("tone",), ()],
    "consistent": [True, False],
    "seed": [1, 2],
}


@pytest.mark.parametrize("mechanism", ["k-same", "codebook", "metric", "none"])
@pytest.mark.parametrize("name", EFFECTS)
def test_a_value_is_refused_exactly_where_it_changes_no_output(name: str, mechanism: str) -> None:
    """The oracle is what becomes of faces, under two values of the setting."""
    required = {"mechanism": mechanism, "i_understand": True} if mechanism == "none" else {"mechanism": mechanism}
    made = [outputs(Settings(**{"k": 3} | required | {name: value})) for value in EFFECTS[name]]
    try:
        load_settings({name: EFFECTS[name][0]} | required)
        used = True
    except UsageError:
        used = False
    assert used == (made[0] != made[1])


def outputs(settings: Settings) -> list[object]:
    """What a release of faces consists of with these settings: eight people, two of them of a small class."""
    rng, model, claims = np.random.default_rng(1), load_shape(), []
    for number in range(16):
        name, box = f"{number}.png", Box(0, 0, 1, 1)
        identity = rng.normal(size=model.identity_sd.size) * model.identity_sd
        shape = join(identity, rng.normal(size=model.expression_sd.size) * model.expression_sd, model)
        record = FaceRecord(name, 0, box, shape, shape, Pose(0, 0, 0), number % 6, np.zeros((4, 4), np.uint8))
        row = Row(name, f"{number // 2}", "rare" if number < 4 else "common")
        claims.append(Claim(name, "0", 0, record, row.subject, row))
    release = plan_release(claims, model, bytes(32), settings, manifest=True)
    return [repr(item.face) if isinstance(item.face, Refusal) else private(item.face) for item in release.items]


def private(face: PrivateFace) -> tuple[object, ...]:
    return face.points.tobytes(), face.tone, face.sex, face.age, face.seed


def test_unknown_keys_profiles_and_broken_files_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown colour"):
        load_settings({"colour": 1})
    with pytest.raises(UsageError, match="no profile called 'lax'"):
        load_settings(profile="lax")
    file = tmp_path / "broken.toml"
    file.write_text("k = = 3")
    with pytest.raises(UsageError, match=r"broken\.toml"):
        load_settings(file=file)
    with pytest.raises(UsageError, match=r"absent\.toml"):
        load_settings(file=tmp_path / "absent.toml")


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_load_and_protect(profile: str) -> None:
    settings = load_settings(profile=profile)
    assert settings.k >= 11
    assert settings.mechanism == "auto"


def test_strict_keeps_and_releases_no_more_than_research() -> None:
    strict, research = load_settings(profile="strict"), load_settings(profile="research")
    assert set(strict.attributes) < set(research.attributes)
    assert set(strict.release) < set(research.release)


def test_workers_and_threads_share_the_cores() -> None:
    assert Settings(jobs=5).workers == 5
    assert Settings().workers >= 1
    assert Settings(jobs=1).threads == Settings().workers
    assert Settings(jobs=4096).threads == 1


BYTES = [
    ({}, "f71c340f432b5bb91e67fe4ef34d796350bc711bbcf7af1d2d30010ba2c2f636"),
    ({"mechanism": "metric", "epsilon": 0.5}, "70e08a64f4509fa8aec31500b58671a968cbbc5bd25745da1f4b2dff9d5769b0"),
    (
        {"output": "photo", "background": "blur", "release": ("sex", "age")},
        "5a0b5c09d3fd0d9b3b1fc1b86c0b2eddb9f91beeba7d3039b3e74f848d34d3c2",
    ),
    (
        {"mechanism": "none", "i_understand": True, "attributes": ()},
        "71ca39293e8ac0d7bdf6d4657190d2cd162ed78c4b9cd2a1990d18b3698b34ef",
    ),
]


@pytest.mark.parametrize(("given", "digest"), BYTES)
def test_digests_are_those_of_earlier_releases(given: dict[str, object], digest: str) -> None:
    """Computed by version 0.1.0 before the settings became a model: a ledger of then can go on."""
    assert Settings.model_validate(given).digest() == digest


def test_explained_is_what_is_loaded_with_the_strongest_source_of_each_value(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('k = 5\nattributes-from = "group"\n')
    given = {"k": 7, "seed": None}
    lines = {line.name: line for line in explained(given, file, "strict")}
    assert Settings(**{name: line.value for name, line in lines.items()}) == load_settings(given, file, "strict")
    sources = {name: line.source for name, line in lines.items()}
    assert sources["k"] == "command line"
    assert sources["attributes_from"] == f"file {file}", "also where it repeats the default"
    assert sources["verify"] == "profile strict"
    assert sources["seed"] == "default", "None means not given"
    assert all(line.help for line in lines.values())
