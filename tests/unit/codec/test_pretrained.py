"""Variants that are decoded and scored, never trained."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from taae.analysis.tables.scores import summary
from taae.codec.codec import Codec, load_codec
from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.codec.pretrained import copy_model, fingerprint, read_config
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.study.study import Study
from taae.utils.errors import TaaeError
from tests.unit.analysis.fake_scores import fake_scores
from tests.unit.analysis.fake_scores import study as fake_study

ROOT = Path(__file__).parents[3]
CONFIG = CodecConfig(
    Model(320, [1, 1], [2], 32, 16, 4, 1e-2, 1e-5, biases=True),
    Attention(32, causal=False),
    Bottleneck(6, 17, "symmetric", "hybrid"),
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    Codec(CONFIG).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def resolved(model: Path, **changes: Any) -> Study:
    variants = {"published": {"pretrained": str(model)}}
    config = merge(read_yaml(ROOT / "config.yaml"), {"variants": variants})
    return resolve(merge(config, {"bitrates": {"points": ["1x46656", "2x15625"]}, **changes}))


def test_its_sections_are_the_models_own(model: Path) -> None:
    study = resolved(model, seeds=[3, 4], select=["window"])
    published = study.variants["published"]
    assert published.codec == CONFIG
    assert published.bitrate() == pytest.approx(613, abs=0.5)
    assert study.trained == [name for name in study.variants if name != "published"]
    assert study.seeds_of("published") == [3]
    assert study.seeds_of("baseline") == [3, 4]
    assert study.points("published") == ["native", "1x46656", "2x15625"]
    assert published.bitrate("1x46656") == pytest.approx(388, abs=0.5)
    assert study.points("baseline") == ["native"]  # its ablation is not selected


def test_what_is_trained_does_not_depend_on_it(model: Path) -> None:
    with_it = resolved(model)
    without = resolve(read_yaml(ROOT / "config.yaml"))
    assert {name: with_it.variants[name] for name in without.variants} == without.variants


def test_shares_are_kept_and_models_from_before_them_are_read(model: Path) -> None:
    assert read_config(model) == CONFIG
    paper = replace(CONFIG, bottleneck=replace(CONFIG.bottleneck, shares=[0.5, 0.0, 0.5]))
    Codec(paper).save_pretrained(model)
    assert read_config(model) == paper == load_codec(model).config
    content = json.loads((model / "config.json").read_text())
    del content["bottleneck"]["shares"]
    (model / "config.json").write_text(json.dumps(content))
    assert read_config(model) == CONFIG
    assert "shares" not in json.loads((ROOT / "workflow" / "trunk" / "config.json").read_text())
    assert read_config(ROOT / "workflow" / "trunk").bottleneck == Bottleneck(
        12, 4, "symmetric", "continuous"
    )


def test_an_ablation_that_lists_it_must_say_so(model: Path) -> None:
    ablation = {"title": "t", "variants": ["published"], "primary": "stoi"}
    codec = ["model", "attention", "bottleneck"]
    with pytest.raises(TaaeError, match=r"also changes .*pretrained"):
        resolved(model, ablations={"a": ablation | {"varies": codec}})
    study = resolved(model, ablations={"a": ablation | {"varies": ["pretrained", *codec]}})
    assert study.ablations["a"].variants == ["published"]


def test_a_study_of_pretrained_models_trains_nothing(model: Path, tmp_path: Path) -> None:
    Codec(replace(CONFIG, attention=Attention(64, causal=False))).save_pretrained(
        tmp_path / "other"
    )
    study = resolved(
        model,
        variants={
            "baseline": {"pretrained": str(model)},
            "other": {"pretrained": str(tmp_path / "other")},
        },
        ablations={
            "models": {
                "title": "t",
                "varies": ["pretrained", "attention"],
                "variants": ["other"],
                "primary": "stoi",
            }
        },
        select=["models"],
    )
    assert list(study.variants) == ["baseline", "published", "other"]
    assert study.trained == []
    assert study.warnings == []


def test_it_is_a_row_of_the_summary_beside_variants_of_several_seeds(model: Path) -> None:
    scores = fake_scores(seeds=(1, 2, 3))
    mine = scores[(scores["variant"] == "window-32") & (scores["seed"] == 1)]
    scores = pd.concat([scores, mine.assign(run="published", variant="published")])
    study = replace(fake_study(), variants=resolved(model).variants, seeds=[1, 2, 3])
    rows = summary(scores, study).set_index("variant").loc["published"]
    assert set(rows["n_seeds"]) == {1}
    assert set(rows["scope"]) == {"fixed checkpoint"}
    assert set(rows["bitrate"].round()) == {613}
    assert rows["p_best"].between(0, 1).all()  # paired with the best at each of its seeds


def test_mistakes_are_one_line(model: Path, tmp_path: Path) -> None:
    for folder, body, words in [
        (tmp_path / "nowhere", {}, ["variants.published", "nowhere", "a model?"]),
        (model, {"attention": {"window": 32}}, ["variants.published", "stands alone", "attention"]),
    ]:
        with pytest.raises(TaaeError) as caught:
            resolved(folder, variants={"published": {"pretrained": str(folder), **body}})
        assert all(word in str(caught.value) for word in words), str(caught.value)
    config = asdict(CONFIG)
    for wrong, words in [
        (config | {"sample_rate": 24_000}, ["16000 Hz"]),
        (config | {"model": config["model"] | {"wdth": 3}}, ["wdth"]),
        ({"model": config["model"]}, ["not the config of a codec"]),
        (config | {"attention": {"causal": False}}, ["attention", "no key 'window'"]),
    ]:
        (model / "config.json").write_text(json.dumps(wrong))
        with pytest.raises(TaaeError) as caught:
            resolved(model)
        assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_copy_is_the_model_and_says_where_it_is_from(model: Path, tmp_path: Path) -> None:
    (model / "provenance.json").write_text('{"seed": 3}')
    copy_model(model, tmp_path / "copy")
    one, other = (load_codec(folder) for folder in (model, tmp_path / "copy"))
    assert one.config == other.config
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name])
    about = json.loads((tmp_path / "copy" / "provenance.json").read_text())
    assert about["sha256"] == fingerprint(model) == fingerprint(tmp_path / "copy")
    assert about["source"] == {"seed": 3}
    with pytest.raises(TaaeError, match="cannot be read"):
        copy_model(tmp_path / "nowhere", tmp_path / "copy2")
