"""The model_config.json of stable-audio-tools, as far as `taae import-stable-codec` converts it.

What would change the computation to one that ours has not is fixed here; what plays a part in
training alone is of any value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from taae.codec.operating_points import MOST_LEVELS
from taae.utils.settings import Settings

Count = Annotated[int, Field(ge=1)]
Counts = Annotated[list[Count], Field(min_length=1)]
Levels = Annotated[int, Field(ge=2, le=MOST_LEVELS)]


@dataclass(frozen=True, kw_only=True)
class Stack(Settings):
    """The config of an encoder or a decoder."""

    channels: Count
    c_mults: Counts
    strides: Counts
    transformer_depths: Counts
    latent_dim: Count
    in_channels: Count | None = None
    out_channels: Count | None = None
    sliding_window: Annotated[list[int], Field(min_length=2, max_length=2)] = field(
        default_factory=lambda: [63, 64]  # keys to the left and to the right
    )
    use_snake: Literal[False] = False
    conformer: Literal[False] = False
    layer_scale: Literal[True] = True
    use_dilated_conv: Literal[False] = False
    checkpointing: Any = None  # of activations in training


@dataclass(frozen=True, kw_only=True)
class Coder(Settings):
    """The encoder or the decoder."""

    type: Literal["taae"]
    config: Stack
    soft_clip: Literal[False] = False
    requires_grad: Any = None  # in training


@dataclass(frozen=True, kw_only=True)
class FSQConfig(Settings):
    """The config of the bottleneck."""

    dim: Count
    levels: Levels | Annotated[list[Levels], Field(min_length=1)]
    num_codebooks: Literal[1] = 1
    dither_inference: Any = None  # read by nothing
    noise_dropout: Any = None  # in training


@dataclass(frozen=True, kw_only=True)
class FSQ(Settings):
    """The bottleneck."""

    type: Literal["dithered_fsq"]
    config: FSQConfig
    requires_grad: Any = None  # in training


@dataclass(frozen=True, kw_only=True)
class PatchedConfig(Settings):
    """The config of the patches."""

    channels: Literal[1]
    patch_size: Count
    oversampling: Literal[1] = 1


@dataclass(frozen=True, kw_only=True)
class Patched(Settings):
    """The patches that a waveform is cut into."""

    type: Literal["patched"]
    config: PatchedConfig
    enable_grad: Any = None  # in training


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Settings):
    """The codec."""

    encoder: Coder
    decoder: Coder
    bottleneck: FSQ
    pretransform: Patched
    latent_dim: Count
    downsampling_ratio: Count
    io_channels: Literal[1]
    in_channels: Literal[1] = 1
    out_channels: Literal[1] = 1
    use_proj_head: Any = None  # of CTC in training, as the next two
    proj_head_dim: Any = None
    detach_proj_head: Any = None


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """A model_config.json."""

    model_type: Literal["autoencoder"]
    sample_rate: Literal[16_000]
    model: Autoencoder
    audio_channels: Literal[1] = 1
    sample_size: Any = None  # of training segments
    training: Any = None  # the recipe
