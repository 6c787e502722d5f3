"""Planted leaks of files, each found by its attacker and by no other; files as ganonym writes them tell nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.errors import PhotoError
from ganonym.evaluate.attack_all import attack_samples
from ganonym.evaluate.attackers.attacker import Attacker, Lesson, Sample, Templates, templates
from ganonym.evaluate.attackers.metadata import (
    EMBEDDED,
    FILE_NAME,
    FILE_ORDER,
    FILE_SIZE,
    FILE_TIME,
    METADATA,
    MetadataView,
    grams,
    metadata_left,
)
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.photos.encode import encode_jpeg, encode_png
from ganonym.statistics.intervals import proportion

COUNT = 40
SUBJECTS = [f"s{index // 2}" for index in range(COUNT)]
YEAR = 365 * 86400.0


def name(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz234567"), 24))


def noise(rng: np.random.Generator, size: int) -> bytes:
    return encode_png(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))


def originals(folder: Path, rng: np.random.Generator) -> list[Path]:
    """Two photos a person, named after the person, of random times and sizes."""
    folder.mkdir()
    paths = []
    for index, size in enumerate(rng.permutation(np.arange(20, 20 + COUNT))):
        paths.append(folder / f"{index // 2 + 1}_{'AB'[index % 2]}.png")
        paths[-1].write_bytes(noise(rng, int(size)))
        taken = 1.5e9 + rng.uniform(0, YEAR)
        os.utime(paths[-1], (taken, taken))
    return paths


def release(
    folder: Path, rng: np.random.Generator, named: Callable[[int], str], when: Callable[[int], float]
) -> list[Path]:
    """Clean outputs of one frame, at names and times that a leak may choose."""
    folder.mkdir()
    paths = []
    for index in range(COUNT):
        paths.append(folder / f"{named(index)}.png")
        paths[-1].write_bytes(encode_png(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)))
        os.utime(paths[-1], (when(index), when(index)))
    return paths


def samples(paths: list[Path]) -> list[Sample]:
    return [Sample(np.asarray(Image.open(path).convert("RGB")), None, file=path) for path in paths]


def run(before: list[Path], after: list[Path]) -> dict[tuple[str, str], Finding]:
    result = attack_samples(METADATA, samples(before), samples(after), SUBJECTS)
    return {(finding.attacker, finding.setting): finding for finding in result}


def only(results: dict[tuple[str, str], Finding], leaking: list[Attacker], *settings: str) -> None:
    """All of `leaking` name nearly everyone in `settings`; the others are at chance in those."""
    for setting in settings:
        for attacker in METADATA:
            outcome = results[attacker.name, setting]
            if attacker in leaking:
                assert outcome.rank1.value > 0.9, outcome
            else:
                at_most_chance(outcome)


def at_most_chance(outcome: Finding) -> None:
    """At 1 in 1000, since so many are looked at."""
    assert proportion(outcome.rank1.value * outcome.rank1.n, outcome.rank1.n, 0.998).low <= outcome.chance, outcome


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def before(tmp_path: Path, rng: np.random.Generator) -> list[Path]:
    return originals(tmp_path / "originals", rng)


def test_random_names_and_one_time_tell_nothing(tmp_path: Path, rng: np.random.Generator, before: list[Path]) -> None:
    result = run(before, release(tmp_path / "out", rng, lambda _: name(rng), lambda _: 1.7e9))
    for outcome in result.values():
        at_most_chance(outcome)
        assert outcome.failures == 0


@pytest.mark.parametrize("form", ["{}", "anon_{}_final", "{}-deid"])
def test_kept_names_are_found(tmp_path: Path, rng: np.random.Generator, before: list[Path], form: str) -> None:
    times = rng.permutation(COUNT)
    after = release(tmp_path / "out", rng, lambda at: form.format(before[at].stem), lambda at: 1.7e9 + 60 * times[at])
    assert run(before, after)[FILE_NAME.name, SAME_PHOTO].rank1.value > 0.9


def test_numbers_in_the_order_of_the_originals_are_found(
    tmp_path: Path, rng: np.random.Generator, before: list[Path]
) -> None:
    """1, 2, … 40 after 1_A, 1_B, … 20_B: sorted as numbers; no digit is the same."""
    after = release(tmp_path / "out", rng, lambda at: f"out{at + 1}", lambda _: 1.7e9)
    result = run(before, after)
    assert result[FILE_ORDER.name, SAME_PHOTO].rank1.value == 1.0
    assert result[FILE_ORDER.name, ANONYMIZED].rank1.value > 0.4  # neighbours of both sides tie
    shuffled = rng.permutation(COUNT)
    result = run(before, release(tmp_path / "else", rng, lambda at: f"out{shuffled[at] + 1}", lambda _: 1.7e9))
    at_most_chance(result[FILE_ORDER.name, SAME_PHOTO])


def test_order_is_found_among_other_files_in_reverse_and_from_names_to_times(
    tmp_path: Path, rng: np.random.Generator, before: list[Path]
) -> None:
    """As a tool leaves it that goes backwards through a folder of which a third is not released."""
    for index in range(0, COUNT // 2, 2):
        (before[0].parent / f"{index}_C.png").write_bytes(noise(rng, 9))
    result = run(before, release(tmp_path / "out", rng, lambda _: name(rng), lambda at: 1.7e9 - at))
    assert result[FILE_ORDER.name, SAME_PHOTO].rank1.value > 0.9
    at_most_chance(result[FILE_TIME.name, SAME_PHOTO])


def test_too_few_known_people_leave_numbers_as_they_are() -> None:
    rows = np.zeros((6, MetadataView().width))
    rows[:, -6] = np.arange(6) / 5
    matcher = FILE_ORDER.learn(Lesson(rows, rows[::-1], ("a", "b", "c", "d", "e", "f")))
    assert np.allclose(matcher(Templates(rows[::-1], True), Templates(rows, False)).argmin(axis=1), [5, 4, 3, 2, 1, 0])
    twice = np.concatenate([rows, rows + 0.01])
    names = tuple(f"s{index}" for index in range(12))
    matcher = FILE_ORDER.learn(Lesson(twice, 1 - twice / 2, names))
    halved = Templates(1 - rows / 2, True)
    assert matcher(halved, Templates(rows, False)).argmin(axis=1).tolist() == [0, 1, 2, 3, 4, 5]
    own = halved.rows[:, -6]
    assert np.allclose(matcher(halved, halved), np.abs(own[:, None] - own[None, :]))


def test_times_in_order_and_times_kept_are_found(tmp_path: Path, rng: np.random.Generator, before: list[Path]) -> None:
    taken = [path.stat().st_mtime for path in before]
    order = np.argsort(np.argsort(taken))
    written = run(before, release(tmp_path / "order", rng, lambda _: name(rng), lambda at: 1.7e9 + 0.05 * order[at]))
    only(written, [FILE_TIME, FILE_ORDER], SAME_PHOTO)
    after = release(tmp_path / "kept", rng, lambda _: name(rng), lambda at: float(int(taken[at])))
    only(run(before, after), [FILE_TIME, FILE_ORDER], SAME_PHOTO)
    for index in range(COUNT):  # files of other years move all ranks
        other = after[0].with_name(f"other{index}.png")
        other.touch()
        os.utime(other, (1e9, 1e9))
    assert run(before, after)[FILE_TIME.name, SAME_PHOTO].rank1.value > 0.9


def test_sizes_and_frames_kept_are_found(tmp_path: Path, rng: np.random.Generator, before: list[Path]) -> None:
    """Saved again as they are, and as JPEG, whose sizes are others but in the same order."""
    for number, encode in enumerate((encode_png, encode_jpeg)):
        folder = tmp_path / f"out{number}"
        folder.mkdir()
        after = []
        for path in before:
            pixels = np.asarray(Image.open(path))
            after.append(folder / f"{name(rng)}.png")
            after[-1].write_bytes(encode(255 - pixels))
            os.utime(after[-1], (1.7e9, 1.7e9))
        only(run(before, after), [FILE_SIZE], SAME_PHOTO)


def test_metadata_of_the_camera_is_found(tmp_path: Path, rng: np.random.Generator) -> None:
    """The same serial number on all photos of a person, kept by the tool that changed the pixels."""
    before, after = [], []
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    for index in range(COUNT):
        exif = Image.Exif()
        exif[0xA431] = f"camera {index // 2 * 7919 % 1009}"
        exif[0x0110] = "the same model"
        for folder, paths in (("in", before), ("out", after)):
            paths.append(tmp_path / folder / f"{name(rng)}.jpg")
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(paths[-1], exif=exif)
            os.utime(paths[-1], (1.7e9, 1.7e9))
    result = run(before, after)
    only(result, [EMBEDDED], SAME_PHOTO, OTHER_PHOTO, ANONYMIZED)
    for path in after:
        path.write_bytes(encode_jpeg(np.asarray(Image.open(path))))
    outcome = run(before, after)[EMBEDDED.name, SAME_PHOTO]
    assert outcome.rank1.value == pytest.approx(outcome.chance)


def test_samples_without_a_file_are_missing_and_lost_files_are_errors(tmp_path: Path) -> None:
    rgb = np.zeros((4, 4, 3), dtype=np.uint8)
    rows = templates(MetadataView(), [Sample(rgb, None)])
    assert np.isnan(rows).all()
    for attacker in METADATA:
        matcher = attacker.learn(Lesson(rows, rows, ("s0",)))
        assert np.isnan(matcher(Templates(rows, True), Templates(rows, False))).all()
    for lost in (tmp_path / "gone.png", tmp_path / "no folder" / "gone.png"):
        with pytest.raises(PhotoError, match=r"gone\.png"):
            MetadataView().template(Sample(rgb, None, file=lost))


def test_one_file_alone_and_odd_names_break_nothing(tmp_path: Path) -> None:
    for odd in ("ä", "…" * 40, "no suffix", "9" * 100, os.fsdecode(b"\xff")):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / odd).write_bytes(encode_png(np.zeros((4, 4, 3), dtype=np.uint8)))
        row = MetadataView().template(Sample(np.zeros((4, 4, 3), dtype=np.uint8), None, file=folder / odd))
        assert row is not None
        assert np.isfinite(row).all()
    assert grams("") == ["^$"]


def test_what_is_left_in_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(np.zeros((4, 4, 3), dtype=np.uint8)))
    assert metadata_left(path) == ()
    path.write_bytes(path.read_bytes() + b"tail")
    assert metadata_left(path) == ("trailing bytes",)
    path.write_bytes(b"GIF89a")
    with pytest.raises(PhotoError, match="GIF"):
        metadata_left(path)
