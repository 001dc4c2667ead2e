"""The trunk of a study: what variants with `training.start: trunk` begin with. No torch."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from taae.codec.hub import model_folder
from taae.codec.pretrained import read_config
from taae.study.checks import differing_keys
from taae.training.config import Variant, trunk_misfit
from taae.utils.errors import TaaeError
from taae.utils.shipped import shipped


def as_variant(sections: dict[str, Any]) -> dict[str, Any]:
    """Return the trunk's sections, as laid over the baseline: a trunk begins from scratch."""
    training, model = sections.get("training"), sections.get("pretrained")
    if isinstance(training, dict):
        sections = {**sections, "training": {**training, "start": "scratch"}}
    if isinstance(model, str):
        folder = model_folder(shipped(model)) if model else ""
        sections = {**sections, "pretrained": str(folder)}
    return sections


def used(trunk: Variant | None, variants: dict[str, Variant]) -> Variant | None:
    """Return the trunk if any variant begins with it.

    Raises:
        TaaeError: a variant cannot begin with it; or it cannot be trained; or it is a finished
            model, and another codec than its section describes.
    """
    begun = [name for name, variant in variants.items() if variant.begins_with_trunk]
    if not begun:
        return None
    if trunk is None:
        raise TaaeError(
            f"variants.{begun[0]}: training.start is trunk, but the study has no section trunk"
        )
    try:
        trunk.check()
        if trunk.pretrained:
            _check_described(trunk)
    except TaaeError as error:
        raise TaaeError(f"trunk: {error}") from None
    for name in begun:
        misfit = trunk_misfit(trunk.codec, variants[name].codec)
        if misfit:
            raise TaaeError(
                f"variants.{name}: cannot begin with the trunk: {misfit}. Set its training.start to"
                " scratch, and compare it with another such variant"
            )
    return trunk


def _check_described(trunk: Variant) -> None:
    described, section = (
        asdict(replace(codec, bottleneck=codec.bottleneck.effective()))
        for codec in (read_config(Path(trunk.pretrained)), trunk.codec)
    )
    keys = differing_keys(described, section)
    if keys:
        raise TaaeError(
            f"pretrained: {trunk.pretrained} is another codec than the section describes, in"
            f' {", ".join(keys)}; change the section, set pretrained to "" to train it here,'
            " or training.start to scratch"
        )


def favours(trunk: Variant, variants: dict[str, Variant]) -> list[str]:
    """Return what is not neutral about a trunk, a line each."""
    found = []
    if trunk.bottleneck.training != "continuous":
        found.append(
            f"trunk: bottleneck.training is {trunk.bottleneck.training}, which favours the arms"
            " that train so; continuous favours none"
        )
    seen = trunk.attention.random_windows or [trunk.attention.window]
    for name, variant in variants.items():
        window = variant.attention.window
        if variant.begins_with_trunk and window not in seen:
            found.append(
                f"trunk: never trained with the window of '{name}' ({window}); put it into the"
                " trunk's attention.random_windows"
            )
    return found


def moving(trunk: Variant, variants: dict[str, Variant]) -> list[str]:
    """Return the variants that begin with a trunk and bound their latents otherwise than it does.

    Only rounding sets the bounds. At odd numbers of levels alone, the symmetric and the original
    ones are the same.
    """
    found = []
    for name, variant in variants.items():
        one, other = trunk.bottleneck.rounding, variant.bottleneck.rounding
        levels = {variant.bottleneck.levels, *variant.bottleneck.random_levels}
        same = one == other or (
            {one, other} == {"symmetric", "original"} and all(count % 2 for count in levels)
        )
        if variant.begins_with_trunk and not same:
            found.append(name)
    return found
