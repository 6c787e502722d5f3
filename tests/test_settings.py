"""Settings: precedence, complete validation, and a digest over exactly what changes bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ganonym.configuration import PROFILES, explained, load_settings
from ganonym.errors import UsageError
from ganonym.evaluate.verdict.policy import POLICIES
from ganonym.faces.kept import WEIGHTS, kept_space
from ganonym.faces.shape import load_shape
from ganonym.manifest import Row
from ganonym.privacy.population import population_draw
from ganonym.release_plan import Claim, plan_release
from ganonym.settings import K_OF_POLICY, KEEPABLE, Settings, Weights
from ganonym.types import Box, FaceRecord, Pose, PrivateFace, Refusal

OTHER = {
    "mechanism": "codebook",
    "k": 5,
    "policy": "controlled",
    "keep": ("signs", "expression"),
    "weights": Weights(tone=1.0),
    "small_classes": "merge",
    "link": "subject",
    "epsilon": 2.0,
    "directions": 5,
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
    file.write_text('k = 5\nlink = "subject"\nrelease = ["age"]\n[weights]\ntone = 1\n')
    settings = load_settings({"k": 7, "link": None, "small-classes": "merge"}, file, "strict")
    assert settings.k == 7
    assert settings.link == "subject"
    assert settings.release == ("age",)
    assert settings.small_classes == "merge"
    assert settings.weights == Weights(tone=1.0)
    assert settings.verify == "recognizer", "from the profile"
    assert settings.seed == 0, "the default"
    assert load_settings({"resume": False}).resume is False


def test_policies_are_those_of_assessments_and_a_given_k_wins(tmp_path: Path) -> None:
    assert tuple(K_OF_POLICY) == POLICIES
    assert {policy: load_settings({"policy": policy}).k for policy in POLICIES} == K_OF_POLICY
    assert load_settings().k == K_OF_POLICY["public"], "the default is the strictest"
    file = tmp_path / "settings.toml"
    file.write_text('k = 7\npolicy = "internal"\n')
    assert load_settings(file=file).k == 7, "of one source k wins"
    assert load_settings({"k": 3}, file).k == 3
    assert load_settings({"policy": "controlled"}, file).k == 11, "a policy overrules what a weaker source gave"
    assert load_settings({"k": 3}, profile="research").k == 3
    assert Settings(policy="internal").changed(policy="public").k == K_OF_POLICY["public"]
    assert Settings(k=9).changed(policy="public").k == 9
    assert Settings(k=5).digest() == Settings(policy="internal").digest(), "the bytes are the same"
    with pytest.raises(UsageError, match="--policy does nothing beside -k"):
        load_settings({"k": 3, "policy": "public"})


def test_the_weights_of_settings_are_those_of_the_kept_space() -> None:
    assert Weights().model_dump() == WEIGHTS
    assert tuple(WEIGHTS) == KEEPABLE == tuple(Weights.model_fields)


def test_a_release_that_is_not_linked_names_no_session() -> None:
    with pytest.raises(UsageError, match="session with link photo"):
        Settings(release=("session",))
    assert Settings(release=("session",), link="subject").release == ("session",)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({"k": 1, "seed": -1, "link": "some", "keep": ["tone", "tone"], "timeout": float("nan")})
    for name in ("k must", "seed must", "link must", "keep must", "timeout must"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", True),
        ("k", "11"),
        ("k", 11.0),
        ("jobs", -1),
        ("resume", 1),
        ("policy", "open"),
        ("keep", ()),
        ("keep", ("signs", "hair")),
        ("weights", {"tone": 0.0}),
        ("weights", {"hair": 1.0}),
        ("weights", {"sex": float("nan")}),
        ("release", "sex"),
        ("release", ("name",)),
        ("mechanism", ["auto"]),
        ("timeout", 0),
        ("timeout", True),
        ("keep", None),
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
    ({"mechanism": "none", "i_understand": True, "keep": ["signs"]}, "--keep does nothing"),
    ({"mechanism": "metric", "policy": "public"}, "--policy does nothing: it is of mechanism k-same, not of metric"),
    ({"epsilon": 1.0}, "--epsilon does nothing: it is of mechanism metric, not of auto"),
    ({"mechanism": "k-same", "directions": 4}, "--directions does nothing"),
    ({"i_understand": True}, "--i-understand does nothing: it is of mechanism none, not of auto"),
    ({"background": "keep"}, "--background does nothing: it is of --output photo"),
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
    "epsilon": [0.5, 2.0],
    "directions": [3, 5],
    "link": ["photo", "subject"],
    "keep": [("signs", "tone"), ("signs", "tone", "age")],
    "weights": [Weights(), Weights(signs=9.0)],
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
    rng, model, space, claims = np.random.default_rng(1), load_shape(), kept_space(), []
    for number, face in enumerate(population_draw(rng, space.covariance, 16)):
        name, box, points = f"{number}.png", Box(0, 0, 1, 1), np.zeros((68, 2))
        record = FaceRecord(
            name, 0, box, points, points, Pose(0, 0, 0), 0, np.zeros((4, 4), np.uint8), row=space.mean + face
        )
        row = Row(name, f"{number // 2}", "rare" if number < 4 else "common")
        claims.append(Claim(name, "0", 0, record, row.subject, row))
    release = plan_release(claims, model, bytes(32), settings, manifest=True)
    return [
        (item.output, repr(item.face) if isinstance(item.face, Refusal) else private(item.face))
        for item in release.items
    ]


def private(face: PrivateFace) -> tuple[object, ...]:
    assert face.texture is not None
    return face.points.tobytes(), face.texture.tobytes(), face.tone, face.sex, face.age, face.seed


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
    assert settings.link == "photo"
    assert settings.mechanism == "auto"


def test_strict_keeps_and_releases_no_more_than_research() -> None:
    strict, research = load_settings(profile="strict"), load_settings(profile="research")
    assert strict.k > research.k
    assert strict.small_classes == "withhold" != research.small_classes
    assert set(strict.release) < set(research.release)


def test_workers_and_threads_share_the_cores() -> None:
    assert Settings(jobs=5).workers == 5
    assert Settings().workers >= 1
    assert Settings(jobs=1).threads == Settings().workers
    assert Settings(jobs=4096).threads == 1


def test_explained_is_what_is_loaded_with_the_strongest_source_of_each_value(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('k = 5\nsmall-classes = "class"\n')
    given = {"k": 7, "seed": None}
    lines = {line.name: line for line in explained(given, file, "strict")}
    assert Settings(**{name: line.value for name, line in lines.items()}) == load_settings(given, file, "strict")
    sources = {name: line.source for name, line in lines.items()}
    assert sources["k"] == "command line"
    assert sources["small_classes"] == f"file {file}", "also where it repeats the default"
    assert sources["verify"] == "profile strict"
    assert sources["seed"] == "default", "None means not given"
    assert all(line.help for line in lines.values())
    by_policy = {line.name: line for line in explained({"policy": "internal"}, file)}
    assert (by_policy["k"].value, by_policy["k"].source) == (5, "policy internal")
