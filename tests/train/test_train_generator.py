"""Training the generator in miniature: a resumed run ends where an uninterrupted one does, to the byte."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganonym.errors import UsageError
from ganonym.faces.appearance import load_appearance
from ganonym.synthesis.generator import Generator, compose
from ganonym.synthesis.synthesizer import surrogate_condition
from ganonym_train.adversarial import Checkpoint, Recipe
from ganonym_train.critic import Discriminator
from ganonym_train.generator import _initialise, train_generator
from ganonym_train.loop import export_half, load_checkpoint, save_checkpoint
from ganonym_train.losses import WEIGHTS
from ganonym_train.pairs import (
    BATCH_PATTERN,
    sampled_face,
)

WIDTHS = (16, 16, 24, 32)


def recipe(steps: int, **changes: object) -> Recipe:
    return Recipe(
        images=steps * BATCH_PATTERN,
        save_every=100,
        generator_widths=WIDTHS,
        discriminator_width=8,
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def whole(two_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train_generator(two_people, folder / "run", folder / "out" / "generator.safetensors", recipe(3), lambda _: None)
    return folder


class Killed(Exception):
    """What ends a run between two steps."""


def test_a_resumed_run_equals_an_uninterrupted_one(two_people: Path, whole: Path, tmp_path: Path) -> None:
    def killing(line: str) -> None:
        if line.startswith("step 1 of 3"):
            raise Killed

    often = replace(recipe(3), save_every=1)
    with pytest.raises(Killed):
        train_generator(two_people, tmp_path / "run", tmp_path / "generator.safetensors", often, killing)
    told: list[str] = []
    train_generator(two_people, tmp_path / "run", tmp_path / "generator.safetensors", recipe(3), told.append)
    assert any("step 1 of 3" in line for line in told)  # where it began
    expected, result = (load_file(value / "run" / "checkpoint.safetensors") for value in (whole, tmp_path))
    assert expected.keys() == result.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, result[name]), name
    assert (tmp_path / "generator.safetensors").read_bytes() == (whole / "out" / "generator.safetensors").read_bytes()


def test_augmentation_resumes_too(two_people: Path, whole: Path, tmp_path: Path) -> None:
    """From a step at which the critic's pictures are augmented often: on to the end, or killed on the way."""
    often = replace(recipe(5), save_every=1)
    for name, stops in (("straight", ()), ("killed", ("step 4 of 5",))):
        run = tmp_path / name
        run.mkdir()
        planted = load_file(whole / "run" / "checkpoint.safetensors")
        planted["probability"] = torch.full((1,), 0.8, dtype=torch.float64)
        save_file(planted, run / "checkpoint.safetensors", metadata={"step": "3", "images": "8"})

        def killing(line: str, stops: tuple[str, ...] = stops) -> None:
            if line.startswith(stops) and "images/s" in line:
                raise Killed

        if stops:
            with pytest.raises(Killed):
                train_generator(two_people, run, tmp_path / "generator.safetensors", often, killing)
        train_generator(two_people, run, tmp_path / "generator.safetensors", often, lambda _: None)
    straight, killed = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("straight", "killed"))
    assert 0 < straight["probability"] < 0.8
    for name, tensor in straight.items():
        assert torch.equal(tensor, killed[name]), name


def test_from_lines_alone_nothing_is_learned_about_the_surrogate(two_people: Path, tmp_path: Path) -> None:
    lines = recipe(2, weights=WEIGHTS.without(["surrogate"]))
    train_generator(two_people, tmp_path / "run", tmp_path / "generator.safetensors", lines, lambda _: None)
    torch.manual_seed(lines.seed)
    start, _ = Generator(WIDTHS), Discriminator(8)  # in the order and the memory format of the training
    start.to(memory_format=torch.channels_last).apply(_initialise)  # type: ignore[call-overload]
    moved = load_file(tmp_path / "run" / "checkpoint.safetensors")["generator.stem.weight"] != start.stem.weight
    assert not moved[:, : 3 * 16].any()
    assert moved[:, 3 * 16 :].any()


def test_the_export_is_the_moving_average_in_half_precision(whole: Path) -> None:
    checkpoint = load_file(whole / "run" / "checkpoint.safetensors")
    exported = load_file(whole / "out" / "generator.safetensors")
    assert exported.keys() == Generator(WIDTHS).state_dict().keys()
    for name, tensor in exported.items():
        assert tensor.dtype == torch.float16
        assert torch.equal(tensor, checkpoint[f"average.{name}"].half())
    moved = checkpoint["generator.last.weight"]
    assert moved.abs().max() > 0
    assert not torch.equal(moved, checkpoint["average.last.weight"])


def test_losses_and_samples_are_logged(whole: Path) -> None:
    with (whole / "run" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3"]
    assert all(np.isfinite(float(value)) for value in rows[0].values())
    assert float(rows[0]["energy"]) > 0
    with Image.open(whole / "run" / "faces-000003.png") as grid:
        assert grid.size == (8 * 256, 2 * 256)
    assert {path.name for path in (whole / "run").iterdir()} == {
        "checkpoint.safetensors",
        "log.csv",
        "faces-000003.png",
    }


def test_the_log_of_a_resumed_run_tells_each_step_once(two_people: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.safetensors").write_bytes((whole / "run" / "checkpoint.safetensors").read_bytes())
    (run / "log.csv").write_text((whole / "run" / "log.csv").read_text() + "7,0,0,0,0,0,0\n")
    train_generator(two_people, run, tmp_path / "generator.safetensors", recipe(3), lambda _: None)
    assert (run / "log.csv").read_text() == (whole / "run" / "log.csv").read_text()


def test_impossible_requests_are_refused(two_people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="less than one step"):
        train_generator(two_people, tmp_path, tmp_path / "out", Recipe(images=7), print)
    (tmp_path / "manifest.csv").write_text("path,set,subject,expression,sex,age\n")
    with pytest.raises(UsageError, match="0 training photographs"):
        train_generator(tmp_path, tmp_path / "run", tmp_path / "out", recipe(1), print)


def state(seed: int) -> Checkpoint:
    torch.manual_seed(seed)
    generator, average, critic = Generator(WIDTHS), Generator(WIDTHS), Discriminator(8)
    optimizers = [torch.optim.Adam(value.parameters(), 1e-3) for value in (generator, critic)]
    maps = torch.rand(1, 10, 64, 64)
    loss = compose(maps, generator(maps)).mean() + critic(maps[:, :3], maps[:, 3:])[0][-1].mean()
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()
    return Checkpoint(generator, average, critic, *optimizers, torch.full((1,), seed / 8, dtype=torch.float64), 8)


def tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    results = {"probability": checkpoint.probability}
    for name in ("generator", "average", "discriminator"):
        results |= {f"{name}.{key}": value for key, value in getattr(checkpoint, name).state_dict().items()}
    for name in ("generator_optimizer", "discriminator_optimizer"):
        for index, moments in getattr(checkpoint, name).state_dict()["state"].items():
            results |= {f"{name}.{index}.{key}": value for key, value in moments.items()}
    return results


def test_a_checkpoint_restores_networks_and_optimizers(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    first, second = state(1), state(2)
    assert load_checkpoint(second, path) == 0
    save_checkpoint(first, 17, path)
    assert [path.name for path in tmp_path.iterdir()] == [path.name]
    assert load_checkpoint(second, path) == 17
    expected, result = tensors(first), tensors(second)
    assert len(expected) > 200
    for name, value in expected.items():
        assert torch.equal(value, result[name]), name


def test_a_save_that_fails_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(state(1), 5, path)
    before = path.read_bytes()

    def full(_tensors: object, partial: Path, **_options: object) -> None:
        partial.write_bytes(b"half of it")
        raise OSError("no space left")

    monkeypatch.setattr("ganonym_train.loop.save_file", full)
    for write in (
        lambda: save_checkpoint(state(2), 6, path),
        lambda: export_half(Generator(WIDTHS).state_dict(), path, "generator"),
    ):
        with pytest.raises(OSError, match="no space"):
            write()
        assert path.read_bytes() == before


def test_signals_neither_die_nor_explode_on_the_way_through() -> None:
    """As He et al. (2015) ask of a start. With a gain of 1, 6 400 items taught nothing."""
    torch.manual_seed(1)
    generator = Generator()
    generator.apply(_initialise)
    sizes: dict[str, float] = {}

    def measure(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: sizes.update({name: float(inputs[0].square().mean().sqrt())})

    for name, module in generator.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(measure(name))
    with torch.no_grad():
        model = load_appearance()
        generator(surrogate_condition(sampled_face(model, np.random.default_rng(0)), model)[None])
    assert 0.25 < sizes["last"] < 2  # 0.37; with a gain of 1, 0.15
    assert all(0.1 < size < 5 for size in sizes.values()), sizes
