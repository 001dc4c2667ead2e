"""The trunk of a study: what it is, which arms may begin with it, and what it would favour."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.study.checks import changed_keys
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.study.study import Study
from taae.study.trunk import moving
from taae.utils.errors import TaaeError
from taae.utils.files import write_json

ROOT = Path(__file__).parents[3]
STUDY = {
    "attention": {"window": 32},
    "bottleneck": {"dimensions": 3, "levels": 4},
    "training": {"start": "trunk"},
    "trunk": {
        "attention": {"random_windows": [16, 32]},
        "bottleneck": {"training": "continuous"},
        "training": {"steps": 7},
    },
}
NONE: dict[str, Any] = {"training": {"start": "scratch"}}


def study(**sections: Any) -> Study:
    return resolve(merge(STUDY, sections))


def error_of(**sections: Any) -> str:
    with pytest.raises(TaaeError) as caught:
        study(**sections)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def model(folder: Path, **bottleneck: Any) -> str:
    """Write the config of a codec such as the trunk of `STUDY`, and return its folder."""
    shape = {"dimensions": 3, "levels": 4, "training": "continuous"} | bottleneck
    attention = Attention(32, random_windows=[16, 32])
    write_json(asdict(CodecConfig(Model(), attention, Bottleneck(**shape))), folder / "config.json")
    return str(folder)


def test_it_is_the_baseline_with_its_changes_and_begins_from_scratch() -> None:
    found = study(trunk={"training": {"start": "trunk"}})
    assert found.trunk
    assert found.variant("trunk") is found.trunk
    assert found.trunk.training.steps == 7
    assert changed_keys(found.variants["baseline"], found.trunk) == [
        "attention.random_windows",
        "bottleneck.training",
        "training.start",
        "training.steps",
    ]
    assert not found.trunk.begins_with_trunk
    assert "trunk" not in {*found.variants, *found.trained}
    assert found.warnings == []


def test_a_study_without_one_is_refused() -> None:
    without = {key: value for key, value in STUDY.items() if key != "trunk"}
    for config in (without, without | {"trunk": None}):
        with pytest.raises(TaaeError, match=r"variants\.baseline: training\.start is trunk, but"):
            resolve(config)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"model": {"width": 128}}, "model"),
        ({"bottleneck": {"dimensions": 4}}, "bottleneck.dimensions"),
        ({"attention": {"causal": True}}, "attention.causal"),
    ],
)
def test_an_arm_that_does_not_fit_is_refused_with_the_key(change: dict[str, Any], key: str) -> None:
    message = error_of(variants={"arm": change})
    assert f"variants.arm: cannot begin with the trunk: {key} differs" in message
    assert "training.start to scratch" in message
    assert study(variants={"arm": change | NONE}).trunk


@pytest.mark.parametrize(
    "change",
    [
        {"bottleneck": {"levels": 8, "rounding": "original", "training": "ste"}},
        {"bottleneck": {"random_levels": [4, 8]}},
        {"attention": {"window": 16}},
        {"training": {"replicate": 1}},
    ],
)
def test_what_has_the_same_weights_may_begin_with_it(change: dict[str, Any]) -> None:
    found = study(variants={"arm": change})
    assert found.variants["arm"].begins_with_trunk
    assert found.warnings == []


def test_a_pretrained_variant_does_not_begin_with_it(tmp_path: Path) -> None:
    published = {"pretrained": model(tmp_path, dimensions=5)}
    found = study(variants={"published": published})
    assert found.variants["published"].training.start == "trunk"  # the baseline's
    assert not found.variants["published"].begins_with_trunk


def test_a_finished_trunk_has_to_be_the_codec_of_its_section(tmp_path: Path) -> None:
    same = model(tmp_path / "same")
    found = study(trunk={"pretrained": same}).trunk
    assert found
    assert found.pretrained == same
    other = model(tmp_path / "other", levels=8, training="hybrid")
    message = error_of(trunk={"pretrained": other})
    assert message.startswith(f"config: trunk: pretrained: {other} is another codec")
    assert "in bottleneck.levels, bottleneck.training;" in message
    nowhere = str(tmp_path / "nowhere")
    message = error_of(trunk={"pretrained": nowhere})
    assert message.startswith(f"config: trunk: {nowhere}/config.json: No such file")


def test_mistakes_in_it_are_one_line() -> None:
    assert "config: trunk: " in error_of(trunk={"attention": {"random_windows": [16, 33]}})
    assert "trunk.attention: unknown key 'windw'" in error_of(trunk={"attention": {"windw": 3}})
    assert "trunk: unknown key 'corpus'" in error_of(trunk={"corpus": {}})
    assert "trunk: 5 should be a mapping of keys" in error_of(trunk=5)


def test_what_it_favours_is_a_warning() -> None:
    (warning,) = study(trunk={"bottleneck": {"training": "hybrid"}}).warnings
    assert warning.startswith("trunk: bottleneck.training is hybrid, which favours")
    arms = {
        "narrow": {"attention": {"window": 8}},
        "seen": {"attention": {"window": 16}},
        "alone": {"attention": {"window": 64}, **NONE},
    }
    (warning,) = study(variants=arms).warnings
    assert warning.startswith("trunk: never trained with the window of 'narrow' (8)")
    # Without random windows it has seen its own.
    warnings = study(variants=arms, trunk={"attention": {"random_windows": []}}).warnings
    assert [text.split("'")[1] for text in warnings] == ["narrow", "seen"]


def test_arms_of_another_rounding_move_away_from_its_bounds() -> None:
    arms = {
        "same": {"bottleneck": {"levels": 8}},
        "away": {"bottleneck": {"rounding": "original"}},
        "odd": {"bottleneck": {"rounding": "original", "levels": 5}},
        "mixed": {"bottleneck": {"rounding": "original", "levels": 5, "random_levels": [5, 8]}},
        "shifted": {"bottleneck": {"rounding": "shifted", "levels": 5}},
        "alone": {"bottleneck": {"rounding": "original"}, **NONE},
    }
    found = study(variants=arms)
    assert found.trunk
    assert moving(found.trunk, found.variants) == ["away", "mixed", "shifted"]
    other = study(variants=arms, trunk={"bottleneck": {"rounding": "original"}})
    assert other.trunk
    assert moving(other.trunk, other.variants) == ["baseline", "same", "shifted"]


def test_no_variant_has_its_name() -> None:
    message = error_of(variants={"trunk": {"attention": {"window": 16}}})
    assert "variants.trunk: the name stands for the section trunk" in message


def test_one_that_no_variant_uses_is_none_and_not_checked() -> None:
    unused = {"pretrained": "nowhere", "attention": {"window": 33}}
    assert study(**NONE, trunk=unused).trunk is None
    with pytest.raises(TaaeError, match="no variant 'trunk'"):
        study(**NONE).variant("trunk")
    # Nor where its arms are not selected.
    arms = {
        "arm": {"training": {"start": "trunk"}},
        "other": {"attention": {"window": 16}},
    }
    body = {"title": "t", "varies": ["attention.window"], "variants": ["other"], "primary": "stoi"}
    some = {**NONE, "variants": arms, "ablations": {"a": body}}
    assert study(**some).trunk
    assert study(**some, select=["a"], trunk=unused).trunk is None


def test_the_one_that_comes_with_the_project_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_yaml(ROOT / "config.yaml")
    assert config["trunk"]["pretrained"] == "{workflow}/trunk"
    found = resolve(config)
    assert found.trunk
    assert Path(found.trunk.pretrained) == ROOT / "workflow" / "trunk"
    assert (Path(found.trunk.pretrained) / "model.safetensors").is_file()
    assert found.warnings == []
    # None of the demo's arms was favoured: it has seen all their windows, and none of their grids.
    begun = [arm for arm in found.variants.values() if arm.begins_with_trunk]
    assert {arm.attention.window for arm in begun} == {*found.trunk.attention.random_windows}
    assert found.trunk.bottleneck.training == "continuous"
