"""The chain: any change in it is found, a torn end is mended, and nothing else is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.ledger import GENESIS, Ledger, read_ledger, verify_ledger
from ganonym.errors import EnvironmentFault
from ganonym.types import Refusal


@pytest.fixture
def path(quick_disk: Path) -> Path:
    path = quick_disk / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append({"kind": "header", "settings": {"k": 11}})
        for number in range(5):
            ledger.append({"kind": "item", "name": f"{number}.png", "outcome": "anonymized"})
        ledger.append({"kind": "closed"})
    return path


def test_the_chain_is_the_stated_one(path: Path) -> None:
    previous = GENESIS
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        claimed = entry.pop("hash")
        assert entry["prev"] == previous
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == claimed
        previous = claimed
    assert verify_ledger(path) == []


def test_every_altered_byte_is_found(path: Path) -> None:
    sound = path.read_bytes()
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert verify_ledger(path), f"byte {place}"


def test_every_missing_doubled_or_moved_line_is_found(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    changes = [lines[:place] + lines[place + 1 :] for place in range(len(lines))]
    changes += [lines[: place + 1] + lines[place:] for place in range(len(lines))]
    changes += [
        [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]] for place in range(len(lines) - 1)
    ]
    for changed in changes:
        path.write_bytes(b"".join(changed))
        assert verify_ledger(path)


def test_every_cut_is_found_and_mended_on_opening(path: Path) -> None:
    sound = path.read_bytes()
    for size in range(0, len(sound), 3):
        path.write_bytes(sound[:size])
        assert verify_ledger(path)
        with Ledger(path) as ledger:
            assert path.read_bytes() == sound[: sound[:size].rfind(b"\n") + 1]
            for line in sound.splitlines()[len(ledger.entries) :]:
                entry = json.loads(line)
                ledger.append({name: value for name, value in entry.items() if name not in ("prev", "hash")})
        assert path.read_bytes() == sound


def test_opening_refuses_an_altered_middle(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"k":11', b'"k":12'))
    with pytest.raises(EnvironmentFault, match="line 1: content does not match"):
        Ledger(path)


def test_settle_appends_only_what_is_new(path: Path) -> None:
    with Ledger(path) as ledger:
        size = path.stat().st_size
        ledger.settle({"kind": "item", "name": "1.png", "outcome": "anonymized"})
        assert path.stat().st_size == size
        ledger.settle({"kind": "item", "name": "1.png", "outcome": "quarantined"})
        assert path.stat().st_size > size
        assert ledger.items["1.png"]["outcome"] == "quarantined"
    assert read_ledger(path).entries[-1]["name"] == "1.png"


def test_torn_analysis_is_mended_and_what_follows_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "analysis.jsonl"
    with AnalysisStore(path, "k") as store:
        store.add("a", "1", Refusal("no-face", "é"))
        store.add("b", "2", Refusal("no-face", "b"))
    sound = path.read_bytes()
    path.write_bytes(sound[:-9])
    with AnalysisStore(path, "k") as store:
        assert ("a", "1") in store
        assert ("b", "2") not in store
        store.add("b", "2", Refusal("no-face", "b"))
    assert path.read_bytes() == sound
    with AnalysisStore(path, "k") as store:
        assert store.read("a", "1") == Refusal("no-face", "é")
        assert store.read("b", "2") == Refusal("no-face", "b")
        assert ("a", "2") not in store, "another content is another photo"
    with AnalysisStore(path, "other settings") as store:
        assert ("a", "1") not in store
