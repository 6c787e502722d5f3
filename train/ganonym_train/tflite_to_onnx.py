"""A TFLite network as ONNX, operator by operator: (N, H, W, C) becomes (N, C, H, W). Needs tflite and onnx."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ganonym.errors import UsageError
from ganonym_train.tflite_graph import Array, TfliteGraph

OPSET = 17


class Conversion:
    """One TFLite graph (N, H, W, C) written as an ONNX graph (N, C, H, W), operator by operator."""

    def __init__(self, content: bytes, custom: Mapping[str, Callable[[Conversion, Any], None]] | None = None) -> None:
        self.graph = TfliteGraph(content)
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self._custom = dict(custom or {})

    def add(self, ends: list[int]) -> dict[str, list[int]]:
        """Write the operators on the way to the tensors `ends`; returns their names and shapes.

        Raises UsageError at an operator that is neither among those here nor `custom`.
        """
        for operator in self.graph.needed(ends):
            self._add(operator)
        return {called(end): self.graph.shape(end) for end in ends}

    def model(self, name: str, ends: Mapping[str, Sequence[int]]) -> Any:
        """The ONNX model of what was written, with outputs `ends`, names and shapes."""
        from onnx import TensorProto, checker, helper, numpy_helper

        size = self.graph.shape(self.graph.source)
        inputs = [helper.make_tensor_value_info(called(self.graph.source), TensorProto.FLOAT, [1, 3, *size[1:3]])]
        outputs = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in ends.items()]
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

    def _add(self, operator: Any) -> None:
        kind = self.graph.kind(operator)
        writers: dict[str, Callable[[Any], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "PAD": self._pad,
            "MAX_POOL_2D": self._pool,
            "ADD": lambda operator: self._arithmetic("Add", operator, "AddOptions"),
            "MUL": lambda operator: self._arithmetic("Mul", operator, "MulOptions"),
            "RELU": lambda operator: self._node("Relu", operator, 0),
            "PRELU": self._prelu,
            "RESIZE_BILINEAR": self._resize,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "RESHAPE": self._reshape,
            "CONCATENATION": self._concatenate,
        }
        if kind in self._custom:
            self._custom[kind](self, operator)
        elif kind in writers:
            writers[kind](operator)
        else:
            raise UsageError(f"the network has an operator {kind}, which is not converted.", "Give MediaPipe's files.")

    def _convolution(self, operator: Any) -> None:
        depthwise = self.graph.kind(operator) == "DEPTHWISE_CONV_2D"
        options = self.graph.options(operator, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
        kernel = self._weights(operator, 1).transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        strides = [options.StrideH(), options.StrideW()]
        self._node(
            "Conv",
            operator,
            options.FusedActivationFunction(),
            np.ascontiguousarray(kernel),
            self._weights(operator, 2),
            strides=strides,
            pads=self._pads(operator, options.Padding(), kernel.shape[2:], strides),
            group=len(kernel) if depthwise else 1,
        )

    def _pool(self, operator: Any) -> None:
        options = self.graph.options(operator, "Pool2DOptions")
        kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        pads = self._pads(operator, options.Padding(), kernel, strides)
        self._node(
            "MaxPool", operator, options.FusedActivationFunction(), kernel_shape=kernel, strides=strides, pads=pads
        )

    def _arithmetic(self, kind: str, operator: Any, options: str) -> None:
        """Sum or product of two computed tensors, or of a computed and a stored one."""
        stored = self.graph.weights(int(operator.Inputs(1)))
        second = called(operator.Inputs(1)) if stored is None else stored
        self._node(kind, operator, self.graph.options(operator, options).FusedActivationFunction(), second)

    def _prelu(self, operator: Any) -> None:
        self._node("PRelu", operator, 0, self._weights(operator, 1).reshape(-1, 1, 1))

    def _pad(self, operator: Any) -> None:
        before, after = self._weights(operator, 1).T[:, [0, 3, 1, 2]]
        self._node("Pad", operator, 0, np.concatenate([before, after]).astype(np.int64))

    def _resize(self, operator: Any) -> None:
        options = self.graph.options(operator, "ResizeBilinearOptions")
        mode = "align_corners" if options.AlignCorners() else "asymmetric"
        mode = "half_pixel" if options.HalfPixelCenters() else mode
        height, width = self.graph.shape(operator.Outputs(0))[1:3]
        size = np.array([1, self.graph.shape(operator.Inputs(0))[3], height, width], dtype=np.int64)
        self._node("Resize", operator, 0, "", "", size, mode="linear", coordinate_transformation_mode=mode)

    def _depth_to_space(self, operator: Any) -> None:
        block = self.graph.options(operator, "DepthToSpaceOptions").BlockSize()
        self._node("DepthToSpace", operator, 0, blocksize=block, mode="DCR")

    def _reshape(self, operator: Any) -> None:
        """The order in memory is TFLite's: channels go last first."""
        source = called(operator.Inputs(0))
        if len(self.graph.shape(operator.Inputs(0))) == 4:
            source = self.write("Transpose", source, perm=[0, 2, 3, 1])
        shape = np.array(self.graph.shape(operator.Outputs(0)), dtype=np.int64)
        self.write("Reshape", source, shape, into=called(operator.Outputs(0)))

    def _concatenate(self, operator: Any) -> None:
        axis = self.graph.options(operator, "ConcatenationOptions").Axis()  # of reshaped rows, so no other order
        self._node("Concat", operator, 0, *map(called, self.graph.inputs(operator)[1:]), axis=axis)

    def write(self, kind: str, *inputs: str | Array, into: str = "", **attributes: Any) -> str:
        """Add one ONNX operator; inputs are names or arrays, which become constants. Returns the output's name."""
        from onnx import helper

        name = into or f"n{len(self.nodes)}"
        sources = []
        for number, value in enumerate(inputs):
            if isinstance(value, str):
                sources.append(value)
            else:
                sources.append(f"{name}:{number}")
                self.constants[sources[-1]] = np.asarray(value)
        self.nodes.append(helper.make_node(kind, sources, [name], **attributes))
        return name

    def _weights(self, operator: Any, place: int) -> Array:
        weights = self.graph.weights(int(operator.Inputs(place)))
        if weights is None:
            raise UsageError(f"the network computes the weights of {self.graph.kind(operator)}: not converted.")
        return weights

    def _node(self, kind: str, operator: Any, activation: int, *more: str | Array, **attributes: Any) -> None:
        """The operator on its first input, then on `more`; with the activation that TFLite has fused into it."""
        name, none, relu = called(operator.Outputs(0)), *self._activations()
        if activation not in (none, relu):
            raise UsageError(f"the network has activation {activation}, which is not converted.")
        plain = f"{name}:plain" if activation == relu else name
        self.write(kind, called(operator.Inputs(0)), *more, into=plain, **attributes)
        if activation == relu:
            self.write("Relu", plain, into=name)

    def _activations(self) -> tuple[int, int]:
        kinds = self.graph.schema.ActivationFunctionType
        return int(kinds.NONE), int(kinds.RELU)

    def _pads(self, operator: Any, padding: int, kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
        """Padding of (top, left, bottom, right); TFLite's SAME puts the odd pixel behind."""
        if padding == self.graph.schema.Padding.VALID:
            return [0, 0, 0, 0]
        sizes = self.graph.shape(operator.Inputs(0))[1:3]
        total = [
            max((-(-size // stride) - 1) * stride + reach - size, 0)
            for size, stride, reach in zip(sizes, strides, kernel, strict=True)
        ]
        return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]


def called(tensor: int) -> str:
    """Name in the ONNX graph of a TFLite tensor."""
    return f"t{tensor}"
