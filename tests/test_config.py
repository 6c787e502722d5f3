"""Settings: precedence, complete validation, and a digest over exactly what changes bytes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from ganonym.config import PROFILES, Settings, load_settings
from ganonym.errors import UsageError

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
    assert {field.name for field in fields(Settings)} == set(OTHER) | set(INDIFFERENT)
    assert len({Settings(**{name: value}).digest() for name, value in OTHER.items()}) == len(OTHER)
    assert {Settings(**{name: value}).digest() for name, value in INDIFFERENT.items()} == {Settings().digest()}
    in_photo = {Settings(output="photo", background=each).digest() for each in ("keep", "blur", "grey")}
    in_photo |= {Settings(output="photo", text=each).digest() for each in ("cover", "keep")}
    assert len(in_photo) == 5, "a background and text there are in whole photos only"


def test_command_line_beats_file_beats_profile_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('k = 5\ndisperse = "none"\nrelease = ["age"]\n')
    settings = load_settings({"k": 7, "disperse": None, "i-understand": True}, file, "strict")
    assert settings.k == 7
    assert settings.disperse == "none"
    assert settings.release == ("age",)
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
