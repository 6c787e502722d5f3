"""Extras: what they bring, what works without them, and what says that they are absent."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ganonym.extras import MODULES, Extra, bringing, require

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
NAMES = {"face-alignment": "face_alignment"}
ABSENT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted({module for modules in MODULES.values() for module in modules})!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def without_extras(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", ABSENT + code], capture_output=True, text=True)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return without_extras(f"from ganonym_cli.app import main; main({[str(argument) for argument in arguments]!r})")


def test_what_extras_bring_is_what_the_project_says() -> None:
    declared = {
        extra: {NAMES.get(name, name.replace("-", "_")) for name in (Requirement(line).name for line in lines)}
        for extra, lines in PROJECT["optional-dependencies"].items()
    }
    assert {extra: set(modules) for extra, modules in MODULES.items()} == declared


def test_make_setup_installs_every_extra() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text("utf-8")
    assert f"'.[{','.join(sorted(MODULES, key=('assess', 'fan', 'train', 'classify', 'text').index))}]'" in makefile


@pytest.mark.parametrize("extra", MODULES)
def test_the_first_module_that_lacks_is_named_with_its_extra(extra: Extra) -> None:
    ended = without_extras(f"from ganonym.extras import require; require({extra!r}, 'this')")
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("ganonym.errors.EnvironmentFault: this needs ")
    assert all(module in last for module in MODULES[extra])
    assert last.endswith(f"pip install 'ganonym[{extra}]'")
    require(extra, "this")
    assert {bringing(f"{module}.part") for module in MODULES[extra]} <= set(MODULES)


def test_doctor_tells_what_each_extra_lacks() -> None:
    ended = command("doctor", "--json")
    told = {finding["what"]: finding for finding in json.loads(ended.stdout)["findings"]}
    for extra, modules in MODULES.items():
        assert told[f"extra {extra}"]["level"] == "note"
        assert all(module in told[f"extra {extra}"]["detail"] for module in modules)


@pytest.mark.parametrize("name", ["assess", "sweep", "compare"])
def test_an_assessment_without_its_extra_is_refused_before_it_begins(name: str, tmp_path: Path) -> None:
    folders = [tmp_path] if name == "sweep" else [tmp_path, tmp_path]
    manifest = [] if name == "compare" else ["--manifest", tmp_path / "people.csv"]
    ended = command(name, *folders, *manifest, "--out", tmp_path / "out")
    assert (ended.returncode, ended.stdout) == (4, "")
    assert "needs jinja2, matplotlib, pandas, pyarrow, which are not installed" in ended.stderr
    assert "pip install 'ganonym[assess]'" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_makes_and_checks_releases_needs_no_extra() -> None:
    rooms = "ganonym.pipeline", "ganonym.transforms", "ganonym.evaluate.plan", "ganonym.evaluate.attack_all"
    code = """
import importlib, pkgutil, ganonym
from importlib.util import find_spec
names = [name for name in ROOMS if find_spec(name)]
for room in ("batch", "baselines", "faces", "photos", "phantom", "privacy", "synthesis", "statistics"):
    package = importlib.import_module(f"ganonym.{room}")
    names += [module.name for module in pkgutil.walk_packages(package.__path__, f"ganonym.{room}.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    ended = without_extras(code.replace("ROOMS", repr(rooms)))
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 40


def test_every_public_name_loads_and_the_tour_reads_without_any_extra() -> None:
    ended = without_extras("import ganonym; [getattr(ganonym, name) for name in ganonym.__all__]; help(ganonym)")
    assert ended.returncode == 0, ended.stderr
    assert "compare(" in ended.stdout
    ended = without_extras("import ganonym; ganonym.assess('photos', 'release')")
    assert ended.stderr.strip().endswith("pip install 'ganonym[assess]'")


def test_a_small_run_needs_no_extra(tmp_path: Path) -> None:
    ended = command("phantom", tmp_path / "people", "--people", 2, "--photos", 1, "--jobs", 1)
    assert ended.returncode == 0, ended.stderr
    photos, out = tmp_path / "people" / "photos", tmp_path / "out"
    ended = command("anonymize", photos, out, "--mechanism", "codebook", "--jobs", 1, "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["anonymized"] == 2


BOUNDS = {requirement.name: requirement.specifier for requirement in map(Requirement, PROJECT["dependencies"])}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("typer", "0.19.0"),
        ("typer", "0.20.1"),
        ("typer", "0.29.2"),
        ("rich", "13.9.4"),
        ("rich", "14.3.4"),
        ("rich", "15.0.0"),
    ],
)
def test_bounds_admit_what_others_need(name: str, version: str) -> None:
    """flwr from 1.26 on asks for typer < 0.21 and rich < 15; with bounds above, a resolver would take flwr 1.7."""
    assert version in BOUNDS[name]


def test_nothing_that_is_installed_bounds_protobuf_from_below_seven() -> None:
    assert "protobuf" not in BOUNDS
    assert not {name for name in BOUNDS if name in ("matplotlib", "pyarrow", "jinja2", "pandas")}
