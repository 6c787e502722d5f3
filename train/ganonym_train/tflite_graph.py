"""What stands in a TFLite file: operators with their options, and weights as dense arrays. Needs the package tflite."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError

Array = NDArray[Any]


class TfliteGraph:
    """The first graph of a TFLite file. Tensors go by their index, operators are the schema's own objects."""

    def __init__(self, content: bytes) -> None:
        import tflite

        self.schema = tflite
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)
        self._codes = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
        self.operators = [self._graph.Operators(index) for index in range(self._graph.OperatorsLength())]
        self.source = int(self._graph.Inputs(0))
        self.ends = [int(self._graph.Outputs(index)) for index in range(self._graph.OutputsLength())]
        self._writers = {int(operator.Outputs(0)): operator for operator in self.operators}

    def kind(self, operator: Any) -> str:
        """Name of an operator, of a custom one its own."""
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        kind = str(self._codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])
        return code.CustomCode().decode() if kind == "CUSTOM" else kind

    def all_of(self, kind: str) -> list[Any]:
        """The operators of one kind, in the file's order."""
        return [operator for operator in self.operators if self.kind(operator) == kind]

    def options(self, operator: Any, kind: str) -> Any:
        table, options = operator.BuiltinOptions(), getattr(self.schema, kind)()
        options.Init(table.Bytes, table.Pos)
        return options

    def custom_options(self, operator: Any) -> dict[str, Any]:
        """The options of a custom operator, which lie there as a flexbuffer."""
        from flatbuffers import flexbuffers

        return dict(flexbuffers.Loads(bytes(operator.CustomOptionsAsNumpy())))

    def shape(self, tensor: int) -> list[int]:
        return [int(size) for size in self._graph.Tensors(tensor).ShapeAsNumpy()]

    def inputs(self, operator: Any) -> list[int]:
        return [int(index) for index in operator.InputsAsNumpy()]

    def needed(self, ends: list[int]) -> list[Any]:
        """The operators that lead to the tensors `ends`, in the file's order; none that only unpacks weights."""
        wanted, operators = set(ends), []
        for operator in reversed(self.operators):
            if int(operator.Outputs(0)) in wanted and not self._unpacks(operator):
                operators.append(operator)
                wanted.update(self.inputs(operator))
        return operators[::-1]

    def weights(self, tensor: int) -> Array | None:
        """The stored array of `tensor`, also behind the operators that unpack it; None when it is computed."""
        writer = self._writers.get(tensor)
        if writer is not None:
            return self.weights(int(writer.Inputs(0))) if self._unpacks(writer) else None
        stored = self._graph.Tensors(tensor)
        kinds = {self.schema.TensorType.FLOAT16: np.float16, self.schema.TensorType.INT32: np.int32}
        if stored.Type() not in kinds or not self._model.Buffers(stored.Buffer()).DataLength():
            return None
        values = self._model.Buffers(stored.Buffer()).DataAsNumpy().view(kinds[stored.Type()])
        return self._dense(stored, values) if stored.Sparsity() is not None else values.reshape(self.shape(tensor))

    def _unpacks(self, operator: Any) -> bool:
        return self.kind(operator) in ("DEQUANTIZE", "DENSIFY")

    def _dense(self, tensor: Any, values: Array) -> Array:
        """A sparse array: levels in the order of traversal, each all of its size or the indices that are stored."""
        sparsity, shape = tensor.Sparsity(), tensor.ShapeAsNumpy().tolist()
        if sparsity.BlockMapLength():
            raise UsageError("the network has weights in sparse blocks, which are not converted.")
        order = sparsity.TraversalOrderAsNumpy().tolist()
        levels = [sparsity.DimMetadata(level) for level in range(len(order))]
        places: list[tuple[int, tuple[int, ...]]] = [(0, ())]  # position in the stored order, index so far
        for level in levels:
            if level.Format() == self.schema.DimensionType.DENSE:
                size = level.DenseSize()
                places = [(at * size + step, (*index, step)) for at, index in places for step in range(size)]
            else:
                starts = self._vector(level.ArraySegmentsType(), level.ArraySegments())
                stored = self._vector(level.ArrayIndicesType(), level.ArrayIndices())
                places = [
                    (at, (*index, int(stored[at])))
                    for row, index in places
                    for at in range(int(starts[row]), int(starts[row + 1]))
                ]
        dense = np.zeros(shape, dtype=values.dtype)
        for at, index in places:
            dense[tuple(index[order.index(axis)] for axis in range(len(shape)))] = values[at]
        return dense

    def _vector(self, kind: int, table: Any) -> Array:
        """The numbers of one of the schema's three index vectors."""
        vector = getattr(self.schema, {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}[kind])()
        vector.Init(table.Bytes, table.Pos)
        return np.asarray(vector.ValuesAsNumpy())
