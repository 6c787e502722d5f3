"""An attacker is one file: given by argument or installed by a package, it attacks, and is told, as ours are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attack_all import attack_all, attack_samples
from ganonym.evaluate.attack_one import FUSED
from ganonym.evaluate.attackers.attacker import Approach, Fixed, Lesson, Matcher, Rows, Sample, approach_of, euclidean
from ganonym.evaluate.attackers.recognizers import OnnxView
from ganonym.evaluate.attackers.thumbnails import THUMBNAIL
from ganonym.evaluate.protocol import OTHER_PHOTO, SAME_PHOTO, TIERS
from ganonym.evaluate.release import Item, Release
from ganonym.evaluate.report.wording import attacker_words
from ganonym.evaluate.suite import FUSED_PARTS, installed, suite, views_of
from ganonym.manifest import Row

PLUGIN = """
from dataclasses import dataclass

import numpy as np

from ganonym.evaluate.attackers.attacker import Approach, Fixed, euclidean

@dataclass(frozen=True)
class Brightness:
    name: str = "brightness"
    width: int = 1

    def template(self, sample):
        return np.array([sample.rgb.mean()])

BRIGHTNESS = Fixed("brightness", Brightness(), euclidean, Approach("T0", "brightness of the photograph"))
NO_ATTACKER = "brightness"
TAKEN = Fixed("dlib", Brightness(), euclidean)

@dataclass(frozen=True)
class Learner:
    view: object = Brightness()
    name: str = "learner"

    def learn(self, lesson):
        return euclidean

def make():
    return Learner()

def broken():
    raise RuntimeError("no camera")
"""


@dataclass(frozen=True)
class Darkness:
    """Anyone's view."""

    name: str = "darkness"
    width: int = 1

    def template(self, sample: Sample) -> Rows:
        return np.array([-sample.rgb.mean()])


@dataclass(frozen=True)
class Minimal:
    """The least an attacker has: a name, a view, and what it learns."""

    name: str = "minimal"
    view: Darkness = Darkness()

    def learn(self, lesson: Lesson) -> Matcher:  # noqa: ARG002
        return euclidean


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **offered: str) -> None:
    """A package as pip leaves it: a module, and beside it the metadata with its entry points."""
    (folder / "bright_plugin.py").write_text(PLUGIN)
    info = folder / "bright_faces-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bright-faces\nVersion: 1.2\n")
    lines = "".join(f"{name} = bright_plugin:{value}\n" for name, value in offered.items())
    (info / "entry_points.txt").write_text(f"[ganonym.attackers]\n{lines}")
    monkeypatch.syspath_prepend(folder)


def grey(levels: list[int]) -> list[Sample]:
    return [Sample(np.full((8, 8, 3), level, np.uint8), None) for level in levels]


def test_names_are_distinct_and_everyone_has_words() -> None:
    names = [attacker.name for attacker in suite()]
    assert len(set(names)) == len(names)
    assert set(FUSED_PARTS) <= set(names)
    words = [attacker_words(attacker.name, approach_of(attacker).tier) for attacker in suite()]
    assert len(set(words)) == len(words)
    assert set(words) & set(TIERS.values()) == {"restoration before recognition"}, "which reversal is called, too"
    assert attacker_words(FUSED, "T1") == "several attackers fused"
    assert attacker_words("ridge map on dlib oracle", "A") == "learned map back, face recognizer, position known"


def test_an_attacker_given_by_argument_is_attacked_with() -> None:
    attackers = suite(attackers=[Minimal()])
    assert attackers[-1] == Minimal()
    assert Darkness() in views_of(attackers)
    levels = list(range(0, 200, 10))
    subjects = [f"s{n}" for n in range(20)]
    (finding,) = attack_samples([Minimal()], grey(levels), grey(levels), subjects)
    assert (finding.attacker, finding.tier, finding.setting, finding.rank1.value) == ("minimal", "A", SAME_PHOTO, 1.0)
    assert attacker_words("minimal", finding.tier) == f"{TIERS['A']}: minimal"


@pytest.mark.parametrize(
    "name", ["", "<b>x</b>", "IMG_4711.jpg", "/mnt/scans", "anna maria", "Müller", "a" * 41, "plain\n", "onnx:arc.onnx"]
)
def test_the_evidence_page_names_no_attacker_whose_name_is_no_plain_word(name: str) -> None:
    assert attacker_words(name, "T2") == TIERS["T2"]
    assert attacker_words(name, "no tier") == "another attacker"
    longest = "Mean-Brightness-2-" + "a" * 22
    assert attacker_words(longest, "T0") == f"{TIERS['T0']}: {longest}"


def test_folds_and_settings_are_the_attackers_own() -> None:
    photos = grey([10 * (n // 2) + n % 2 for n in range(40)])
    subjects = [f"s{n // 2}" for n in range(40)]
    lessons: list[set[str]] = []

    @dataclass(frozen=True)
    class Noting(Minimal):
        approach: Approach = Approach("R", folds=2, settings=(OTHER_PHOTO,))  # noqa: RUF009

        def learn(self, lesson: Lesson) -> Matcher:
            lessons.append(set(lesson.subjects))
            return euclidean

    (finding,) = attack_samples([Noting()], photos, photos, subjects)
    assert (finding.setting, finding.tier) == (OTHER_PHOTO, "R")
    assert len(lessons) == 2
    assert lessons[0].isdisjoint(lessons[1])


def test_few_photos_in_memory_give_what_an_assessment_finds() -> None:
    rng = np.random.default_rng(0)
    before = grey(rng.integers(0, 255, 24).tolist())
    after = [*grey(rng.integers(0, 255, 23).tolist()), None]
    subjects = [f"s{n // 2:02d}" for n in range(24)]
    rows = {
        name: np.array([[np.nan] if sample is None else Darkness().template(sample) for sample in side])
        for name, side in (("before", before), ("after", after))
    }
    items = tuple(
        Item(Row(f"{n}.png", subject), Path("in.png"), None if sample is None else Path("out.png"))
        for n, (subject, sample) in enumerate(zip(subjects, after, strict=True))
    )
    seen = Seen({"darkness": rows["before"]}, {"darkness": rows["after"]}, {}, {}, (None,) * 24, ())
    whole = attack_all([Minimal()], (), seen, Release(items, (), None, "", ()), seed=3)
    assert whole.findings == attack_samples([Minimal()], before, after, subjects, seed=3)
    assert whole.findings != attack_samples([Minimal()], before, after, subjects, seed=4)


def test_what_is_no_attacker_is_refused() -> None:
    for wrong, said in (
        (replace(THUMBNAIL, matcher=euclidean), "the caller brings an attacker 'thumbnail', as ganonym does"),
        (replace(THUMBNAIL, name=FUSED), "'fused'"),
        (Fixed("other", Darkness(name="thumbnail"), euclidean), "view 'thumbnail'"),
        (Fixed("other", Darkness(), euclidean, "T0"), "is no attacker: approach"),  # type: ignore[arg-type]
        (object(), "is no attacker: name, view, learn"),
    ):
        with pytest.raises(UsageError, match=said):
            suite(attackers=[wrong])  # type: ignore[list-item]
    assert suite(attackers=[Minimal(), Fixed("other", Darkness(), euclidean)]), "views may be shared"


def test_two_recognizers_of_one_name_are_refused() -> None:
    two = [OnnxView(Path(folder) / "glint.onnx", 64 * "0", "arcface") for folder in ("old", "new")]
    with pytest.raises(UsageError, match=r"the caller brings an attacker 'glint \(arcface\)', as the caller does"):
        suite(two)
    assert "ridge map on glint (arcface)" in [attacker.name for attacker in suite(two[:1])]


def test_an_installed_attacker_is_run_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, brightness="BRIGHTNESS", learner="make")
    assert [(offer.attacker.name, offer.distribution, offer.version) for offer in installed()] == [
        ("brightness", "bright-faces", "1.2"),
        ("learner", "bright-faces", "1.2"),
    ]
    assert [attacker.name for attacker in suite()[-2:]] == ["brightness", "learner"]


def test_a_package_in_another_process_brings_its_attacker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a fresh interpreter, as a user has it; without what only reports need."""
    install(tmp_path, monkeypatch, brightness="BRIGHTNESS")
    script = """
        import sys
        for name in ("matplotlib", "pyarrow", "jinja2"):
            sys.modules[name] = None
        import numpy as np
        from ganonym.evaluate.attack_all import attack_samples
        from ganonym.evaluate.attackers.attacker import Sample
        from ganonym.evaluate.suite import suite
        attacker = suite()[-1]
        photos = [Sample(np.full((8, 8, 3), level, np.uint8), None) for level in range(0, 200, 10)]
        (finding,) = attack_samples([attacker], photos, photos, [f"s{n}" for n in range(20)])
        print(finding.attacker, finding.rank1.value)
    """
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tmp_path), *sys.path]))
    done = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["brightness", "1.0"]


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ("NO_ATTACKER", "bright-faces .*is no attacker"),
        ("TAKEN", "bright-faces brings an attacker 'dlib', as ganonym does"),
        ("broken", "bright-faces .*cannot be loaded: no camera"),
        ("missing", "bright-faces .*cannot be loaded"),
    ],
)
def test_a_package_that_offers_something_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: str, said: str
) -> None:
    install(tmp_path, monkeypatch, odd=offered)
    with pytest.raises(UsageError, match=said):
        suite()
