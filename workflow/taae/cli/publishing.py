"""A trained codec for others: export."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from taae.cli.shared import CODEC, Model, Point, command
from taae.codec.operating_points import NATIVE


@command(CODEC)
def export(
    *,
    model: Model,
    output: Path,
    point: Point = NATIVE,
    format: Literal["onnx"] = "onnx",  # noqa: ARG001  # there is one
) -> None:
    """Write a codec for use without PyTorch, checked against PyTorch.

    Args:
        output: folder for encoder.onnx, decoder.onnx, config.json and README.md.
        format: of the files.
    """
    from taae.evaluation.onnx_export import export_onnx

    export_onnx(model, output, point)
