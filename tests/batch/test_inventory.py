"""The dry run: what it counts, what it refuses, and that it writes nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from tiny_pipeline import save_photo

from ganonym.batch.inventory import take_inventory
from ganonym.errors import UsageError
from ganonym.release_plan import choose_mechanism
from ganonym.settings import Settings


def cohort(folder: Path, sizes: dict[str, int]) -> Path:
    """Photos of as many subjects for each label, and their manifest."""
    lines = ["image,subject,syndrome"]
    for label, size in sizes.items():
        for number in range(size):
            save_photo(folder / "in" / f"{label}{number}.png", number)
            lines.append(f"{label}{number}.png,{label}{number},{label}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines))
    return path


def test_counts_and_nothing_written(tmp_path: Path) -> None:
    manifest = cohort(tmp_path, {"x": 4, "y": 2})
    save_photo(tmp_path / "in" / "sub" / "extra.png", 50)
    (tmp_path / "in" / "link.png").symlink_to("x0.png")
    (tmp_path / "in" / "b.tiff").write_bytes((tmp_path / "in" / "x0.png").read_bytes())
    before = sorted(tmp_path.rglob("*"))
    inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3), manifest)
    assert sorted(tmp_path.rglob("*")) == before
    assert inventory.formats == {"png": 6}
    assert inventory.subjects == 6
    assert inventory.classes == {"x": 4, "y": 2}
    assert inventory.small == ("y",)
    assert inventory.mechanism == "k-same"
    assert {name: refusal.reason for name, refusal in inventory.refused} == {
        "link.png": "symlink",
        "b.tiff": "not-in-manifest",
        "sub/extra.png": "not-in-manifest",
    }


def test_a_manifest_inside_the_input_is_no_refused_photo(tmp_path: Path) -> None:
    manifest = cohort(tmp_path, {"x": 3})
    inside = tmp_path / "in" / "manifest.csv"
    manifest.rename(inside)
    for manifest, ignored in ((inside, {}), (None, {"text": 1})):
        inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3), manifest)
        assert (inventory.refused, inventory.ignored) == ((), ignored)
    named_as_picture = inside.rename(tmp_path / "in" / "people.list")
    assert take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3), named_as_picture).refused == ()


def test_what_a_system_leaves_is_ignored_and_counted(tmp_path: Path) -> None:
    manifest = cohort(tmp_path, {"x": 3})
    for folder in ("@eaDir", "__MACOSX", ".git"):
        save_photo(tmp_path / "in" / folder / "x0.png", 1)
    for name in (".DS_Store", "._x0.png", "Thumbs.db", "desktop.ini"):
        (tmp_path / "in" / name).touch()
    for table in (manifest, None):
        inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3), table)
        assert (len(inventory.photos), inventory.subjects, inventory.refused) == (3, 3, ())
        assert inventory.ignored == {"hidden": 3, "system": 4}
        assert any("ignored 7 files or folders" in note for note in inventory.notes)


def test_a_manifest_of_windows_finds_its_photos(tmp_path: Path) -> None:
    cohort(tmp_path, {"x": 3})
    table = tmp_path / "m.csv"
    table.write_text("sep=;\r\nimage;subject\r\n" + "".join(f"C:\\fotos\\X{n}.PNG;P{n}\r\n" for n in range(3)))
    inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3), table)
    assert {name: row.subject for name, row in (inventory.rows or {}).items()} == {
        f"x{n}.png": f"P{n}" for n in range(3)
    }
    note = next(note for note in inventory.notes if "folders in front" in note)
    assert "fotos" not in note, "notes go into a report that is shared"


@pytest.mark.parametrize(
    ("sizes", "k", "mechanism"),
    [
        ({"x": 3}, 3, "k-same"),
        ({"x": 2}, 3, "codebook"),
        ({"x": 2, "y": 2}, 3, "codebook"),
        ({"x": 3, "y": 1}, 3, "k-same"),
    ],
)
def test_mechanism_follows_the_largest_class(tmp_path: Path, sizes: dict[str, int], k: int, mechanism: str) -> None:
    inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=k), cohort(tmp_path, sizes))
    assert inventory.mechanism == mechanism
    assert mechanism in inventory.notes[0]


def test_asking_for_k_same_with_too_few_people_is_refused_before_any_work(tmp_path: Path) -> None:
    manifest = cohort(tmp_path, {"x": 2, "y": 2})
    with pytest.raises(UsageError, match="no class has k = 3 subjects"):
        take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3, mechanism="k-same"), manifest)


def test_photos_of_one_person_count_once(tmp_path: Path) -> None:
    for number in range(6):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    table = tmp_path / "m.csv"
    table.write_text("image,subject\n" + "".join(f"{number}.png,P{number // 3}\n" for number in range(6)))
    inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3), table)
    assert (inventory.subjects, inventory.mechanism) == (2, "codebook")
    assert take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3)).mechanism == "k-same"
    assert choose_mechanism(Settings(k=3, mechanism="codebook"), {})[0] == "codebook"


def test_names_that_could_meet_are_found_before_any_work(tmp_path: Path) -> None:
    for name in ("a.png", "A.png", unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")):
        save_photo(tmp_path / "in" / name, 1)
    if len(list((tmp_path / "in").iterdir())) < 4:
        pytest.skip("this file system does not tell these names apart")
    with pytest.raises(UsageError, match="differ only in case or Unicode form") as caught:
        take_inventory(tmp_path / "in", tmp_path / "out", Settings())
    assert "'A.png' and 'a.png'" in str(caught.value)
    assert "é" in unicodedata.normalize("NFC", str(caught.value))


def test_a_manifest_in_another_unicode_form_still_matches(tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / unicodedata.normalize("NFD", "Zoë.png"), 1)
    table = tmp_path / "m.csv"
    table.write_text(unicodedata.normalize("NFC", "image,subject\nZoë.png,Z\n"))
    inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(), table)
    assert [row.subject for row in (inventory.rows or {}).values()] == ["Z"]
    assert set(inventory.rows or {}) == set(inventory.photos)


def test_wrong_folders_and_manifests(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="no photo"):
        take_inventory(tmp_path / "in", tmp_path / "out", Settings())
    save_photo(tmp_path / "in" / "a.png", 1)
    with pytest.raises(UsageError, match="inside"):
        take_inventory(tmp_path / "in", tmp_path / "in" / "out", Settings())
    table = tmp_path / "m.csv"
    table.write_text("image,subject\nelsewhere/b.png,A\n")
    with pytest.raises(UsageError, match=r"image 'elsewhere/b.png', the nearest photo is 'a.png'"):
        take_inventory(tmp_path / "in", tmp_path / "out", Settings(), table)


def test_small_classes_are_named_before_they_are_merged(tmp_path: Path) -> None:
    manifest = cohort(tmp_path, {"x": 2, "y": 2})
    inventory = take_inventory(tmp_path / "in", tmp_path / "out", Settings(k=3, small_classes="merge"), manifest)
    assert (inventory.mechanism, inventory.small) == ("k-same", ())
    assert any("merged with their nearest: x, y" in note for note in inventory.notes)
    settings = Settings(k=5, small_classes="merge", mechanism="k-same")
    with pytest.raises(UsageError, match="no class has k = 5 subjects"):
        take_inventory(tmp_path / "in", tmp_path / "out", settings, manifest)
