"""Networks that speechmos ships, whole or cut, run on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def read_network(path: str) -> bytes:
    """Return an ONNX model of speechmos."""
    return (files("speechmos") / path).read_bytes()


def cutter(model: bytes, cuts: Sequence[str]) -> Any:
    """Return an `Extractor` of the parts of a model between its ends and `cuts`, its tensors."""
    import onnx
    from onnx.helper import make_tensor_value_info
    from onnx.utils import Extractor

    whole = onnx.load_from_string(model)
    for name in cuts:  # of any shape
        whole.graph.value_info.append(make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return Extractor(whole)


def part(parts: Any, sources: list[str], targets: list[str]) -> InferenceSession:
    """Load the part of a cut model from some tensors to others."""
    return session(parts.extract_model(sources, targets).SerializeToString())


def session(model: bytes) -> InferenceSession:
    """Load an ONNX model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # workers share the machine; OMP_NUM_THREADS is not obeyed
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
