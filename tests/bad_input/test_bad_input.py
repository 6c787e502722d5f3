"""One batch with the real models over good photos and every bad file that a steward's disk may hold."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import (
    ASCII_CANARY,
    CANARY,
    FOLDER,
    FORMS,
    Pixels,
    bad_photos,
    border_photos,
    encoded,
    good_photos,
    ignored_files,
    tagged_png,
)
from PIL import Image

from ganonym.faces.aligned import correlation, face_thumbnail
from ganonym.faces.detect import DlibDetector
from ganonym.faces.find import default_backends, find_faces
from ganonym.faces.landmarks import DlibLandmarks
from ganonym.phantom.cohort import phantom_cohort
from ganonym.photos.decode import decode
from ganonym.photos.encode import prove_clean
from ganonym.types import CANVAS
from ganonym.verify import Limits
from ganonym_cli.app import main


@dataclass(frozen=True)
class Run:
    source: Path
    out: Path
    manifest: Path
    code: int
    keymap: tuple[dict[str, str], ...]
    quarantine: dict[str, str]

    @property
    def outputs(self) -> dict[str, list[Path]]:
        results: dict[str, list[Path]] = {}
        for row in self.keymap:
            results.setdefault(row["source"], []).append(self.out / row["output"])
        return results


FIVE, LEFT_OF_FIVE = "five.jpg", "the-left-of-five.jpg"
# As the verifier looks at outputs: other landmarks line a face up otherwise, and its likeness moves by some hundredths.
JUDGES = DlibDetector(sides=(CANVAS,), most_enlarged=1.0), DlibLandmarks(nudges=((0.0, 0.0),))
PEOPLE = 30
GOOD = tuple(good_photos([np.zeros((480, 480, 3), np.uint8)] * PEOPLE))
WITHHELD = {"not-in-the-manifest.png": "not-in-manifest", "never-copied.jpg": "missing-photo"}
# Files without permission are in photos/test_walk.py, which gives up root's rights; here they would be read.
SPECIAL = {"fifo.jpg": "special-file", "link.jpg": "symlink", "dangling.jpg": "symlink", "linked-folder": "symlink"}


@pytest.fixture(scope="module")
def people() -> list[Pixels]:
    return [photo.rgb for photo in phantom_cohort(PEOPLE, 1, seed=7)]


@pytest.fixture(scope="module")
def run(people: list[Pixels], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The batch, once: good and bad files, links and devices, a manifest with a missing and a surplus photo."""
    base = tmp_path_factory.mktemp("bad-input")
    source, out = base / "in", base / "out"
    blank = np.full_like(people[0], 120)
    five = np.vstack([np.hstack(people[-5:-2]), np.hstack([blank, *people[-2:]])])
    files = good_photos(people) | {name: data for name, (data, _) in bad_photos(people).items()}
    files |= border_photos(people) | dict.fromkeys((FIVE, LEFT_OF_FIVE), encoded(five, "JPEG", quality=95))
    for name, data in (files | ignored_files(people) | {"not-in-the-manifest.png": tagged_png(people[0])}).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    os.mkfifo(source / "fifo.jpg")
    (base / "elsewhere").mkdir()
    (base / "elsewhere" / "secret.png").write_bytes(encoded(people[0], "PNG"))
    (source / "link.jpg").symlink_to(base / "elsewhere" / "secret.png")
    (source / "dangling.jpg").symlink_to(base / "nowhere")
    (source / "linked-folder").symlink_to(base / "elsewhere")
    manifest = base / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "subject", "face"])
        for number, name in enumerate([*files, "never-copied.jpg"]):
            cut_person = name.rpartition("-")[2] if name.startswith("border/") else ""
            subject = f"{CANARY} cut {cut_person}" if cut_person else f"{CANARY} {number}"
            writer.writerow([name, subject, "left" if name == LEFT_OF_FIVE else ""])
    # A key of its own would give every run other faces, and now and then one that chance made like its source.
    key = base / "key"
    key.write_text("0" * 64)
    key.chmod(0o600)
    options = ["--manifest", str(manifest), "--key-file", str(key), "--jobs", "2", "--quiet"]
    with pytest.raises(SystemExit) as stop:
        main(["anonymize", str(source), str(out), *options])
    keymap, quarantine = read(out / "private/keymap.csv"), read(out / "private/quarantine.csv")
    assert len({row["source"] for row in quarantine}) == len(quarantine), "withheld once, not twice"
    return Run(source, out, manifest, int(stop.value.code or 0), keymap, {r["source"]: r["reason"] for r in quarantine})


def read(path: Path) -> tuple[dict[str, str], ...]:
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


def test_the_exit_code_says_that_something_is_withheld(run: Run) -> None:
    assert run.code == 1


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_photo_is_anonymized_however_it_was_saved(run: Run, name: str) -> None:
    assert len(run.outputs.get(name, [])) == 1, run.quarantine.get(name)


def test_a_bad_file_is_withheld_with_its_reason(run: Run, people: list[Pixels]) -> None:
    expected = {name: reason for name, (_, reason) in bad_photos(people).items()} | WITHHELD | SPECIAL
    results = {name: run.quarantine.get(name) for name in expected}
    assert results == expected
    assert not set(expected) & set(run.outputs)


def test_of_several_people_one_is_the_subject_or_the_photo_is_withheld(run: Run) -> None:
    assert run.quarantine[FIVE] == "several-faces"
    assert len(run.outputs[LEFT_OF_FIVE]) == 1


def test_a_face_cut_by_the_border_is_anonymized_or_withheld(run: Run, people: list[Pixels]) -> None:
    for name in border_photos(people):
        outcomes = len(run.outputs.get(name, [])), run.quarantine.get(name)
        # A person has several cut photos, and groups take one each.
        withheld = {"no-face", "tiny", "profile", "shape", "many-photos"}
        assert outcomes[0] == 1 or outcomes[1] in withheld, (name, outcomes)


def test_what_is_no_photograph_is_ignored_and_counted(run: Run, people: list[Pixels]) -> None:
    ignored = set(ignored_files(people))
    assert not ignored & (set(run.outputs) | set(run.quarantine))
    report = (run.out / "REPORT.md").read_text()
    assert "ignored 14 files or folders that are no photographs by their names: hidden 5, system 6, text 3" in report
    assert not any(name in report for name in ignored), "names may be names of patients"


def test_every_file_is_in_the_keymap_or_in_quarantine_and_never_in_both(run: Run, people: list[Pixels]) -> None:
    present = {path.relative_to(run.source).as_posix() for path in run.source.rglob("*") if not path.is_dir()}
    present |= {"linked-folder"}
    present -= set(ignored_files(people))
    anonymized, withheld = set(run.outputs), set(run.quarantine)
    assert anonymized | withheld == present | {"never-copied.jpg"}
    assert not anonymized & withheld
    assert {len(outputs) for outputs in run.outputs.values()} == {1}


def test_the_output_folder_holds_synthesized_pictures_and_nothing_else(run: Run) -> None:
    inputs = {path.read_bytes() for path in run.source.rglob("*") if path.is_file()}
    files = [path for path in (run.out / "images").rglob("*") if not path.is_dir()]
    assert sorted(files) == sorted(path for paths in run.outputs.values() for path in paths)
    assert len({path.read_bytes() for path in files}) == len(files) == len(run.keymap)
    for path in files:
        data = path.read_bytes()
        assert data not in inputs
        prove_clean(data)
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size, image.mode) == ("PNG", (256, 256), "RGB")


def thumbnail_of(rgb: Pixels) -> NDArray[np.uint8]:
    face = find_faces(rgb, *default_backends())[0]
    return face_thumbnail(rgb, face.points)


def test_no_output_is_its_source_nor_any_other_person_on_the_disk(run: Run) -> None:
    sources = {}
    for name in run.outputs:
        rgb = decode((run.source / name).read_bytes(), name)
        sources[name] = [face_thumbnail(rgb, face.points) for face in find_faces(rgb, *default_backends())]
    for name, paths in run.outputs.items():
        for path in paths:
            rgb = decode(path.read_bytes(), path.name)
            judged = face_thumbnail(rgb, find_faces(rgb, *JUDGES)[0].points)
            assert max(correlation(judged, face) for face in sources[name]) <= Limits().correlation, name
            output = thumbnail_of(rgb)
            likeness = {other: max(correlation(output, face) for face in faces) for other, faces in sources.items()}
            assert max(likeness.values()) < 0.97, (name, max(likeness, key=lambda other: likeness[other]))


def test_no_name_and_no_tag_leaves_private(run: Run) -> None:
    """Positive controls first: the canaries are in the sources, and names and subjects in private/."""
    written = [f"{FOLDER}/{ASCII_CANARY}.jpg", f"{FOLDER}/deeper/{CANARY}.png", f"{FOLDER}/{CANARY} scan.TIFF"]
    assert all(any(form in (run.source / name).read_bytes() for form in FORMS) for name in written)
    private = b"".join(path.read_bytes() for path in (run.out / "private").rglob("*") if path.is_file())
    assert ASCII_CANARY.encode() in private
    assert CANARY.encode() in private
    names = {Path(name).stem.encode() for name in run.outputs} - {b"inside"}  # an English word of the report
    for path in run.out.rglob("*"):
        inside = path.relative_to(run.out)
        if inside.parts[0] != "private":
            shared = bytes(str(inside), "utf-8") + (path.read_bytes() if path.is_file() else b"")
            assert not [form for form in FORMS if form in shared], inside
            assert path.suffix == ".png" or not [name for name in names if name in shared], inside


def test_private_is_closed(run: Run) -> None:
    assert (run.out / "private").stat().st_mode & 0o077 == 0


def test_verify_finds_the_release_sound(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["verify", str(run.out), "--originals", str(run.source), "--json"])
    assert int(stop.value.code or 0) == 0, capsys.readouterr().out


MALFORMED = """\
image,subject,sex,age
windows.bmp,A,female,30
windows.bmp,B,male,30
../escape.jpg,C,male,30
..\\escape.jpg,D,male,30
,E,male,30
cmyk.jpg,,male,30
palette.png,F,unknown,30
alpha.png,G,male,old
grey.jpg,H,male
grey.jpg,H,male,30,more
coffee.png,A,male,30
"""


def test_a_malformed_manifest_is_refused_with_all_its_faults(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.csv").write_text(MALFORMED)
    told = refused(run.source, tmp_path, capsys)
    assert "10 faults" in told
    for line in range(3, 13):
        assert f"line {line}: " in told
    assert not (tmp_path / "out" / "images").exists()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("picture,person\na,b\n", "'image' is missing; there are picture, person. Is it 'picture'? Rename it"),
        ("", "column 'subject' is missing"),
        ("image,subject\n", "no row of the manifest"),
        ("image,subject\nelsewhere.jpg,A\n", "no row of the manifest"),
        ('image,subject\n"windows.bmp,A\n', "line"),
        ("image,subject\nwindows.bmp,\udcff\n", "not UTF-8"),
    ],
)
def test_a_manifest_that_names_nothing_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, words: str
) -> None:
    (tmp_path / "manifest.csv").write_bytes(table.encode("utf-8", "surrogateescape"))
    assert words in refused(run.source, tmp_path, capsys)


def refused(source: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    arguments = ["anonymize", source, folder / "out", "--manifest", folder / "manifest.csv"]
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    return " ".join(capsys.readouterr().err.split())
