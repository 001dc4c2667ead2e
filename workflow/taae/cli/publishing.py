"""A trained codec for others: export, push."""

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


@command(CODEC)
def push(
    *,
    model: Model,
    repo: str,
    results: Path | None = None,
    licence: str = "",
    private: bool = False,
    card: Path | None = None,
) -> None:
    """Upload a codec to the Hugging Face hub, with a model card.

    Args:
        repo: user/name on the hub; made where there is none. The token is HF_TOKEN, or the one of
            `hf auth login`.
        results: results of the study that trained the model, for its bitrates and scores.
        licence: of the weights, in the hub's terms, such as mit or cc-by-4.0.
        private: make the repository private, if it is made now.
        card: only write the card to this file, and upload nothing.
    """
    from taae.analysis.model_card import model_card
    from taae.utils.files import write_text

    text = model_card(model, repo, results, licence)
    if card:
        write_text(text, card)
        return
    from taae.codec.hub import push

    print(push(model, repo, text, private=private))
