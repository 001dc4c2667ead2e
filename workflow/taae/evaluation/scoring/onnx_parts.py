"""ONNX networks on one thread, whole or cut at named tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Session = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def session(model: bytes) -> Session:
    """Load a network of one input and one output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # workers share the machine; OMP_NUM_THREADS is not obeyed
    options.inter_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (source,) = loaded.get_inputs()

    def run(array: NDArray[np.float32]) -> Any:
        return loaded.run(None, {source.name: array})[0]

    return run


def part(model: bytes, source: str, target: str) -> Session:
    """Load the part of a network that computes tensor `target` from tensor `source`."""
    import onnx
    from onnx.helper import make_graph, make_model, make_tensor_value_info

    whole = onnx.load_from_string(model)
    nodes: list[onnx.NodeProto] = []
    needed = {target}
    for node in reversed(whole.graph.node):  # a graph lists its nodes in order of computation
        if needed.intersection(node.output):
            nodes.insert(0, node)
            needed.update(set(node.input) - {source})
    weights = [weight for weight in whole.graph.initializer if weight.name in needed]
    ends = [make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in (source, target)]
    graph = make_graph(nodes, "part", ends[:1], ends[1:], weights)
    cut = make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    return session(cut.SerializeToString())
