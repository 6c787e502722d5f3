"""Milliseconds a face, from privatized shape to picture: `python benchmarks/synthesis_speed.py`.

`render` draws one face, `render_batch` eight: condition (surrogate and maps), generator and compose at 256 px on two
threads. Below them the condition alone, and generator with compose in each arithmetic and memory layout. All take turns
in one process, so their ratios hold on a busy machine too, the milliseconds only on an idle one (processor time, summed
over threads, lies between). Bars: 40 ms a face in `render_batch`, 8 M parameters, 16 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from faces import virtual_faces
from torch import Tensor

from ganonym.synthesis.generator import Generator, compose
from ganonym.synthesis.synthesizer import load_synthesizer, surrogate_condition
from ganonym.weights import verified_path

BAR_MS, BAR_PARAMETERS, BAR_MIB = 40.0, 8.0, 16.0
BATCH = 8


def pictures(generator: Callable[[Tensor], Tensor], condition: Tensor, half: bool) -> Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        return compose(condition, generator(condition).float())


def variants(generator: Generator, batch: Tensor, compiled: bool) -> dict[str, Callable[[], object]]:
    """What is timed, by name: each call treats eight faces."""
    results: dict[str, Callable[[], object]] = {}
    for layout, form in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
        network = Generator().to(memory_format=form).eval().requires_grad_(False)
        network.load_state_dict(generator.state_dict())
        faces = batch.contiguous(memory_format=form)
        for arithmetic, half in (("float32", False), ("bfloat16", True)):
            results[f"batch of {BATCH}, {arithmetic}, {layout}"] = lambda n=network, f=faces, h=half: pictures(n, f, h)
            singles = [faces[i : i + 1].contiguous(memory_format=form) for i in range(BATCH)]
            results[f"one by one, {arithmetic}, {layout}"] = lambda n=network, s=singles, h=half: [
                pictures(n, one, h) for one in s
            ]
            if compiled and layout == "channels_last":
                fast = torch.compile(network)
                results[f"batch of {BATCH}, {arithmetic}, {layout}, compiled"] = lambda n=fast, f=faces, h=half: (
                    pictures(n, f, h)
                )
    return results


def other_load() -> float:
    """Processes that wanted a core in the last minute, beside this one."""
    return max(os.getloadavg()[0] - 1.0, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, help="other weights than the bundled ones")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile too; needs a C++ compiler")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    busy = other_load()
    torch.set_num_threads(arguments.threads)
    synthesizer = load_synthesizer(arguments.generator)
    faces = virtual_faces(BATCH, synthesizer.model)
    batch = torch.stack([surrogate_condition(face, synthesizer.model) for face in faces])
    timed: dict[str, Callable[[], object]] = {
        "render": lambda: [synthesizer.render(face) for face in faces],
        "render_batch": lambda: synthesizer.render_batch(faces),
        "condition": lambda: [surrogate_condition(face, synthesizer.model) for face in faces],
        **variants(synthesizer.generator, batch, arguments.compile),
    }
    for name, run in list(timed.items()):
        try:
            run()
        except Exception as error:
            if "compiled" not in name:
                raise
            print(f"left out: {name}: {str(error).splitlines()[0]}")
            del timed[name]
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    processor: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(arguments.repeats):
        for name, run in timed.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - used)
    # The fastest of the repeats: whatever else the machine does can only add time.
    best = {name: 1e3 * min(second) / BATCH for name, second in seconds.items()}
    cpu = {name: 1e3 * min(entry) / BATCH for name, entry in processor.items()}
    middle = {name: 1e3 * statistics.median(second) / BATCH for name, second in seconds.items()}
    parameters = sum(weight.numel() for weight in synthesizer.generator.parameters()) / 1e6
    size = (arguments.generator or verified_path("generator")).stat().st_size / 2**20
    print(f"{parameters:.2f} M parameters (bar {BAR_PARAMETERS:.0f}), {size:.2f} MiB (bar {BAR_MIB:.0f})")
    print(f"{arguments.threads} threads, best and median of {arguments.repeats}, milliseconds a face")
    if busy > 0.5:
        print(f"the machine had {busy:.1f} other jobs: the ratios hold, the milliseconds are upper bounds")
    reference = f"batch of {BATCH}, float32, channels_last"
    print(f"{'':48}{'best':>8}{'median':>8}{'CPU':>8}{'ratio':>8}")
    for name in timed:
        print(f"{name:48}{best[name]:8.1f}{middle[name]:8.1f}{cpu[name]:8.1f}{best[name] / best[reference]:8.2f}")
    whole = best["render_batch"]
    met = whole <= BAR_MS and parameters <= BAR_PARAMETERS and size <= BAR_MIB
    print(f"from shape to picture {whole:.1f} ms a face, bar {BAR_MS:.0f}: bars {'met' if met else 'missed'}")
    if arguments.json:
        numbers = {
            "parameters_m": parameters,
            "mib": size,
            "other_load": busy,
            "best_ms": best,
            "median_ms": middle,
            "cpu_ms": cpu,
        }
        arguments.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
