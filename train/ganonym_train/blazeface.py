"""MediaPipe's face detectors as ONNX: `python -m ganonym_train.blazeface SHORT.tflite FULL.tflite FOLDER`.

The files are `face_detection_short_range.tflite` and `face_detection_full_range_sparse.tflite` of the wheel of
mediapipe 0.10.14, under `mediapipe/modules/face_detection/`. Needs the packages tflite (their schema) and onnx, which
nothing else of ganonym needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError

Array = NDArray[Any]
NAMES = ("blazeface_short", "blazeface_full")
OPSET = 17


class Conversion:
    """One TFLite graph (N, H, W, C) written as an ONNX graph (N, C, H, W), operator by operator."""

    def __init__(self, content: bytes) -> None:
        import tflite

        self._schema = tflite
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)
        self._codes = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}

    def model(self, name: str) -> Any:
        """The ONNX model. Raises UsageError at an operator that these two networks do not have."""
        from onnx import TensorProto, checker, helper, numpy_helper

        operators = [self._graph.Operators(index) for index in range(self._graph.OperatorsLength())]
        weights = {operator.Outputs(0): self._weights(operator) for operator in operators if self._is_weights(operator)}
        for operator in operators:
            if operator.Outputs(0) not in weights:
                self._add(operator, weights)
        source, ends = self._graph.Inputs(0), [self._graph.Outputs(index) for index in range(2)]
        size = self._shape(source)
        inputs = [helper.make_tensor_value_info(_called(source), TensorProto.FLOAT, [1, 3, *size[1:3]])]
        outputs = [helper.make_tensor_value_info(_called(end), TensorProto.FLOAT, self._shape(end)) for end in ends]
        # Half precision on disk, as in the original; the runtime widens it once, when it loads.
        stored = [numpy_helper.from_array(value, f"{key}:stored") for key, value in self.constants.items()]
        widened = [
            helper.make_node("Cast", [f"{key}:stored"], [key], to=TensorProto.FLOAT)
            if value.dtype == np.float16
            else helper.make_node("Identity", [f"{key}:stored"], [key])
            for key, value in self.constants.items()
        ]
        graph = helper.make_graph([*widened, *self.nodes], name, inputs, outputs, stored)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="ganonym")
        made.ir_version = 8  # opset 17's own, so that older runtimes read it
        checker.check_model(made, full_check=True)
        return made

    def _add(self, operator: Any, weights: dict[int, Array]) -> None:
        kind = self._kind(operator)
        writers: dict[str, Callable[[Any, dict[int, Array]], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "PAD": self._pad,
            "MAX_POOL_2D": self._pool,
            "ADD": lambda each, _: self._node("Add", each, self._activation(each, "AddOptions")),
            "RELU": lambda each, _: self._node("Relu", each),
            "RESIZE_BILINEAR": self._resize,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "RESHAPE": self._reshape,
            "CONCATENATION": self._concatenate,
        }
        if kind not in writers:
            raise UsageError(f"the network has an operator {kind}, which is not converted.", "Give MediaPipe's files.")
        writers[kind](operator, weights)

    def _convolution(self, operator: Any, weights: dict[int, Array]) -> None:
        depthwise = self._kind(operator) == "DEPTHWISE_CONV_2D"
        options = self._options(operator, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
        kernel = weights[operator.Inputs(1)].transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        name = _called(operator.Outputs(0))
        self.constants[f"{name}:kernel"] = np.ascontiguousarray(kernel)
        self.constants[f"{name}:bias"] = weights[operator.Inputs(2)]
        strides = [options.StrideH(), options.StrideW()]
        self._node(
            "Conv",
            operator,
            options.FusedActivationFunction(),
            [f"{name}:kernel", f"{name}:bias"],
            strides=strides,
            pads=self._pads(operator, options.Padding(), kernel.shape[2:], strides),
            group=len(kernel) if depthwise else 1,
        )

    def _pool(self, operator: Any, _: dict[int, Array]) -> None:
        options = self._options(operator, "Pool2DOptions")
        kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        pads = self._pads(operator, options.Padding(), kernel, strides)
        self._node(
            "MaxPool", operator, options.FusedActivationFunction(), kernel_shape=kernel, strides=strides, pads=pads
        )

    def _pad(self, operator: Any, _: dict[int, Array]) -> None:
        before, after = self._constant(operator.Inputs(1)).T[:, [0, 3, 1, 2]]
        self._with_constant("Pad", operator, "pads", np.concatenate([before, after]).astype(np.int64))

    def _resize(self, operator: Any, _: dict[int, Array]) -> None:
        options = self._options(operator, "ResizeBilinearOptions")
        mode = "align_corners" if options.AlignCorners() else "asymmetric"
        mode = "half_pixel" if options.HalfPixelCenters() else mode
        height, width = self._shape(operator.Outputs(0))[1:3]
        name = _called(operator.Outputs(0))
        size = np.array([1, self._shape(operator.Inputs(0))[3], height, width], dtype=np.int64)
        self.constants[f"{name}:size"] = size
        self._node("Resize", operator, 0, ["", "", f"{name}:size"], mode="linear", coordinate_transformation_mode=mode)

    def _depth_to_space(self, operator: Any, _: dict[int, Array]) -> None:
        block = self._options(operator, "DepthToSpaceOptions").BlockSize()
        self._node("DepthToSpace", operator, 0, blocksize=block, mode="DCR")

    def _reshape(self, operator: Any, _: dict[int, Array]) -> None:
        """Rows of one anchor each: what TFLite has in memory, so channels go last first."""
        from onnx import helper

        name, source = _called(operator.Outputs(0)), _called(operator.Inputs(0))
        self.constants[f"{name}:shape"] = np.array(self._shape(operator.Outputs(0)), dtype=np.int64)
        self.nodes.append(helper.make_node("Transpose", [source], [f"{name}:last"], perm=[0, 2, 3, 1]))
        self.nodes.append(helper.make_node("Reshape", [f"{name}:last", f"{name}:shape"], [name]))

    def _concatenate(self, operator: Any, _: dict[int, Array]) -> None:
        from onnx import helper

        sources = [_called(operator.Inputs(index)) for index in range(operator.InputsLength())]
        axis = self._options(operator, "ConcatenationOptions").Axis()  # of reshaped rows, so no other order
        self.nodes.append(helper.make_node("Concat", sources, [_called(operator.Outputs(0))], axis=axis))

    def _with_constant(self, kind: str, operator: Any, what: str, value: Array) -> None:
        name = f"{_called(operator.Outputs(0))}:{what}"
        self.constants[name] = value
        self._node(kind, operator, 0, [name])

    def _node(self, kind: str, operator: Any, activation: int = 0, more: Sequence[str] = (), **attributes: Any) -> None:
        from onnx import helper

        sources = operator.InputsLength() if kind == "Add" else 1
        inputs = [_called(operator.Inputs(index)) for index in range(sources)]
        name = _called(operator.Outputs(0))
        plain = f"{name}:plain" if activation else name
        self.nodes.append(helper.make_node(kind, [*inputs, *more], [plain], **attributes))
        if activation:
            if activation != self._schema.ActivationFunctionType.RELU:
                raise UsageError(f"the network has activation {activation}, which is not converted.")
            self.nodes.append(helper.make_node("Relu", [plain], [name]))

    def _pads(self, operator: Any, padding: int, kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
        """Padding of (top, left, bottom, right); TFLite's SAME puts the odd pixel behind."""
        if padding == self._schema.Padding.VALID:
            return [0, 0, 0, 0]
        sizes = self._shape(operator.Inputs(0))[1:3]
        total = [
            max((-(-size // stride) - 1) * stride + reach - size, 0)
            for size, stride, reach in zip(sizes, strides, kernel, strict=True)
        ]
        return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]

    def _is_weights(self, operator: Any) -> bool:
        return self._kind(operator) in ("DEQUANTIZE", "DENSIFY")

    def _weights(self, operator: Any) -> Array:
        """The stored half-precision array behind a DEQUANTIZE or DENSIFY, or both."""
        source = operator.Inputs(0)
        for index in range(self._graph.OperatorsLength()):
            if self._graph.Operators(index).Outputs(0) == source:
                return self._weights(self._graph.Operators(index))
        return self._constant(source)

    def _constant(self, index: int) -> Array:
        tensor = self._graph.Tensors(index)
        kinds = {self._schema.TensorType.FLOAT16: np.float16, self._schema.TensorType.INT32: np.int32}
        values = self._model.Buffers(tensor.Buffer()).DataAsNumpy().view(kinds[tensor.Type()])
        if tensor.Sparsity() is not None:
            return self._dense(tensor, values)
        return np.asarray(values.reshape(self._shape(index)))

    def _dense(self, tensor: Any, values: Array) -> Array:
        """A sparse array: levels in the order of traversal, each all of its size or the indices that are stored."""
        sparsity, shape = tensor.Sparsity(), tensor.ShapeAsNumpy().tolist()
        if sparsity.BlockMapLength():
            raise UsageError("the network has weights in sparse blocks, which are not converted.")
        order = sparsity.TraversalOrderAsNumpy().tolist()
        levels = [sparsity.DimMetadata(level) for level in range(len(order))]
        places: list[tuple[int, tuple[int, ...]]] = [(0, ())]  # position in the stored order, index so far
        for level in levels:
            if level.Format() == self._schema.DimensionType.DENSE:
                size = level.DenseSize()
                places = [(at * size + step, (*index, step)) for at, index in places for step in range(size)]
            else:
                starts, stored = (
                    _vector(self._schema, level.ArraySegmentsType(), level.ArraySegments()),
                    _vector(self._schema, level.ArrayIndicesType(), level.ArrayIndices()),
                )
                places = [
                    (at, (*index, int(stored[at])))
                    for row, index in places
                    for at in range(int(starts[row]), int(starts[row + 1]))
                ]
        dense = np.zeros(shape, dtype=values.dtype)
        for at, index in places:
            dense[tuple(index[order.index(axis)] for axis in range(len(shape)))] = values[at]
        return dense

    def _shape(self, index: int) -> list[int]:
        return [int(size) for size in self._graph.Tensors(index).ShapeAsNumpy()]

    def _kind(self, operator: Any) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        return str(self._codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])

    def _options(self, operator: Any, kind: str) -> Any:
        table, options = operator.BuiltinOptions(), getattr(self._schema, kind)()
        options.Init(table.Bytes, table.Pos)
        return options

    def _activation(self, operator: Any, kind: str) -> int:
        return int(self._options(operator, kind).FusedActivationFunction())


def _vector(schema: Any, kind: int, table: Any) -> Array:
    """The numbers of one of the schema's three index vectors."""
    kinds = {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}
    vector = getattr(schema, kinds[kind])()
    vector.Init(table.Bytes, table.Pos)
    return np.asarray(vector.ValuesAsNumpy())


def _called(index: int) -> str:
    return f"t{index}"


def convert(content: bytes, name: str) -> bytes:
    """The ONNX file of a TFLite file; the same bytes for the same versions of onnx. Raises UsageError."""
    return bytes(Conversion(content).model(name).SerializeToString(deterministic=True))


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    *sources, folder = map(Path, sys.argv[1:])
    for source, name in zip(sources, NAMES, strict=True):
        path = folder / f"{name}.onnx"
        path.write_bytes(convert(source.read_bytes(), name))
        print(f"{path}: {path.stat().st_size} bytes; ganonym weights accept {name}")


if __name__ == "__main__":
    main()
