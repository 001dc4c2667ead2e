"""What training does to the layers of a codec; names and values of weights stay what they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from taae.codec.base import Codec
from taae.codec.conv import ResidualUnit
from taae.codec.taae import Layer


def recompute_layers(codec: Codec) -> None:
    """Let each layer keep its input alone and compute the rest again (checkpointing).

    Results and gradients stay what they are.
    """
    for layer in _layers(codec):
        again = partial(checkpoint, layer.forward, use_reentrant=False)
        layer.forward = again


def compile_layers(codec: Codec) -> None:
    """Let torch compile each layer: layers of a shape share the code, which takes half a minute.

    The whole codec as one graph took minutes on two cores, and was no faster. Layers that are to be
    computed again are compiled first: torch does not look into a checkpoint.
    """
    for layer in _layers(codec):
        compiled = torch.compile(layer.forward, dynamic=False)
        layer.forward = compiled


def _layers(codec: Codec) -> Iterator[nn.Module]:
    return (module for module in codec.modules() if isinstance(module, (Layer, ResidualUnit)))
