"""The model_config.json of stable-audio-tools, as the config of a codec of ours.

A config is flattened to dotted keys, such as model.encoder.config.strides. A few of its values fix
our codec and, with it, what every other value has to be.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from taae.codec.attention_window import window_sides
from taae.codec.config import CodecConfig
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE
from taae.utils.settings import validate

HEAD_DIM = 128  # or the width where that is less
# What every such model has; the scale is the initial one, and plays no part in a trained model.
COMMON = {"ff_mult": 4, "norm_eps": 1e-2, "layer_scale": 1e-5, "biases": True}
SIDES = ("encoder", "decoder")
TYPES = {
    **{f"model.{side}.type": "taae" for side in SIDES},
    "model.bottleneck.type": "dithered_fsq",
    "model.pretransform.type": "patched",
}
WINDOW = {f"model.{side}.config.sliding_window": [63, 64] for side in SIDES}  # where none is given
# Other keys that may be left out, with their values then, which alone compute what ours does.
OPTIONAL = {
    **dict.fromkeys(("audio_channels", "model.in_channels", "model.out_channels"), 1),
    "model.bottleneck.config.num_codebooks": 1,
    "model.pretransform.config.oversampling": 1,
    **{
        f"model.{side}.{key}": False
        for key in ("soft_clip", "config.use_snake", "config.conformer", "config.use_dilated_conv")
        for side in SIDES
    },
    **{f"model.{side}.config.layer_scale": True for side in SIDES},
}
# Keys that play a part in training alone, or are read by nothing.
IGNORED = {
    *("sample_size", "training", "checkpointing", "requires_grad", "enable_grad"),
    *("noise_dropout", "dither_inference", "use_proj_head", "proj_head_dim", "detach_proj_head"),
}


def read_config(path: Path) -> CodecConfig:
    """Return the codec that a model_config.json describes.

    Raises:
        TaaeError: names the key that cannot be read, is unknown or asks for another computation.
    """
    try:
        found = OPTIONAL | WINDOW | _flat(json.loads(path.read_text(encoding="utf-8")))
        _expect(found, TYPES)
        return _codec(found)
    except TaaeError as error:
        raise TaaeError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise TaaeError(
            f"{path}: not the model_config.json of a speech codec ({type(error).__name__}: {error})"
        ) from error


def _flat(config: dict[str, Any], place: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by their dotted keys, without the ignored ones."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key not in IGNORED:
            nested = isinstance(value, dict)
            found |= _flat(value, f"{place}{key}.") if nested else {f"{place}{key}": value}
    return found


def _expect(found: dict[str, Any], needed: dict[str, Any]) -> None:
    for key, value in needed.items():
        if found.get(key) != value:
            raise TaaeError(
                f"{key}: {found.get(key)}, but only {value} fits the rest and can be converted"
            )


def _codec(found: dict[str, Any]) -> CodecConfig:
    """Return the codec of a config by dotted keys; a `TaaeError` where it computes otherwise."""
    keys = ("channels", "c_mults", "strides", "transformer_depths", "sliding_window")
    channels, c_mults, strides, depths, sides = (found[f"model.encoder.config.{k}"] for k in keys)
    if not len(c_mults) == len(strides) == len(depths):
        raise TaaeError(
            "model.encoder.config: c_mults, strides and transformer_depths differ in length"
        )
    patch = found["model.pretransform.config.patch_size"]
    dimensions = found["model.bottleneck.config.dim"]
    levels = found["model.bottleneck.config.levels"]  # of all dimensions, or a list
    first = levels[0] if isinstance(levels, list) else levels
    width, window = channels * c_mults[0], 2 * max(1, sides[1])
    both = {
        "channels": channels,
        "c_mults": c_mults[:1] * len(depths),
        "strides": [1, *(stride + stride % 2 for stride in strides[1:])],
        "transformer_depths": depths,
        "latent_dim": dimensions,
        "sliding_window": [*window_sides(window, causal=False)],
    }
    needed = {
        **OPTIONAL,
        **TYPES,
        **{f"model.{side}.config.{key}": value for key, value in both.items() for side in SIDES},
        "model_type": "autoencoder",
        "sample_rate": SAMPLE_RATE,
        "model.io_channels": 1,
        "model.latent_dim": dimensions,
        "model.downsampling_ratio": patch * math.prod(strides),
        "model.encoder.config.in_channels": patch,
        "model.decoder.config.out_channels": patch,
        "model.pretransform.config.channels": 1,
        "model.pretransform.config.patch_size": patch,
        "model.bottleneck.config.dim": dimensions,
        "model.bottleneck.config.levels": [first] * dimensions if levels != first else first,
    }
    _expect(found, needed)
    for key in found.keys() - needed.keys():
        raise TaaeError(f"unknown key '{key}'; it may ask for another computation")
    shape = {"patch": patch, "layers": depths, "strides": strides[1:], "width": width}
    return validate(
        CodecConfig,
        {
            "model": {**COMMON, **shape, "head_dim": min(HEAD_DIM, width)},
            "attention": {"window": window, "causal": False},
            "bottleneck": {"dimensions": dimensions, "levels": first},
        },
    )
