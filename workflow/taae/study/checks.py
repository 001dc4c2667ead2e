"""Does each arm of a study test what it says? Checked before any job starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from taae.codec.attention_window import removed_share
from taae.codec.operating_points import NATIVE, OWN, Stage, stages_of
from taae.evaluation.installed import check_installed
from taae.evaluation.robustness.conditions import ORIGINAL, conditions
from taae.utils.errors import TaaeError

if TYPE_CHECKING:
    from taae.study.config import Ablation
    from taae.study.study import Study
    from taae.training.config import Variant


def check_computable(study: Study) -> None:
    """Raise a `TaaeError` for a metric that lacks its package or weights on this machine.

    It is no part of `check_study`: where tables alone are read, no metric is computed.
    """
    try:
        check_installed(study.computed, study.metrics.speaker, study.metrics.asr)
    except TaaeError as error:
        raise TaaeError(f"config: metrics.names: {error}") from None


def check_study(study: Study) -> list[str]:
    """Raise a `TaaeError` for an arm that cannot answer its question; return warnings."""
    # Where the study leaves a section out, its metrics do not matter.
    chosen = {"lengths": study.lengths.metrics if study.length_arms else []}
    chosen["bitrates"] = study.bitrates.metrics if study.probed() else []
    chosen["robustness"] = study.robustness.metrics if study.robustness_arms else []
    # Each piece of the length study is another reference, without a transcript; nor is decoded
    # speech kept under hard conditions, which a recogniser would hear.
    unscored = ("mosnet", "wer", "cer", "dwer")
    unfit = {"lengths": unscored, "robustness": unscored, "bitrates": ("mosnet",)}
    for section, names in chosen.items():
        for metric in names:
            if metric in unfit[section]:
                raise TaaeError(f"{section}.metrics: '{metric}' cannot be scored here")
            if metric not in study.computed:
                raise TaaeError(
                    f"{section}.metrics: '{metric}' is not among metrics.names; add it there, or"
                    f" give {section}.metrics"
                )
    _check_points(study)
    if study.robustness_arms and conditions(study.robustness) == [ORIGINAL]:
        raise TaaeError(
            "robustness: every condition is switched off; give one of flips.rates (and flips.to),"
            " losses, passes, gains_db, noise_db or band_hz, or no robustness.ablations"
        )
    for name, ablation in study.robustness_ablations.items():
        if ablation.primary not in study.robustness.metrics:
            raise TaaeError(
                f"robustness.metrics: no {ablation.primary}, which is the primary metric of"
                f" ablations.{name}"
            )
    warnings = []
    for name, ablation in study.ablations.items():
        try:
            warnings += _check_ablation(name, ablation, study)
        except TaaeError as error:
            raise TaaeError(f"ablations.{name}: {error}") from None
    return warnings


def _check_ablation(name: str, ablation: Ablation, study: Study) -> list[str]:
    if ablation.primary not in study.metrics.names:
        raise TaaeError(
            f"primary: '{ablation.primary}' is not among metrics.names"
            f" ({', '.join(study.metrics.names)})"
        )
    for control in ablation.controls:
        if control not in ablation.variants:
            raise TaaeError(f"controls: '{control}' is not among the ablation's variants")
    arms: dict[str, Variant] = {}
    for arm in ablation.arms:
        variant = study.variants[arm]
        for other, known in arms.items():
            if _function(variant) == _function(known):
                raise TaaeError(f"'{arm}' and '{other}' are the same model; the arm is vacuous")
        arms[arm] = variant
    reference = arms[ablation.reference]
    warnings = []
    for arm in ablation.variants:
        changed = changed_keys(reference, arms[arm])
        stray = [
            key
            for key in changed
            if not any(
                key == allowed or key.startswith(f"{allowed}.") for allowed in ablation.varies
            )
        ]
        if stray:
            raise TaaeError(
                f"'{arm}' also changes {', '.join(stray)} against '{ablation.reference}';"
                f" the ablation varies {', '.join(ablation.varies)} alone"
            )
        if arm not in ablation.controls:
            _check_rounding(arm, changed, reference, arms[arm], study.points(arm))
    if {"attention", "attention.window"} & set(ablation.varies):
        for arm, variant in arms.items():
            if variant.model.kind == "conv" or variant.pretrained:
                continue
            warnings += _check_window(name, arm, variant)
    return warnings


def _function(variant: Variant) -> Variant:
    """Return the variant without what plays no part in it: a convolutional codec's window."""
    if variant.model.kind != "conv":
        return variant
    return replace(variant, attention=replace(variant.attention, window=0))


def _check_rounding(
    arm: str, changed: list[str], reference: Variant, variant: Variant, points: Sequence[str]
) -> None:
    """Refuse an arm that changes the rounding where nothing could show it."""
    if set(changed) - {"training.replicate"} != {"bottleneck.rounding"}:
        return
    bottleneck = variant.bottleneck
    levels = {bottleneck.levels, *bottleneck.random_levels}
    levels |= {stage.levels for stage in _own_stages(points)}
    both = {reference.bottleneck.rounding, variant.bottleneck.rounding}
    if both == {"symmetric", "original"} and all(count % 2 for count in levels):
        raise TaaeError(
            f"'{arm}' changes the rounding at {bottleneck.levels} levels alone: at odd level counts"
            " both roundings are one grid, so the arm is vacuous; use an even count, or list it"
            " under controls"
        )
    if len(levels) == 1 and list(points) == [NATIVE]:
        raise TaaeError(
            f"'{arm}' changes the rounding at one number of levels ({bottleneck.levels}): the"
            " layers around the quantizer absorb it, so the arm is vacuous. Train with"
            " bottleneck.random_levels, decode at other levels (bitrates.points and ablations), or"
            " list it under controls"
        )


def _own_stages(points: Sequence[str]) -> list[Stage]:
    return [stage for point in points for stage in stages_of(point) if stage.scale == OWN]


def _check_points(study: Study) -> None:
    """Refuse an operating point that a variant's rounding has no grid for."""
    for name, variant in study.variants.items():
        levels = [stage.levels for stage in _own_stages(study.points(name))]
        if 2 in levels and variant.bottleneck.rounding == "original":
            raise TaaeError(
                f"bitrates.points: 2@own: '{name}' has original rounding, which has no grid of 2"
                " levels"
            )


def _check_window(name: str, arm: str, variant: Variant) -> list[str]:
    shares = training_coverage(variant)
    empty = [f"{rate:g} Hz" for rate, _, share in shares if share == 0]
    window = variant.attention.window
    if len(empty) == len(shares):
        raise TaaeError(
            f"'{arm}': a window of {window} removes nothing from segments of"
            f" {variant.training.segment:g} s at any rate, so the arm is vacuous;"
            " train on longer segments or with a smaller window"
        )
    if empty:
        return [
            f"ablations.{name}: '{arm}': a window of {window} removes nothing at"
            f" {', '.join(empty)} from segments of {variant.training.segment:g} s"
        ]
    return []


def training_coverage(variant: Variant) -> list[tuple[float, int, float]]:
    """Return (rate in Hz, tokens of a training segment, share of pairs removed) per depth.

    Nothing for a convolutional codec, which has no attention, nor for one not trained here.
    """
    return [] if variant.pretrained else coverage_at(variant, variant.segment_samples)


def coverage_at(variant: Variant, samples: int) -> list[tuple[float, int, float]]:
    """Return the same for so many samples; nothing for a convolutional codec."""
    if variant.model.kind == "conv":
        return []
    found = []
    tokens = samples // variant.model.patch
    for rate, stride in zip(variant.rates(), [*variant.model.strides, 1], strict=True):
        share = removed_share(tokens, variant.attention.window, variant.attention.causal)
        found.append((rate, tokens, share))
        tokens //= stride
    return found


def changed_keys(reference: Variant, variant: Variant) -> list[str]:
    """Return the dotted keys in which two variants differ."""
    return differing_keys(asdict(reference), asdict(variant))


def value_at(variant: Variant, key: str) -> Any:
    """Return the value at a dotted key."""
    value: Any = variant
    for part in key.split("."):
        value = getattr(value, part)
    return value


def differing_keys(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys in which two nested mappings with the same keys differ."""
    found = []
    for key in sorted(one):
        if isinstance(one[key], dict):
            found += differing_keys(one[key], other[key], f"{prefix}{key}.")
        elif one[key] != other[key]:
            found.append(f"{prefix}{key}")
    return found
