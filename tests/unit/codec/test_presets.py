"""Presets: their shapes reach the codec, and they have as many parameters as they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from taae.codec.codec import Codec
from taae.codec.complexity import profile
from taae.codec.config import SHAPES
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.study.study import Study
from taae.training.config import Variant
from taae.utils.errors import TaaeError

ROOT = Path(__file__).parents[3]
COUNTS = {  # also those of the README
    "demo": 2_381_910,
    "tiny": 2_286_662,
    "small": 18_477_382,
    "250M": 247_814_982,
    "500M": 499_096_902,
    "950M": 952_785_222,
}


def demo(**sections: Any) -> dict[str, Any]:
    """Return the demo's config from scratch and alone, with six latent dimensions."""
    six = {"bottleneck": {"dimensions": 6}, "training": {"start": "scratch"}}
    config = read_yaml(ROOT / "config.yaml") | {"ablations": {}, "lengths": {}, "bitrates": {}}
    return merge(merge(config, six), sections)


def resolved(model: dict[str, Any], **variants: Any) -> Study:
    return resolve(demo(variants=variants) | {"model": model})


def preset(name: str) -> Variant:
    return resolved({"preset": name}).variants["baseline"]


def test_the_reference_has_every_preset() -> None:
    assert list(COUNTS) == list(SHAPES)
    reference = (ROOT / "docs" / "configuration.md").read_text()
    for name, count in COUNTS.items():
        assert f"| `{name}` | {count / 1e6:.1f}M |" in reference


@pytest.mark.parametrize("name", SHAPES)
def test_a_preset_has_its_number_of_parameters(name: str) -> None:
    """Counted by closed form, by the chain of links, and in the codec without its memory."""
    variant = preset(name)
    patch, width, head = (SHAPES[name][key] for key in ("patch", "width", "head_dim"))
    # A layer: q, k, v, out are 4 d^2, SwiGLU of 4 d is 12 d^2; two norms, two scales, q and k norm.
    layers = 2 * sum(SHAPES[name]["layers"]) * (16 * width**2 + 4 * width + 2 * head)
    between = 2 * (2 * 2 * width * width + width)  # kernel 4 at stride 2, and bias
    ends = 2 * 7 * patch * width + width + patch  # kernel 7
    latents = 2 * 3 * 6 * width + 6 + width  # kernel 3
    assert layers + between + ends + latents == COUNTS[name]

    config = variant.codec
    assert profile(config).parameters == COUNTS[name]
    with torch.device("meta"):
        codec = Codec(config)
    assert sum(weight.numel() for weight in codec.parameters()) == COUNTS[name]


def test_presets_of_a_size_are_within_a_hundredth_of_it() -> None:
    for name in ("250M", "500M", "950M"):
        assert COUNTS[name] == pytest.approx(float(name[:-1]) * 1e6, rel=0.01)


def test_biases_are_counted() -> None:
    model = resolved({"preset": "tiny", "biases": True}).variants["baseline"]
    config = model.codec
    with torch.device("meta"):
        count = sum(weight.numel() for weight in Codec(config).parameters())
    assert count == COUNTS["tiny"] + 6 * ((8 + 1) * 128 + 2 * 64)
    assert profile(config).parameters == count


def test_keys_beside_a_preset_override_it_and_a_variant_can_have_its_own() -> None:
    study = resolved(
        {"preset": "small", "width": 128, "norm_eps": 1.0e-5},
        big={"model": {"preset": "250M", "layers": [2, 3]}},
        wide={"model": {"width": 512}},
    )
    baseline, big, wide = (study.variants[name].model for name in ("baseline", "big", "wide"))
    assert (baseline.patch, baseline.layers, baseline.width) == (320, [4, 4], 128)
    assert (big.layers, big.width, big.head_dim) == ([2, 3], 512, 128)
    assert (wide.layers, wide.width, wide.head_dim) == ([4, 4], 512, 64)
    assert {model.norm_eps for model in (baseline, big, wide)} == {1.0e-5}


def test_an_overlay_can_choose_a_preset_for_the_demo() -> None:
    chosen = resolve(demo(model={"preset": "tiny"}))
    assert chosen.variants["baseline"].model == preset("tiny").model


def test_an_unknown_preset_is_one_line() -> None:
    with pytest.raises(TaaeError, match=r"model\.preset.*'250m'"):
        resolved({"preset": "250m"})
