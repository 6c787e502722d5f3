"""Two processes under torchrun are one process with the joined batch; processes that drift apart are told on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ganonym_train.distributed import Ranks, accumulating, is_first, mean_over_ranks, require_equal, unwrap, wrap

# Run by each process; 1 step from fresh weights, so that Adam's first moment is half the gradient it was given.
TRAINING = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from torch import nn
import ganonym_train.adversarial as adversarial
import ganonym_train.generator as training
import ganonym_train.loop as loop
from ganonym_train.losses import FaceNetwork

adversarial.PENALTY_EVERY = 1
data, out, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(5)
head = nn.Sequential(nn.AvgPool2d(64), nn.Flatten(), nn.Linear(48, 136)).requires_grad_(False)
body = nn.Conv2d(3, 4, 8, stride=8).requires_grad_(False)
faces = FaceNetwork(
    lambda x: nn.functional.normalize(body(x).mean((2, 3)), dim=1), lambda x: [body(x)]
)
recipe = adversarial.Recipe(
    images=32, batch=batch, save_every=1, generator_widths=(16, 16, 24, 32), discriminator_width=8, bfloat16=False,
    landmarker=lambda x: head(x).reshape(-1, 68, 2) * 50 + 128, face_network=faces,
)
save = loop.save_checkpoint
def each_step(state, step, path):
    save(state, step, path.with_name(f"step-{step}.safetensors"))
loop.save_checkpoint = each_step
equal = training.require_equal
def keep(network, ranks):
    equal(network, ranks)
    weights = {key: value.clone().contiguous() for key, value in network.named_parameters()}
    save_file(weights, out / f"{type(network).__name__}-{ranks.rank}.safetensors")
training.require_equal = keep
out.mkdir(exist_ok=True)
training.train_generator(data, out / "run", out / "generator.safetensors", recipe, lambda line: print(line))
"""

DRIFTING = """
import torch
from torch import nn
from ganonym.errors import EnvironmentFault
from ganonym_train.distributed import mean_over_ranks, process_group, require_equal

with process_group() as ranks:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    require_equal(layer, ranks)
    assert mean_over_ranks([ranks.rank, torch.tensor(4.0)], ranks) == [0.5, 4.0]
    if ranks.rank == 1:
        with torch.no_grad():
            layer.weight[1, 2] = torch.nextafter(layer.weight[1, 2], torch.tensor(9.0))
    try:
        require_equal(layer, ranks)
    except EnvironmentFault as fault:
        print("told:", fault.problem if hasattr(fault, "problem") else fault)
"""


def launch(processes: int, script: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    if processes == 1:
        command = [sys.executable]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*command, str(script), *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_two_processes_take_the_steps_of_one_with_the_joined_batch(two_people: Path, tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    told = {}
    for processes, batch in ((1, 16), (2, 8)):
        told[processes] = launch(processes, script, two_people, tmp_path / str(processes), batch)
    assert told[2].count("step 2 of 2") == 1  # the first alone speaks
    for network in ("Generator", "Discriminator"):
        first, second = (load_file(tmp_path / "2" / f"{network}-{rank}.safetensors") for rank in (0, 1))
        assert all(torch.equal(first[name], second[name]) for name in first)
    joined, parallel = (load_file(tmp_path / word / "run" / "step-1.safetensors") for word in ("1", "2"))
    moments = [name for name in joined if name.endswith("exp_avg")]
    assert len(moments) > 60
    for name in moments:
        expected, result = joined[name] * 2, parallel[name] * 2
        # Sums in another order: some biases of the critic are what is left of terms of size 1 that cancel, and Adam's
        # first step turns the sign of such a rest into a whole step, which the generator's gradients then see.
        bound = 1e-4 if name.startswith("discriminator") else 5e-3
        assert (result - expected).norm() <= bound * max(float(expected.norm()), 1.0), name
    assert sum(float(joined[name].abs().max()) > 1e-6 for name in moments) > 20


def test_processes_that_drifted_apart_are_told_on(tmp_path: Path) -> None:
    script = tmp_path / "drifting.py"
    script.write_text(DRIFTING)
    assert launch(2, script).count("told:") == 2


def test_alone_nothing_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Ranks(0, 1, torch.device("cpu"))
    layer = nn.Linear(2, 2)
    assert wrap(layer, alone) is layer
    assert unwrap(layer) is layer
    with accumulating(layer):
        assert mean_over_ranks([torch.tensor(3.0), 4], alone) == [3.0, 4.0]
    require_equal(layer, alone)
    assert is_first()
    monkeypatch.setenv("RANK", "1")
    assert not is_first()
