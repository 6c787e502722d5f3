"""Keyed names: the stated formula, the key's care, and no meetings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.pseudonym import (
    key_mark,
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
