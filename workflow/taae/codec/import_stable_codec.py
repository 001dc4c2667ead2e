"""Checkpoints of stable-audio-tools as models of ours: the published stable-codec, for one.

Read are its `autoencoder` of the `taae` encoder and decoder, the `dithered_fsq` bottleneck and
the `patched` pretransform, as at revision 50049e3. The imported model computes the same, with the
sliding window that the config names (the original honours it with flash-attn alone). A tensor
too few or too many, or a key that asks for another computation, is an error.
"""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from taae.codec.base import Codec
from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.codec.load import build
from taae.codec.pretrained import PROVENANCE
from taae.codec.stable_audio_tools import Autoencoder, ModelConfig
from taae.codec.taae import ROTARY_SHARE
from taae.codec.window import window_sides
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json
from taae.utils.log import log
from taae.utils.provenance import provenance
from taae.utils.settings import validate

HEAD_DIM = 128  # or the width where that is less
FF_MULT = 4
NORM_EPS = 1e-2
LAYER_SCALE = 1e-5  # initial; plays no part in a trained model
TYPES = {"encoder": "taae", "decoder": "taae", "bottleneck": "dithered_fsq"}
TYPES |= {"pretransform": "patched"}
# Where a training's checkpoint holds the codec: its averaged weights first, as in the export.
PREFIXES = ("autoencoder_ema.ema_model.", "autoencoder.", "")
LAYER = {  # their names -> ours
    "pre_norm.gamma": "attention_norm.weight",
    "self_attn.to_qkv.weight": "attention.to_qkv.weight",
    "self_attn.q_norm.weight": "attention.q_norm.weight",
    "self_attn.q_norm.bias": "attention.q_norm.bias",
    "self_attn.k_norm.weight": "attention.k_norm.weight",
    "self_attn.k_norm.bias": "attention.k_norm.bias",
    "self_attn.to_out.weight": "attention.to_out.weight",
    "self_attn_scale.scale": "attention_scale",
    "ff_norm.gamma": "feed_norm.weight",
    "ff.ff.0.proj.weight": "feed.up.weight",
    "ff.ff.0.proj.bias": "feed.up.bias",
    "ff.ff.2.weight": "feed.down.weight",
    "ff.ff.2.bias": "feed.down.bias",
    "ff_scale.scale": "feed_scale",
}
SHOWN = 3  # tensors that an error names


def import_model(config: Path, checkpoint: Path, output: Path) -> None:
    """Convert a checkpoint to a model folder, whole or not at all.

    Args:
        config: model_config.json of stable-audio-tools.
        checkpoint: .safetensors, or what `torch.save` wrote; no code in it is run.
        output: the model folder; must not be there yet.

    Raises:
        TaaeError: the model is another one than its config says, or one that is not converted.
    """
    if output.exists():
        raise TaaeError(f"{output}: is there already; name a new folder")
    ours = read_config(config)
    tensors, prefix = _codec_tensors(read_tensors(checkpoint), checkpoint)
    with torch.device("meta"):
        codec = build(ours)
    try:
        codec.load_state_dict(convert(tensors, codec), assign=True)
    except TaaeError as error:
        raise TaaeError(f"{checkpoint}: {error}") from None
    count = sum(weight.numel() for weight in codec.parameters())
    about = {
        "source": {
            "config": {"file": config.name, "sha256": file_sha256(config)},
            "checkpoint": {"file": checkpoint.name, "sha256": file_sha256(checkpoint)},
            "tensors": f"{prefix}*",
        },
        "parameters": count,
    }
    with atomic(output) as folder:
        codec.save_pretrained(folder)
        write_json(provenance(torch.device("cpu"), about), folder / PROVENANCE)
    log(f"{output}: {count / 1e6:.1f}M parameters, from {prefix}* of {checkpoint.name}")


def read_config(path: Path) -> CodecConfig:
    """Return the codec that a model_config.json describes.

    Raises:
        TaaeError: names the key that cannot be read, is unknown or asks for something else.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        parts = {name: config["model"][name]["type"] for name in TYPES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaaeError(
            f"{path}: not the model_config.json of a speech codec ({type(error).__name__}: {error})"
        ) from error
    for name, type_ in TYPES.items():
        if parts[name] != type_:
            raise TaaeError(
                f"{path}: model.{name}.type: '{parts[name]}' is another architecture;"
                f" only '{type_}' can be converted"
            )
    try:
        return _codec_config(validate(ModelConfig, config).model)
    except TaaeError as error:
        raise TaaeError(f"{path}: config: {error}") from None


def _codec_config(config: Autoencoder) -> CodecConfig:
    encoder, decoder = config.encoder.config, config.decoder.config
    bottleneck = config.bottleneck.config
    patch, strides = config.pretransform.config.patch_size, encoder.strides
    width, depths = encoder.channels * encoder.c_mults[0], encoder.transformer_depths
    rates = len(depths)
    if not len(encoder.c_mults) == len(strides) == rates:
        raise TaaeError(
            "model.encoder.config: c_mults, strides and transformer_depths differ in length"
        )
    levels, dimensions = bottleneck.levels, bottleneck.dim
    levels = [levels] * dimensions if isinstance(levels, int) else levels
    sides = encoder.sliding_window
    window = 2 * max(1, sides[1])
    head_dim = min(HEAD_DIM, width)
    for key, found, needed in [
        ("encoder.config.in_channels", encoder.in_channels, patch),
        ("decoder.config.out_channels", decoder.out_channels, patch),
        ("encoder.config.c_mults", encoder.c_mults, encoder.c_mults[:1] * rates),
        ("encoder.config.strides", strides, [1, *(s + s % 2 for s in strides[1:])]),
        ("decoder.config.channels", decoder.channels, encoder.channels),
        ("decoder.config.c_mults", decoder.c_mults, encoder.c_mults),
        ("decoder.config.strides", decoder.strides, strides),
        ("decoder.config.transformer_depths", decoder.transformer_depths, depths),
        ("encoder.config.sliding_window", sides, [*window_sides(window, causal=False)]),
        ("decoder.config.sliding_window", decoder.sliding_window, sides),
        ("encoder.config.latent_dim", encoder.latent_dim, dimensions),
        ("decoder.config.latent_dim", decoder.latent_dim, dimensions),
        ("latent_dim", config.latent_dim, dimensions),
        ("bottleneck.config.levels", levels, levels[:1] * dimensions),
        ("downsampling_ratio", config.downsampling_ratio, patch * math.prod(strides)),
    ]:
        if found != needed:
            raise TaaeError(
                f"model.{key}: {found}, but only {needed} fits the rest and can be converted"
            )
    if width % head_dim or head_dim % 4:
        raise TaaeError(
            f"model.encoder.config.channels: a width of {width} does not divide into heads"
            f" of {head_dim}"
        )
    return CodecConfig(
        Model(
            patch=patch,
            layers=depths,
            strides=strides[1:],
            width=width,
            head_dim=head_dim,
            ff_mult=FF_MULT,
            norm_eps=NORM_EPS,
            layer_scale=LAYER_SCALE,
            biases=True,
        ),
        Attention(window, causal=False),
        Bottleneck(dimensions, levels[0], "symmetric", "hybrid"),
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, without running code that it may hold."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise TaaeError(f"{path}: no such file") from None
    except pickle.UnpicklingError as error:
        raise TaaeError(
            f"{path}: holds more than tensors and plain values, or is damaged. It is not loaded,"
            " since that could run code from it; where you trust it, convert its state_dict to"
            f" .safetensors first ({str(error).splitlines()[0]})"
        ) from None
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise TaaeError(
            f"{path}: not a readable checkpoint; is it whole? ({str(error).splitlines()[0]})"
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(each, Tensor) for each in state.values()):
        raise TaaeError(f"{path}: has no state_dict of tensors")
    return state


def _codec_tensors(tensors: dict[str, Tensor], path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the codec's tensors and the prefix that they had in a checkpoint of a training."""
    for prefix in PREFIXES:
        if any(name.startswith(f"{prefix}encoder.") for name in tensors):
            size = len(prefix)
            return {n[size:]: each for n, each in tensors.items() if n.startswith(prefix)}, prefix
    raise TaaeError(f"{path}: has no tensor encoder.*, so it is no checkpoint of a codec")


def convert(tensors: dict[str, Tensor], codec: Codec) -> dict[str, Tensor]:
    """Return the weights of our codec from the tensors of a stable-audio-tools checkpoint.

    Args:
        tensors: by their names, below the codec.
        codec: says which there should be; it may be on the meta device.

    Raises:
        TaaeError: names tensors that are missing, too many, or not of the config's shape.
    """
    model = codec.config.model
    found, names, constants = _without_weight_norm(tensors), tensor_names(model), _constants(model)
    for wrong, what in (
        ((names | constants).keys() - found.keys(), "missing"),
        (found.keys() - (names | constants).keys(), "unexpected"),
    ):
        if wrong:
            some = ", ".join(sorted(wrong)[:SHOWN])
            rest = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise TaaeError(f"{what} {some}{rest}; this is not the model of the config")
    for name, value in constants.items():
        if found[name].shape != value.shape or not torch.allclose(found[name].float(), value):
            raise TaaeError(f"{name}: is not the constant that every such model has there")
    weights = {}
    for name, (module, parameter) in names.items():
        shape = getattr(codec.get_submodule(module), parameter).shape
        if found[name].shape != shape:
            raise TaaeError(f"{name}: is {[*found[name].shape]}, by the config {[*shape]}")
        weight = found[name].float()
        if parameter == "weight" and weight.dim() == 3:  # convolutions are kept as matrices
            parameter, weight = "parametrizations.weight.original", weight.flatten(1)
        weights[f"{module}.{parameter}"] = weight
    weights["decoder.project_out.conv.bias"] = torch.zeros(model.patch)  # theirs has none
    return weights


def tensor_names(model: Model) -> dict[str, tuple[str, str]]:
    """Return where each of their tensors is in ours: (module, parameter); without constants.

    Their layers are numbered: a convolution, a block per rate, an activation (here: none), a
    convolution. The strided convolution of a block is before its transformer layers in the
    encoder and after them in the decoder; the block at the fastest rate has none.
    """
    rates = len(model.layers)
    convolutions = {
        "encoder.layers.0": "encoder.project_in",
        f"encoder.layers.{rates + 2}": "encoder.project_out",
        "decoder.layers.0": "decoder.project_in",
        f"decoder.layers.{rates + 2}": "decoder.project_out",
    }
    names = {}
    for depth in range(rates - 1):
        convolutions[f"encoder.layers.{depth + 2}.layers.1"] = f"encoder.down.{depth}"
        convolutions[f"decoder.layers.{depth + 1}.layers.2"] = f"decoder.up.{depth}"
    for theirs, ours in convolutions.items():
        names[f"{theirs}.weight"] = (f"{ours}.conv", "weight")
        names[f"{theirs}.bias"] = (f"{ours}.conv", "bias")
    del names[f"decoder.layers.{rates + 2}.bias"]
    for theirs, ours in _layers(model).items():
        for name, path in LAYER.items():
            module, _, parameter = f"{ours}.{path}".rpartition(".")
            names[f"{theirs}.{name}"] = (module, parameter)
    return names


def _layers(model: Model) -> dict[str, str]:
    """Return the prefix of each transformer layer, theirs -> ours."""
    found = {}
    for side, place, depths in (
        ("encoder", 2, model.layers),
        ("decoder", 0, model.layers[::-1]),
    ):
        for block, depth in enumerate(depths):
            for layer in range(depth):
                # The first and the last of theirs swap the axes and have no weights.
                theirs = f"{side}.layers.{block + 1}.layers.{place}.{layer + 1}"
                found[theirs] = f"{side}.blocks.{block}.layers.{layer}"
    return found


def _constants(model: Model) -> dict[str, Tensor]:
    """Return their constant tensors, with the values that our code has for them."""
    rotated = model.head_dim // ROTARY_SHARE
    values = {
        "pre_norm.beta": torch.zeros(model.width),
        "ff_norm.beta": torch.zeros(model.width),
        "rope.inv_freq": 10_000.0 ** -(torch.arange(0, rotated, 2) / rotated),
    }
    return {f"{layer}.{name}": value for layer in _layers(model) for name, value in values.items()}


def _without_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with each pair g, v of weight normalisation as the weight g v / |v|.

    |v| is taken over all dimensions but the first (Salimans and Kingma, arXiv 1602.07868).
    """
    merged = dict(tensors)
    for g_end, v_end in (
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ):
        for name in tensors:
            base = name.removesuffix(g_end)
            if base == name or base + v_end not in tensors:
                continue
            g, v = merged.pop(name).double(), merged.pop(base + v_end).double()
            if g.numel() != v.shape[0]:
                raise TaaeError(f"{name}: is {[*g.shape]}, beside a {v_end} of {[*v.shape]}")
            norm = v.flatten(1).norm(dim=1).reshape(g.shape)
            merged[f"{base}weight"] = (g / norm * v).float()
    return merged
