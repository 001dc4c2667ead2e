"""Import of checkpoints of stable-audio-tools: equal outputs, and nothing that is not meant."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from taae import cli
from taae.codec.codec import load_codec
from taae.codec.import_stable_codec import import_model, read_tensors
from taae.study.overlay import merge
from taae.utils.errors import TaaeError
from taae.utils.files import file_sha256
from tests.unit.codec import stable_codec as oracle
from tests.unit.codec.tokens import pack


def write(folder: Path, config: dict[str, Any], tensors: oracle.Tensors) -> tuple[Path, Path, Path]:
    """Write a config and a checkpoint; return their paths and where the import may go."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_config.json").write_text(json.dumps(config))
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    return folder / "model_config.json", folder / "model.safetensors", folder / "model"


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"depths": (1, 1, 1), "strides": (1, 2, 4), "window": (1, 2), "levels": 6},
        {"channels": 256, "depths": (1, 1), "window": (15, 16), "dimensions": 6, "levels": 17},
    ],
)
def test_outputs_are_the_originals(shape: dict[str, Any], tmp_path: Path) -> None:
    config = oracle.config(**shape)
    tensors = oracle.tensors(config)
    model, levels = config["model"], config["model"]["bottleneck"]["config"]["levels"]
    paths = write(tmp_path, config, tensors)
    import_model(*paths)
    codec = load_codec(paths[2])

    hop = model["downsampling_ratio"]
    wave = 0.3 * torch.randn(2, 61 * hop, generator=torch.Generator().manual_seed(1))
    latents = oracle.encode(wave.double(), tensors, config)
    quantised, tokens = oracle.quantise(latents, levels)
    decoded = oracle.decode(quantised, tensors, config)
    assert latents.abs().max() > 0.5
    assert decoded.abs().max() > 0.5

    assert len(tokens.unique()) > 20
    with torch.inference_mode():
        found = codec.latents(wave).transpose(1, 2)
    torch.testing.assert_close(found.double(), latents, rtol=1e-5, atol=2e-5)
    codes = codec.encode(wave)
    assert torch.equal(pack(codes, levels), tokens)
    torch.testing.assert_close(codec.decode(codes).double(), decoded, rtol=1e-5, atol=2e-5)

    # In float64 what is left is the rounding of the merged weights to float32.
    codec.double()
    with torch.inference_mode():
        latents_again = codec.latents(wave.double()).transpose(1, 2)
        again = codec.decoder(quantised.transpose(1, 2))
    torch.testing.assert_close(latents_again, latents, rtol=0, atol=2e-6)
    torch.testing.assert_close(again, decoded, rtol=0, atol=2e-6)


def test_the_window_is_honoured(tmp_path: Path) -> None:
    """Another window on the same weights is far from equal, so equality is not by chance."""
    config = oracle.config()
    tensors = oracle.tensors(config)
    wave = torch.randn(1, 64 * 16, generator=torch.Generator().manual_seed(1)).double()
    narrow = oracle.encode(wave, tensors, config)
    wide = oracle.encode(wave, tensors, oracle.config(window=(63, 64)))
    assert (narrow - wide).abs().max() > 0.01


def test_the_weights_of_torch_weight_norm_are_those_of_g_and_v() -> None:
    """The oracle's formula is torch's own, for transposed convolutions too."""
    for conv in (nn.Conv1d(3, 5, 4), nn.ConvTranspose1d(5, 3, 4)):
        normed = nn.utils.parametrizations.weight_norm(conv)
        with torch.no_grad():
            normed.parametrizations.weight.original0.mul_(1.7)  # type: ignore[union-attr]
        parts = normed.state_dict()
        found = {
            "c.weight_g": parts["parametrizations.weight.original0"],
            "c.weight_v": parts["parametrizations.weight.original1"],
        }
        torch.testing.assert_close(oracle._weight(found, "c").float(), conv.weight.detach())


def renamed(tensors: oracle.Tensors, how: str) -> dict[str, Any]:
    """The same weights as other software versions and stages of a training save them."""
    if how == "parametrized":
        return {
            name.replace("weight_g", "parametrizations.weight.original0").replace(
                "weight_v", "parametrizations.weight.original1"
            ): each
            for name, each in tensors.items()
        }
    if how == "merged":
        plain = {name: each for name, each in tensors.items() if "weight_" not in name}
        convolutions = [name.removesuffix("_g") for name in tensors if name.endswith("_g")]
        return plain | {
            name: oracle._weight(tensors, name.removesuffix(".weight")).float()
            for name in convolutions
        }
    other = {name: torch.full_like(each, 7.0) for name, each in tensors.items()}
    if how == "training":
        return {
            "state_dict": {f"autoencoder.{name}": each for name, each in tensors.items()}
            | {"discriminator.conv.weight": torch.ones(3), "losses_gen.0.window": torch.ones(3)},
            "optimizer_states": [{"state": {}, "lr": 1e-4}],
            "epoch": 3,
        }
    return {
        "state_dict": {f"autoencoder.{name}": each for name, each in other.items()}
        | {f"autoencoder_ema.ema_model.{name}": each for name, each in tensors.items()}
        | {"autoencoder_ema.step": torch.tensor(1)}
    }


@pytest.mark.parametrize("how", ["parametrized", "merged", "training", "averaged"])
def test_every_form_of_a_checkpoint_is_the_same_model(how: str, tmp_path: Path) -> None:
    config = oracle.config()
    tensors = oracle.tensors(config)
    paths = write(tmp_path, config, tensors)
    import_model(*paths)
    torch.save(renamed(tensors, how), tmp_path / "other.ckpt")
    import_model(paths[0], tmp_path / "other.ckpt", tmp_path / "other")
    one, other = (
        safetensors.torch.load_file(tmp_path / n / paths[1].name) for n in ("model", "other")
    )
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-6, atol=1e-7)


def test_provenance_names_both_files_by_hash(tmp_path: Path) -> None:
    config = oracle.config()
    paths = write(tmp_path, config, oracle.tensors(config))
    words = ["--config", str(paths[0]), "--checkpoint", str(paths[1]), str(paths[2])]
    assert cli.main(["import-stable-codec", *words]) == 0
    about = json.loads((paths[2] / "provenance.json").read_text())
    assert about["source"]["config"]["sha256"] == file_sha256(paths[0])
    assert about["source"]["checkpoint"]["sha256"] == file_sha256(paths[1])
    codec = load_codec(paths[2])
    assert about["parameters"] == sum(weight.numel() for weight in codec.parameters())
    assert sorted(path.name for path in paths[2].iterdir()) == [
        *["config.json", "model.safetensors", "provenance.json"]
    ]


def refused(paths: tuple[Path, Path, Path]) -> str:
    with pytest.raises(TaaeError) as caught:
        import_model(*paths)
    assert not paths[2].exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return merge(config, value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.encoder.type", "oobleck", ["model.encoder.type: oobleck", "only taae"]),
        ("model.bottleneck.type", "vae", ["model.bottleneck.type", "vae"]),
        ("model.pretransform.type", "pqmf", ["model.pretransform.type", "pqmf"]),
        ("model_type", "diffusion_cond", ["model_type", "autoencoder"]),
        ("sample_rate", 44100, ["sample_rate", "16000"]),
        ("model.encoder.config.use_snake", True, ["model.encoder.config.use_snake"]),
        ("model.decoder.config.conformer", True, ["model.decoder.config.conformer"]),
        ("model.encoder.config.differential", True, ["unknown key", "differential"]),
        ("model.decoder.soft_clip", True, ["model.decoder.soft_clip"]),
        ("model.decoder.config.sliding_window", [7, 8], ["decoder.config.sliding_window"]),
        (
            "model.encoder.config.sliding_window",
            [4, 0],
            ["encoder.config.sliding_window", "[4, 0]"],
        ),
        ("model.encoder.config.strides", [1, 3], ["encoder.config.strides", "[1, 3]"]),
        ("model.encoder.config.strides", [2, 2], ["encoder.config.strides", "[2, 2]"]),
        ("model.encoder.config.strides", [1], ["strides", "differ in length"]),
        ("model.encoder.config.c_mults", [1, 2], ["encoder.config.c_mults"]),
        ("model.decoder.config.transformer_depths", [1, 1], ["decoder.config.transformer_depths"]),
        ("model.bottleneck.config.levels", [5, 5, 6], ["bottleneck.config.levels", "[5, 5, 6]"]),
        ("model.bottleneck.config.num_codebooks", 2, ["bottleneck.config.num_codebooks"]),
        ("model.pretransform.config.oversampling", 2, ["pretransform.config.oversampling"]),
        ("model.downsampling_ratio", 17, ["downsampling_ratio", "16"]),
        ("model.latent_dim", 4, ["latent_dim"]),
    ],
)
def test_what_would_compute_something_else_is_refused(
    key: str, value: Any, words: list[str], tmp_path: Path
) -> None:
    config = oracle.config()
    message = refused(write(tmp_path, changed(config, key, value), oracle.tensors(config)))
    assert all(word in message for word in words), message


def test_a_tensor_too_few_or_too_many_or_of_another_shape_is_named(tmp_path: Path) -> None:
    config = oracle.config()
    tensors = oracle.tensors(config)
    gamma = "encoder.layers.2.layers.2.1.pre_norm.gamma"
    for name, change, words in [
        ("few", {gamma: None}, ["missing", gamma]),
        ("half", {"decoder.layers.0.weight_g": None}, ["missing decoder.layers.0.weight"]),
        ("many", {"encoder.extra": torch.ones(2)}, ["unexpected encoder.extra"]),
        ("shape", {gamma: torch.ones(17)}, [gamma, "[17]", "[16]"]),
        ("beta", {gamma.replace("gamma", "beta"): torch.ones(16)}, ["pre_norm.beta", "constant"]),
        (
            "length",
            {"encoder.layers.0.weight_g": torch.ones(3, 1, 1)},
            ["encoder.layers.0.weight_g"],
        ),
    ]:
        given = {k: v for k, v in (tensors | change).items() if v is not None}
        message = refused(write(tmp_path / name, config, given))
        assert all(word in message for word in words), message
    message = refused(write(tmp_path / "deeper", oracle.config(depths=(2, 2)), tensors))
    assert "missing" in message
    assert "in all" in message
    assert "not the model of the config" in message


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    config = oracle.config()
    tensors = oracle.tensors(config)
    paths = write(tmp_path, config, tensors)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    assert "is it whole?" in refused(paths)

    pickled = tmp_path / "model.ckpt"
    torch.save({"state_dict": tensors}, pickled)
    pickled.write_bytes(pickled.read_bytes()[:-1000])
    assert str(pickled) in refused((paths[0], pickled, paths[2]))
    torch.save({"state_dict": {"generator.weight": torch.ones(3)}}, pickled)
    assert "no tensor encoder.*" in refused((paths[0], pickled, paths[2]))
    torch.save([1, 2], pickled)
    assert "no state_dict" in refused((paths[0], pickled, paths[2]))
    assert "no such file" in refused((paths[0], tmp_path / "none.ckpt", paths[2]))
    assert "model_config.json" in refused((tmp_path / "none.json", paths[1], paths[2]))


class Code:
    """What a pickle can hold: a call, made when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_not_run(writer: str, tmp_path: Path) -> None:
    content = {"state_dict": {"encoder.a": torch.ones(1)}, "callback": Code(tmp_path / "ran")}
    path = tmp_path / "model.ckpt"
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(TaaeError):
        read_tensors(path)
    assert not (tmp_path / "ran").exists()


def test_an_output_that_is_there_stays(tmp_path: Path) -> None:
    config = oracle.config()
    paths = write(tmp_path, config, oracle.tensors(config))
    paths[2].mkdir()
    (paths[2] / "kept").write_text("kept")
    with pytest.raises(TaaeError, match="is there already"):
        import_model(*paths)
    assert (paths[2] / "kept").read_text() == "kept"
