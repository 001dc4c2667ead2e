"""The config: every mistake is one clear line, and every number reaches its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taae.codec.attention_window import removed_share, window_sides
from taae.evaluation.metrics import COMPUTED, STANDARD
from taae.evaluation.other_codecs.config import OpusSettings
from taae.study.checks import changed_keys, training_coverage
from taae.study.load import load_study, resolve
from taae.study.overlay import in_order, merge, read_yaml
from taae.training.config import Variant
from taae.utils.errors import TaaeError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config() -> dict[str, Any]:
    return read_yaml(ROOT / "config.yaml")


def error_of(config: dict[str, Any], **sections: Any) -> str:
    with pytest.raises(TaaeError) as caught:
        resolve(merge(config, sections))
    message = str(caught.value)
    assert "\n" not in message
    return message


CONFIGS = st.recursive(
    st.integers(0, 1),
    lambda values: st.dictionaries(st.sampled_from("abcd"), values, max_size=4),
    max_leaves=12,
).filter(lambda config: isinstance(config, dict))


@given(base=CONFIGS, overlay=CONFIGS)
def test_in_order_undoes_that_snakemake_has_the_overlay_first(
    base: dict[str, Any], overlay: dict[str, Any]
) -> None:
    """Snakemake begins with the overlay, and lays the config and the overlay over it."""
    laid = merge(base, overlay)
    theirs = merge(merge(overlay, base), overlay)
    assert theirs == laid
    assert json.dumps(in_order(theirs, like=base)) == json.dumps(laid)


def test_the_shipped_studies_resolve_without_a_warning() -> None:
    overlays = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))
    assert overlays
    for overlay in [None, *overlays]:
        study = load_study([ROOT / "config.yaml", *([overlay] if overlay else [])])
        assert study.warnings == []
        assert "baseline" in study.variants


def test_the_demos_windows_all_remove_pairs_at_every_rate(config: dict[str, Any]) -> None:
    study = resolve(config)
    windows = {study.variants[arm].attention.window for arm in study.ablations["window"].arms}
    assert windows == {32, 64, 128, 256}
    for arm in study.ablations["window"].arms:
        assert all(share > 0 for _, _, share in training_coverage(study.variants[arm]))


def test_the_demos_fsq_ablation_removes_each_modification_and_both(config: dict[str, Any]) -> None:
    study = resolve(config)
    fsq = study.ablations["fsq"]
    arms = {arm: study.variants[arm].bottleneck for arm in fsq.arms if arm not in fsq.controls}
    assert sorted((arm.rounding, arm.training) for arm in arms.values()) == [
        ("original", "hybrid"),
        ("original", "ste"),
        ("symmetric", "hybrid"),
        ("symmetric", "ste"),
    ]
    reference = arms[fsq.reference]
    assert (reference.rounding, reference.training) == ("symmetric", "hybrid")
    for bottleneck in arms.values():
        levels = {bottleneck.levels, *bottleneck.random_levels}
        assert len(levels) > 1  # several grids share a decoder
        assert not any(count % 2 for count in levels)  # at odd levels the roundings are one
    assert study.points("levels") == ["native", *study.bitrates.points]


def test_the_demos_controls_differ_by_their_draws_alone(config: dict[str, Any]) -> None:
    study = resolve(config)
    controls = {
        (ablation.reference, control)
        for ablation in study.ablations.values()
        for control in ablation.controls
    }
    assert len(controls) == 4
    for reference, control in controls:
        changed = changed_keys(study.variants[reference], study.variants[control])
        assert changed == ["training.replicate"]


def test_a_variant_of_three_lines_changes_just_its_key(config: dict[str, Any]) -> None:
    before = resolve(config)
    config["variants"]["window-512"] = {"attention": {"window": 512}}
    after = resolve(config)
    assert set(after.variants) - set(before.variants) == {"window-512"}
    assert changed_keys(after.variants["baseline"], after.variants["window-512"]) == [
        "attention.window"
    ]
    assert {name: after.variants[name] for name in before.variants} == before.variants


def test_select_runs_the_chosen_ablations_alone(config: dict[str, Any]) -> None:
    study = resolve({**config, "select": ["window"]})
    assert list(study.ablations) == ["window"]
    assert set(study.variants) == {"baseline", "window-32", "window-64", "window-256"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trainnig": {}}, ["unknown key 'trainnig'", "did you mean 'training'"]),
        ({"training": {"stpes": 3}}, ["training", "'stpes'", "did you mean 'steps'"]),
        ({"variants": {"x": {"attention": {"windw": 3}}}}, ["variants.x.attention", "'window'"]),
        ({"variants": {"x": {"corpus": {"seed": 3}}}}, ["variants.x", "unknown key 'corpus'"]),
        ({"variants": {"Bad Name": {"attention": {"window": 2}}}}, ["Bad Name"]),
        ({"variants": {"x": {"attention": {"window": 33}}}}, ["variants.x", "33", "even"]),
        ({"variants": {"x": {"attention": {"window": 0}}}}, ["variants.x.attention.window", "0"]),
        ({"variants": {"x": {"attention": {"window": -4}}}}, ["variants.x.attention.window"]),
        ({"training": {"learning_rate": "1e-3"}}, ["training.learning_rate", "1.0e-3"]),
        ({"training": {"steps": True}}, ["training.steps", "true"]),
        ({"training": {"steps": 1.5}}, ["training.steps", "1.5"]),
        ({"training": None}, ["training", "null", "mapping"]),
        ({"training": {"loss": {"windw": []}}}, ["training.loss: unknown", "'windows'"]),
        ({"variants": {"x": {}}}, ["variants.x", "changes nothing"]),
        ({"variants": {"x": {"model": {"preset": "huge"}}}}, ["variants.x.model.preset", "huge"]),
        ({"ablations": {"x": {"title": "t"}}}, ["ablations.x.varies", "must be given"]),
        ({"training": {"betas": [0.8]}}, ["training.betas", "[0.8]", "2 items"]),
        ({"seeds": [1, 2, 1]}, ["seeds", "1 is there twice"]),
        ({"model": {"head_dim": 48}}, ["head_dim", "multiple"]),
        ({"model": {"strides": [2, 2]}}, ["model.strides"]),
        ({"seeds": []}, ["seeds"]),
        ({"seeds": [2**32]}, ["seeds.0", "4294967296"]),
        ({"metrics": {"names": ["mosnet-x"]}}, ["metrics.names", "mosnet-x"]),
        ({"lengths": {"ablation": "windw"}}, ["lengths.ablation", "windw", "window"]),
        ({"bitrates": {"ablations": ["fsq-evne"]}}, ["bitrates.ablations", "fsq-evne"]),
        ({"bitrates": {"points": ["5x5"]}}, ["bitrates.points", "5x5"]),
        ({"select": ["nothing"]}, ["select", "nothing", "window"]),
        ({"training": {"segment": 0.01}}, ["training.loss.windows"]),
    ],
)
def test_mistakes_are_one_line(config: dict[str, Any], change: Any, words: list[str]) -> None:
    message = error_of(config, **change)
    for word in words:
        assert word in message


def ablation(**changes: Any) -> dict[str, Any]:
    body = {
        "title": "t",
        "varies": ["attention.window"],
        "variants": ["window-32"],
        "primary": "stoi",
    }
    return {"ablations": {"a": body | changes}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (ablation(variants=["nowhere"]), ["ablations.a", "unknown variant 'nowhere'"]),
        (ablation(reference="nowhere"), ["ablations.a", "unknown variant 'nowhere'"]),
        (ablation(primary="psnr"), ["ablations.a", "primary", "psnr"]),
        (
            ablation(variants=["odd"]) | {"variants": {"odd": {"bottleneck": {"levels": 5}}}},
            ["'odd' also changes bottleneck.levels"],
        ),
        (ablation(controls=["window-64"]), ["controls", "window-64"]),
        (
            ablation(variants=["twin"]) | {"variants": {"twin": {"attention": {"window": 128}}}},
            ["'twin' and 'baseline' are the same model"],
        ),
        (
            ablation(variants=["wide"]) | {"variants": {"wide": {"attention": {"window": 2048}}}},
            ["'wide'", "2048 removes nothing", "vacuous"],
        ),
    ],
)
def test_vacuous_and_impossible_arms_are_one_line(
    config: dict[str, Any], change: Any, words: list[str]
) -> None:
    message = error_of(config, **change)
    for word in words:
        assert word in message


def rounding(
    levels: int,
    random_levels: Sequence[int] = (),
    points: Sequence[str] = (),
    form: str = "original",
    **changes: Any,
) -> dict[str, Any]:
    """Return a study of one arm that changes the rounding alone."""
    body = {"varies": ["bottleneck.rounding"], "variants": ["lopsided"]}
    return {
        **ablation(**body, **changes),
        "training": {"start": "scratch"},
        "bottleneck": {"levels": levels, "random_levels": [*random_levels]},
        "variants": {"lopsided": {"bottleneck": {"rounding": form}}},
        "bitrates": {"points": [*points], "ablations": ["a"] if points else []},
        "select": ["a"],
    }


CONTROL = {"controls": ["lopsided"]}


def test_what_the_page_leaves_out_has_one_name(config: dict[str, Any]) -> None:
    wanted = ["6@1", "16@own", "window-32", "opus-6k"]
    study = resolve(merge(config, {"page": {"leave_out": wanted}, "select": ["fsq"]}))
    assert study.page.leave_out == ["1x46656", "16@own", "window-32", "opus-6k"]


@pytest.mark.parametrize("name", ["levels", "baseline", "native", "8@own", "window"])
def test_what_the_page_cannot_leave_out_is_refused(config: dict[str, Any], name: str) -> None:
    message = error_of(config, page={"leave_out": [name]})
    assert message.startswith(f"config: page.leave_out: '{name}' cannot be left out; what can: ")
    assert "window-32, " in message
    assert " levels, " not in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rounding(17), ["odd level counts", "vacuous", "controls"]),
        (rounding(17, [5, 9]), ["odd level counts", "vacuous", "controls"]),
        (rounding(17, points=["6@1"]), ["odd level counts", "vacuous"]),
        (rounding(4), ["at one number of levels (4)", "absorb", "vacuous", "random_levels"]),
        (rounding(17, form="shifted"), ["at one number of levels (17)", "absorb", "vacuous"]),
        (rounding(4, [4]), ["at one number of levels (4)", "bitrates.points", "controls"]),
    ],
)
def test_a_rounding_that_nothing_could_show_is_refused(
    config: dict[str, Any], change: Any, words: list[str]
) -> None:
    message = error_of(config, **change)
    assert message.startswith("config: ablations.a: 'lopsided' changes the rounding")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "change",
    [
        rounding(4, [4, 8]),
        rounding(17, [17, 16]),
        rounding(17, [5, 9], form="shifted"),  # not the symmetric grid at odd counts either
        rounding(4, points=["8@own"]),
        rounding(17, **CONTROL),
        rounding(4, **CONTROL),
    ],
)
def test_a_rounding_that_something_shows_or_a_control_is_taken(
    config: dict[str, Any], change: Any
) -> None:
    assert resolve(merge(config, change)).ablations["a"].variants == ["lopsided"]


def test_shares_are_written_beside_hybrid_training_alone(config: dict[str, Any]) -> None:
    paper = {"shares": [0.5, 0, 0.5]}
    message = error_of(config, variants={"odd": {"bottleneck": {**paper, "training": "ste"}}})
    assert message == (
        "config: variants.odd: bottleneck.shares: of training hybrid alone, not of ste"
    )
    # Inherited, they play no part in it: no arm differs by them, and the shipped trunk fits.
    study = resolve(merge(config, {"bottleneck": paper}))
    assert study.variants["levels-no-hybrid"].bottleneck.shares == paper["shares"]
    assert study.trunk is not None


def test_points_of_another_ablation_do_not_show_a_rounding(config: dict[str, Any]) -> None:
    other = rounding(4, points=["8@own"])
    other["bitrates"]["ablations"] = ["window"]
    other["select"] = ["a", "window"]
    assert "at one number of levels (4)" in error_of(config, **other)


def test_a_window_that_is_vacuous_at_one_rate_is_a_warning(config: dict[str, Any]) -> None:
    change = ablation(variants=["wide"]) | {"variants": {"wide": {"attention": {"window": 512}}}}
    change["training"] = {"start": "scratch"}
    (warning,) = resolve(merge(config, change)).warnings
    assert "at 100 Hz" in warning
    assert "200 Hz" not in warning


@given(
    tokens=st.integers(1, 60),
    window=st.integers(1, 80),
    causal=st.booleans(),
)
def test_removed_share_equals_counting(tokens: int, window: int, causal: bool) -> None:
    if not causal:
        window = 2 * ((window + 1) // 2)
    left, right = window_sides(window, causal)
    offset = np.arange(tokens)[None, :] - np.arange(tokens)[:, None]
    full = offset <= 0 if causal else np.ones_like(offset, dtype=bool)
    seen = (offset >= -left) & (offset <= right)
    expected = 1 - (seen & full).sum() / full.sum()
    assert removed_share(tokens, window, causal) == pytest.approx(expected, abs=1e-12)


def test_windows_are_those_of_the_paper() -> None:
    assert window_sides(128, causal=False) == (63, 64)
    assert window_sides(64, causal=True) == (63, 0)


def test_nominal_bitrates() -> None:
    """6 dimensions of 17 levels at 25 Hz are 613 bit/s (the paper's native rate)."""
    config = read_yaml(ROOT / "config.yaml")
    config = merge(
        config,
        {
            "model": {"patch": 320},
            "bottleneck": {"dimensions": 6, "levels": 17},
            "training": {"start": "scratch", "segment": 5.12},
            "ablations": {},
            "select": ["window"],
        },
    )
    assert resolve(config).variants["baseline"].bitrate() == pytest.approx(613, abs=0.5)


def test_every_metric_can_be_chosen_and_by_default_those_of_dac_are_not() -> None:
    """A study may be read where a metric's package is not installed."""
    weights = {"mosnet": {"weights": "w"}, "speaker": {"wavlm_weights": "w"}}
    metrics = {"names": list(COMPUTED), **weights}
    assert resolve({"metrics": metrics}).metrics.names == list(COMPUTED)
    names = resolve({"metrics": {"mosnet": {"weights": "w"}}}).metrics.names
    assert names == [name for name in STANDARD if not name.endswith("_dac")]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"names": ["wer"], "asr": {"language": "de"}}, "knows English, not 'de'"),
        ({"names": ["speaker_wavlm"]}, "speaker_wavlm needs"),
    ],
)
def test_a_metric_that_lacks_a_setting_is_refused(metrics: dict[str, Any], message: str) -> None:
    with pytest.raises(TaaeError, match=f"metrics.names: .*{message}"):
        resolve({"metrics": metrics})


def test_an_empty_config_is_a_study_of_the_baseline() -> None:
    study = resolve({})
    assert list(study.variants) == ["baseline"]
    assert study.variants["baseline"] == Variant()
    assert study.corpus["kind"] == "synthetic"
    assert study.seeds == [1]
    assert not study.ablations | study.codecs
    assert study.warnings == []


def test_whole_numbers_become_floats_where_floats_are_meant(config: dict[str, Any]) -> None:
    training = (
        resolve(merge(config, {"training": {"clip": 2, "betas": [0, 0.5]}}))
        .variants["baseline"]
        .training
    )
    assert [type(value) for value in (training.clip, *training.betas)] == [float] * 3


def test_editing_a_kind_of_corpus_that_is_not_used_changes_nothing(config: dict[str, Any]) -> None:
    other = merge(config, {"corpus": {"folder": {"path": "elsewhere"}}})
    assert resolve(other).corpus == resolve(config).corpus


def test_a_study_written_as_json_reads_the_same(config: dict[str, Any], tmp_path: Path) -> None:
    """The workflow hands it to its jobs as JSON, where 1e-05 has no point."""
    config["model"]["norm_eps"] = 1.0e-5
    config["training"]["start"] = "scratch"
    path = tmp_path / "study.json"
    path.write_text(json.dumps(config))
    assert load_study([path]) == resolve(config)


def test_resolving_leaves_the_config_as_it_was(config: dict[str, Any]) -> None:
    copied = copy.deepcopy(config)
    resolve(config)
    assert config == copied


def test_mosnet_without_weights_is_left_out_with_a_note(config: dict[str, Any]) -> None:
    study = resolve(config)
    assert "mosnet" not in study.metrics.names
    assert not any("MOSNet" in warning for warning in study.warnings)
    (note,) = study.notes
    assert note.startswith("MOSNet is left out.")
    assert "lochenchou/MOSNet" in note
    config["metrics"]["mosnet"] = {"weights": "cnn_blstm.h5"}
    study = resolve(config)
    assert "mosnet" in study.metrics.names
    assert study.notes == []


def test_codecs_are_resolved(config: dict[str, Any]) -> None:
    config["codecs"] = {"opus-6k": {"kind": "opus", "bitrate": 6000}}
    assert resolve(config).codecs == {"opus-6k": OpusSettings("opus", bitrate=6000.0)}


@pytest.mark.parametrize(
    ("codecs", "words"),
    [
        ({"baseline": {"kind": "opus", "bitrate": 6000}}, ["codecs.baseline", "variant"]),
        ({"opus": {"kind": "opus"}}, ["codecs.opus.bitrate", "must be given"]),
        ({"opus": {"kind": "speex"}}, ["codecs.opus.kind", "speex"]),
        ({"opus": {"kind": "opus", "bitrat": 6000}}, ["did you mean 'bitrate'"]),
    ],
)
def test_codecs_that_are_wrong(
    config: dict[str, Any], codecs: dict[str, Any], words: list[str]
) -> None:
    config["codecs"] = codecs
    with pytest.raises(TaaeError) as caught:
        resolve(config)
    assert all(word in str(caught.value) for word in words)
