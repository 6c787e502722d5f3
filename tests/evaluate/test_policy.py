"""Policies are read strictly, and an altered one never goes by the name of a built-in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganonym.errors import UsageError
from ganonym.evaluate.verdict.policy import POLICIES, load_policy


def test_limits_of_the_protocol() -> None:
    public, controlled, internal = (load_policy(name) for name in POLICIES)
    assert (public.singling_out.rate, public.singling_out.advantage) == (0.09, 0.05)
    assert (controlled.singling_out.rate, internal.singling_out.rate) == (0.20, 0.33)
    assert public.same_photo.mode == "required if public"
    assert (public.linkability.advantage, public.inference.excess) == (0.09, 0.10)
    assert (public.groups.factor, public.groups.smallest) == (2.0, 30)
    assert (public.metadata.smallest_class, controlled.metadata.smallest_class) == (11, 5)
    assert (internal.metadata.mode, internal.integrity.mode, internal.controls.mode) == ("off", "report", "required")
    assert all(value.utility.mode == "report" and value.guarantee.mode == "required" for value in (public, controlled))
    assert len({value.digest() for value in (public, controlled, internal)}) == 3


def test_a_file_alters_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(
        'base = "public"\nvalid_days = 30\n[singling_out]\nrate = 0.05\n[inference]\nattributes = ["sex"]\n'
    )
    altered, public = load_policy(file), load_policy("public")
    assert altered.name == "public, altered by ours.toml"
    assert (altered.singling_out.rate, altered.singling_out.advantage, altered.valid_days) == (0.05, 0.05, 30)
    assert altered.inference.attributes == ("sex",)
    assert altered.linkability == public.linkability
    assert altered.digest() != public.digest() == load_policy("public").digest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("valid_days = 3", "base"),
        ('base = "none"', "base"),
        ('base = "public"\nname = "controlled"', "built-in"),
        ('base = "public"\nthreshold = 1', "threshold"),
        ('base = "public"\n[singling_out]\nrat = 0.1', "singling_out.rat"),
        ('base = "public"\n[singling_out]\nrate = 9', "singling_out.rate"),
        ('base = "public"\n[singling_out]\nrate = "0.1"', "singling_out.rate"),
        ('base = "public"\n[singling_out]\nrate = nan', "singling_out.rate"),
        ('base = "public"\n[singling_out]\nmode = "warn"', "singling_out.mode"),
        ('base = "public"\nsingling_out = 1', "singling_out"),
        ('base = "public"\n[metadata]\nsmallest_class = 2.5', "metadata.smallest_class"),
        ('base = "public"\n[groups]\nfactor = 0.5', "groups.factor"),
        ("base = ", "TOML"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_policy(file)


def test_every_fault_at_once_and_missing_files(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('base = "public"\nvalid_days = 0\ninconclusive = "maybe"')
    with pytest.raises(UsageError, match=r"valid_days.*inconclusive"):
        load_policy(file)
    with pytest.raises(UsageError, match="public, controlled, internal"):
        load_policy("strict")
    (tmp_path / "latin.toml").write_bytes(b'base = "\xe9"')
    with pytest.raises(UsageError, match="UTF-8"):
        load_policy(tmp_path / "latin.toml")
