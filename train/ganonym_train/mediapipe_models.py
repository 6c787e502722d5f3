"""MediaPipe's face models as ONNX: `python -m ganonym_train.mediapipe_models WHEEL FOLDER`.

WHEEL is the wheel of mediapipe 0.10.14, a zip file, in which the networks lie under `mediapipe/modules/`. Needs the
packages tflite (their schema) and onnx, which nothing else of ganonym needs.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.errors import UsageError
from ganonym_train.tflite_to_onnx import Conversion, called

SOURCES = {
    "blazeface_short": "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "blazeface_full": "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
    "face_mesh": "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
}
MESH, IRIS = 468, 5
EYE_CONTOUR = 16
"""So many of an eye's refined points, the first ones, are its contour; the iris lies at their mean depth."""


def convert(content: bytes, name: str) -> bytes:
    """The ONNX file of a TFLite file; the same bytes for the same versions of onnx.

    BlazeFace keeps its outputs; the mesh gets two, `points` (1, 478, 3) in pixels of its input, mesh and irises with
    lips and eyes refined as MediaPipe's calculators do it, and `presence` (1,), the logit that there is a face. Raises
    UsageError at an operator that these networks do not have.
    """
    conversion = Conversion(content, WINDOWS)
    ends = refined(conversion) if name == "face_mesh" else conversion.add(conversion.graph.ends)
    return bytes(conversion.model(name, ends).SerializeToString(deterministic=True))


def window_matrix(conversion: Conversion, operator: Any) -> None:
    """`Landmarks2TransformMatrix`: the matrix (1, 4, 4) from the cells of a window to those of the whole.

    The window is the box around some of the points, after they were turned so that two of them are level; enlarged.
    """
    options, write = conversion.graph.custom_options(operator), conversion.write
    if options["target_rotation_radians"]:
        raise UsageError("the network turns its windows, which is not converted.", "Give MediaPipe's files.")
    points = _first_two(conversion, called(operator.Inputs(0)), axis=2)
    left, right = (
        write("Gather", points, np.array([options[f"{side}_rotation_idx"]]), axis=1) for side in ("left", "right")
    )
    along = write("Sub", right, left)  # (1, 1, 2)
    along = write("Div", along, write("ReduceL2", along, axes=[2], keepdims=1))
    across = write("MatMul", along, np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32))
    turn = write("Concat", along, across, axis=1)  # rows: right and down of the window
    columns = write("Transpose", turn, perm=[0, 2, 1])
    level = write("MatMul", write("Gather", points, np.array(options["subset_idxs"]), axis=1), columns)
    low, high = (write(kind, level, axes=[1], keepdims=1) for kind in ("ReduceMin", "ReduceMax"))
    middle = write("MatMul", write("Mul", write("Add", low, high), np.array([0.5], np.float32)), turn)
    cells = np.array([options["output_width"], options["output_height"]], np.float32)
    enlarged = np.array([options["scale_x"], options["scale_y"]], np.float32)
    linear = write("Mul", columns, write("Mul", write("Sub", high, low), enlarged / cells))
    corner = write("Sub", write("Transpose", middle, perm=[0, 2, 1]), write("MatMul", linear, cells[None, :, None] / 2))
    rows = write("Concat", linear, np.zeros((1, 2, 1), np.float32), corner, axis=2)
    write("Concat", rows, np.eye(4, dtype=np.float32)[None, 2:], axis=1, into=called(operator.Outputs(0)))


def window_samples(conversion: Conversion, operator: Any) -> None:
    """`TransformTensorBilinear`: samples between the centres of cells; 0 beyond the outermost centres."""
    options, write = conversion.graph.custom_options(operator), conversion.write
    height, width = conversion.graph.shape(operator.Inputs(0))[1:3]
    y, x = np.mgrid[: options["output_height"], : options["output_width"]] + 0.5
    cells = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1).reshape(1, -1, 4).astype(np.float32)
    matrix = write("Transpose", _first_two(conversion, called(operator.Inputs(1)), axis=1), perm=[0, 2, 1])
    places = write("MatMul", cells, matrix)  # (1, h * w, 2), from the corner
    size = np.array([width, height], np.float32)
    grid = write("Sub", write("Mul", places, 2 / size), np.array([1.0], np.float32))
    grid = write("Reshape", grid, np.array([1, *x.shape, 2]))
    samples = write("GridSample", called(operator.Inputs(0)), grid, padding_mode="border", align_corners=0)
    inside = write(
        "And",
        write("GreaterOrEqual", places, np.array([0.5], np.float32)),
        write("LessOrEqual", places, size - np.float32(0.5)),
    )
    inside = write("ReduceMin", write("Cast", inside, to=1), axes=[2], keepdims=0)
    inside = write("Reshape", inside, np.array([1, 1, *x.shape]))
    write("Mul", samples, inside, into=called(operator.Outputs(0)))


def moved_points(conversion: Conversion, operator: Any) -> None:
    """`TransformLandmarks`: points (1, n, 2) through a matrix (1, 4, 4)."""
    write = conversion.write
    rows = _first_two(conversion, called(operator.Inputs(1)), axis=1)
    linear = write("Transpose", _first_two(conversion, rows, axis=2), perm=[0, 2, 1])
    shift = write("Transpose", write("Gather", rows, np.array([3]), axis=2), perm=[0, 2, 1])
    moved = write("MatMul", called(operator.Inputs(0)), linear)
    write("Add", moved, shift, into=called(operator.Outputs(0)))


def _first_two(conversion: Conversion, tensor: str, axis: int) -> str:
    return conversion.write("Slice", tensor, np.array([0]), np.array([2]), np.array([axis]))


WINDOWS = {
    "Landmarks2TransformMatrix": window_matrix,
    "TransformTensorBilinear": window_samples,
    "TransformLandmarks": moved_points,
}


def refined(conversion: Conversion) -> dict[str, list[int]]:
    """Write lips and eyes over the mesh's and put the irises behind: MediaPipe's `LandmarksRefinementCalculator`.

    Which points the refined ones are, the operators of the windows say. Returns the outputs' names and shapes.
    """
    graph, write = conversion.graph, conversion.write
    moved = [int(operator.Outputs(0)) for operator in graph.all_of("TransformLandmarks")]
    windows = graph.all_of("Landmarks2TransformMatrix")
    places = [np.array(graph.custom_options(operator)["subset_idxs"]) for operator in windows]
    (coarse,) = [int(operator.Inputs(0)) for operator in graph.all_of("STRIDED_SLICE")]  # whose slice is all of it
    (presence,) = [end for end in graph.ends if graph.shape(end) == [1, 1, 1, 1]]
    conversion.add([coarse, presence, *moved])
    parts = [tensor for tensor in moved if graph.shape(tensor)[1] != IRIS]
    irises = [tensor for tensor in moved if graph.shape(tensor)[1] == IRIS]
    mesh = write("Reshape", called(coarse), np.array([1, MESH, 3]))
    plane = write("Concat", _first_two(conversion, mesh, axis=2), *map(called, irises), axis=1)
    for tensor, chosen in zip(parts, places, strict=True):
        rows = np.stack([np.zeros_like(chosen), chosen], axis=-1)[None]
        plane = write("ScatterND", plane, rows, called(tensor))
    depth = write("Gather", mesh, np.array([2]), axis=2)
    eyes = [
        write("ReduceMean", write("Gather", depth, chosen[:EYE_CONTOUR], axis=1), axes=[1], keepdims=1)
        for chosen in places[1:]
    ]
    depth = write("Concat", depth, *(write("Expand", eye, np.array([1, IRIS, 1])) for eye in eyes), axis=1)
    write("Concat", plane, depth, axis=2, into="points")
    write("Reshape", called(presence), np.array([1]), into="presence")
    return {"points": [1, MESH + 2 * IRIS, 3], "presence": [1]}


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    wheel, folder = map(Path, sys.argv[1:])
    with zipfile.ZipFile(wheel) as files:
        for name, member in SOURCES.items():
            path = folder / f"{name}.onnx"
            path.write_bytes(convert(files.read(member), name))
            print(f"{path}: {path.stat().st_size} bytes; ganonym weights accept {name}")


if __name__ == "__main__":
    main()
