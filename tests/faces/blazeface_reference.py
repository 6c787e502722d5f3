"""A picture of nothing, and what the original interpreter makes of it.

Run with the packages ai-edge-litert and numpy, which nothing else needs, to make `blazeface_reference.npz` anew:
`python tests/faces/blazeface_reference.py SHORT.tflite FULL.tflite`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REFERENCE = Path(__file__).with_suffix(".npz")
EVERY = 13
"""Every so manyth row is kept: a prime, so that all anchors of a cell, and all columns, are among them."""


def picture(side: int) -> NDArray[np.float32]:
    """Smooth colours (1, side, side, 3) in −1…1."""
    y, x = np.mgrid[:side, :side] / side
    bands = (np.sin(9 * x + 4 * y * y), np.cos(7 * y - 3 * x * x), np.sin(5 * (x + y)) * np.cos(11 * x * y))
    return np.stack(bands, axis=-1).astype(np.float32)[None]


def main() -> None:
    from ai_edge_litert.interpreter import Interpreter

    kept = {}
    for name, path in zip(("blazeface_short", "blazeface_full"), sys.argv[1:], strict=True):
        interpreter = Interpreter(path)
        interpreter.allocate_tensors()
        (source,) = interpreter.get_input_details()
        interpreter.set_tensor(source["index"], picture(source["shape"][1]))
        interpreter.invoke()
        results = [interpreter.get_tensor(detail["index"])[0] for detail in interpreter.get_output_details()]
        kept[name] = np.column_stack(sorted(results, key=lambda rows: -rows.shape[1]))[::EVERY]
    np.savez(REFERENCE, **kept)


if __name__ == "__main__":
    main()
