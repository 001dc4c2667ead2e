"""Checkpoints of stable-audio-tools as models of ours: the published stable-codec, for one.

Read are its `autoencoder` of the `taae` encoder and decoder, the `dithered_fsq` bottleneck and
the `patched` pretransform, as at revision 50049e3. The imported model computes the same, with the
sliding window that the config names (the original honours it with flash-attn alone). A tensor
too few or too many, or a key that asks for another computation, is an error.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from taae.codec.codec import Codec
from taae.codec.pretrained import PROVENANCE
from taae.codec.stable_audio_tools import read_config
from taae.codec.taae import Rotary
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json
from taae.utils.fingerprint import provenance
from taae.utils.log import log

# Where a training's checkpoint holds the codec: its averaged weights first, as in the export.
PREFIXES = ("autoencoder_ema.ema_model.", "autoencoder.", "")
LAYER = {  # our names -> theirs
    "attention_norm.weight": "pre_norm.gamma",
    "attention.to_qkv.weight": "self_attn.to_qkv.weight",
    "attention.q_norm.weight": "self_attn.q_norm.weight",
    "attention.q_norm.bias": "self_attn.q_norm.bias",
    "attention.k_norm.weight": "self_attn.k_norm.weight",
    "attention.k_norm.bias": "self_attn.k_norm.bias",
    "attention.to_out.weight": "self_attn.to_out.weight",
    "attention_scale": "self_attn_scale.scale",
    "feed_norm.weight": "ff_norm.gamma",
    "feed.up.weight": "ff.ff.0.proj.weight",
    "feed.up.bias": "ff.ff.0.proj.bias",
    "feed.down.weight": "ff.ff.2.weight",
    "feed.down.bias": "ff.ff.2.bias",
    "feed_scale": "ff_scale.scale",
}


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
    ours, tensors = read_config(config), read_tensors(checkpoint)
    prefixes = (p for p in PREFIXES if any(name.startswith(f"{p}encoder.") for name in tensors))
    prefix = next(prefixes, None)
    if prefix is None:
        raise TaaeError(f"{checkpoint}: has no tensor encoder.*, so it is no checkpoint of a codec")
    with torch.device("meta"):
        codec = Codec(ours)
    below = {n.removeprefix(prefix): each for n, each in tensors.items() if n.startswith(prefix)}
    try:
        codec.load_state_dict(convert(below, codec), assign=True)
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
        write_json(provenance("cpu", about), folder / PROVENANCE)
    log(f"{output}: {count / 1e6:.1f}M parameters, from {prefix}* of {checkpoint.name}")


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


def convert(tensors: dict[str, Tensor], codec: Codec) -> dict[str, Tensor]:
    """Return the weights of our codec from the tensors of a stable-audio-tools checkpoint.

    Args:
        tensors: by their names, below the codec.
        codec: says which there should be; it may be on the meta device.

    Raises:
        TaaeError: names tensors that are missing, too many, or not of the config's shape.
    """
    found, model, expected = _without_weight_norm(tensors), codec.config.model, codec.state_dict()
    del expected["decoder.project_out.conv.bias"]  # theirs has none
    names = {_their_name(name, len(model.layers)): name for name in expected}
    layers = [name.removesuffix("pre_norm.gamma") for name in names if "pre_norm" in name]
    constants = {
        **{f"{norm}.beta": torch.zeros(model.width) for norm in ("pre_norm", "ff_norm")},
        "rope.inv_freq": Rotary(model.head_dim).frequencies,
    }
    known = names.keys() | {layer + name for layer in layers for name in constants}
    for what, wrong in (("missing", known - found.keys()), ("unexpected", found.keys() - known)):
        if wrong:
            some = f"{', '.join(sorted(wrong)[:3])} ({len(wrong)} in all)"
            raise TaaeError(f"{what} {some}; this is not the model of the config")
    for layer in layers:
        for name, value in constants.items():
            weight = found[layer + name]
            if weight.shape != value.shape or not torch.allclose(weight.float(), value):
                raise TaaeError(f"{layer}{name}: is not the constant that every such model has")
    weights = {"decoder.project_out.conv.bias": torch.zeros(model.patch)}
    for theirs, ours in names.items():
        weight, shape = found[theirs].float(), expected[ours].shape
        if weight.dim() == 3:  # of a convolution, which ours keeps as a matrix
            weight = weight.flatten(1)
        if weight.shape != shape:
            raise TaaeError(f"{theirs}: is {[*weight.shape]}, by the config {[*shape]}")
        weights[ours] = weight
    return weights


def _their_name(ours: str, rates: int) -> str:
    """Return the name that one of our weights has in stable-audio-tools.

    Their layers are numbered: a convolution, a block per rate, an activation (here: none), a
    convolution. The strided convolution of a block is before its transformer layers in the
    encoder and after them in the decoder; the block at the fastest rate has none. The first and
    the last of a block's transformer layers swap the axes and have no weights.
    """
    side, part, *path = ours.split(".")
    if part == "blocks":
        block, _, layer, *inside = path
        place = f"{int(block) + 1}.layers.{2 if side == 'encoder' else 0}.{int(layer) + 1}"
        return f"{side}.layers.{place}.{LAYER['.'.join(inside)]}"
    depth = int(path[0]) if part in ("down", "up") else 0
    place = {
        "project_in": "0",
        "down": f"{depth + 2}.layers.1",
        "up": f"{depth + 1}.layers.2",
        "project_out": f"{rates + 2}",
    }[part]
    kind = "bias" if path[-1] == "bias" else "weight"
    return f"{side}.layers.{place}.{kind}"


def _without_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with each pair g, v of weight normalisation as the weight g v / |v|.

    |v| is taken over all dimensions but the first (Salimans and Kingma, arXiv 1602.07868).
    """
    newer = "parametrizations.weight.original"  # of torch: original0 is g, original1 is v
    merged = {
        name.replace(f"{newer}0", "weight_g").replace(f"{newer}1", "weight_v"): tensor
        for name, tensor in tensors.items()
    }
    for name in [name for name in merged if name.endswith("weight_g")]:
        base = name.removesuffix("_g")
        if base + "_v" in merged:
            g, v = merged.pop(name).double(), merged.pop(base + "_v").double()
            if g.numel() != len(v):
                raise TaaeError(f"{name}: is {[*g.shape]}, beside a weight_v of {[*v.shape]}")
            norm = v.flatten(1).norm(dim=1).reshape(g.shape)
            merged[base] = (g / norm * v).float()
    return merged
