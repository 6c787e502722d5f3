"""Keyed names: the stated formula, the key's care, and no meetings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.pseudonym import (
    FOLDS,
    deal_folds,
    key_mark,
    lone_name,
    output_name,
    pseudonym,
    read_key,
    read_or_create_key,
    refuse_collisions,
    seed_for,
)

KEY = bytes(range(32))


@given(st.text())
def test_pseudonym_is_the_stated_hmac(identifier: str) -> None:
    text = f"ganonym/v1\0subject\0{unicodedata.normalize('NFC', identifier)}".encode("utf-8", "surrogateescape")
    mac = hmac.new(KEY, text, hashlib.sha256).digest()
    name = pseudonym(KEY, "subject", identifier)
    assert base64.b32decode(name.upper()) == mac[:15]
    assert len(name) * 5 >= 96
    assert name == name.lower()


def test_unicode_forms_of_one_name_agree_and_namespaces_and_keys_do_not() -> None:
    assert pseudonym(KEY, "image", "Zoe\u0308") == pseudonym(KEY, "image", "Zo\u00eb")
    names = {pseudonym(key, space, "x") for key in (KEY, bytes(32)) for space in ("image", "subject", "folder", "key")}
    assert len(names) == 8
    assert pseudonym(KEY, "a", "b\0c") != pseudonym(KEY, "a\0b", "d")
    assert len({key_mark(KEY), key_mark(bytes(32))}) == 2


@given(st.lists(st.text("abc/", min_size=1).filter(lambda name: all(name.split("/"))), unique=True, max_size=20))
def test_outputs_keep_the_tree_and_never_meet(photos: list[str]) -> None:
    outputs = [output_name(KEY, photo, index) for photo in photos for index in (0, 1)]
    assert len(set(outputs)) == len(outputs)
    refuse_collisions(outputs)
    for photo in photos:
        output = output_name(KEY, photo)
        assert output.count("/") == photo.count("/")
        assert output_name(KEY, photo, 1) == output.removesuffix(".png") + "-2.png"
    parents = {str(PurePosixPath(photo).parent): str(PurePosixPath(output_name(KEY, photo)).parent) for photo in photos}
    assert len(set(parents.values())) == len(parents), "one folder, one pseudonym"


def test_lone_names_are_flat_and_faces_of_a_photo_unlike_each_other() -> None:
    photos = ["a/1.png", "a/2.png", "b/1.png", "1.png"]
    names = [lone_name(KEY, photo, index) for photo in photos for index in (0, 1, 2)]
    assert len({name.removesuffix(".png") for name in names}) == 12
    assert all(re.fullmatch(r"[a-z2-7]{24}\.png", name) for name in names)
    assert lone_name(KEY, "1.png") == output_name(KEY, "1.png")


@given(st.dictionaries(st.text(min_size=1), st.sampled_from([None, "x", "y"]), max_size=40), st.binary(min_size=32))
def test_folds_are_equally_large_over_all_and_in_every_class(people: dict[str, str | None], key: bytes) -> None:
    people = {unicodedata.normalize("NFC", person): label for person, label in people.items()}
    folds = deal_folds(key, people)
    for label in ("all", None, "x", "y"):
        counts = Counter(folds[person] for person in people if label in ("all", people[person]))
        sizes = [counts[fold] for fold in range(FOLDS)]
        assert max(sizes) - min(sizes) <= 1
    assert folds == deal_folds(key, dict(reversed(people.items()))), "the order of people does not matter"


def test_a_fold_follows_from_the_key_and_tells_nothing_without() -> None:
    """Everybody is in every fold equally often, over keys: five standard deviations of a binomial."""
    people = dict.fromkeys(map(str, range(10)))
    folds = [deal_folds(number.to_bytes(32), people) for number in range(1000)]
    dealt = np.array([[own[person] for person in people] for own in folds])
    for fold in range(FOLDS):
        assert np.abs((dealt == fold).sum(axis=0) - 200).max() < 5 * np.sqrt(1000 * 0.2 * 0.8)


def test_equal_folder_names_at_two_places_look_different() -> None:
    first, second = output_name(KEY, "a/x/1.png"), output_name(KEY, "b/x/1.png")
    assert first.split("/")[1] != second.split("/")[1]


def test_meeting_outputs_are_refused() -> None:
    with pytest.raises(EnvironmentFault, match="meet"):
        refuse_collisions(["a.png", "A.png"])


def test_seeds_are_63_bits_and_depend_on_key_run_and_name() -> None:
    seeds = {seed_for(key, run, name) for key in (KEY, bytes(32)) for run in (0, 1) for name in ("a.png", "b.png")}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**59


def test_key_is_made_once_with_256_random_bits_and_mode_600(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        key = read_or_create_key(tmp_path / "key")
    finally:
        os.umask(old)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(key.decode())) == 32
    assert read_or_create_key(tmp_path / "key") == key
    assert read_or_create_key(tmp_path / "other") != key


def test_short_open_and_missing_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(31))
    path.chmod(0o600)
    with pytest.raises(UsageError, match="31 bytes"):
        read_key(path)
    path.write_bytes(bytes(32))
    assert read_key(path) == bytes(32)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(UsageError, match="chmod 600"):
            read_key(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_key(tmp_path / "absent")
