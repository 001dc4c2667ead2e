"""A config resolved into a `Study`: typed, and checked for what the schema cannot say. No torch.

Errors begin with `config:` and the key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import dacite

from taae.codec.operating_points import NATIVE, name_of, stages_of
from taae.codec.presets import expand
from taae.codec.pretrained import read_config
from taae.corpus.archives import ARCHIVES
from taae.evaluation.metrics import MOSNET_HELP
from taae.evaluation.other_codecs.config import OtherCodec
from taae.study.checks import check_study
from taae.study.config import Ablation, Bitrates, Download, Lengths, Metrics, Statistics
from taae.study.study import Study
from taae.training.config import BASELINE, SECTIONS, Variant
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE
from taae.utils.schema import merge, read_yaml, section_defaults, validate, with_defaults

T = TypeVar("T")


def load_study(paths: Iterable[Path]) -> Study:
    """Resolve config files laid over each other, as `snakemake --configfile` does."""
    config: dict[str, Any] = {}
    for path in paths:
        config = merge(config, read_yaml(Path(path)))
    return resolve(config)


def resolve(config: dict[str, Any]) -> Study:
    """Validate a config (overlays merged) and resolve it.

    Raises:
        TaaeError: one line that says which key is wrong and why.
    """
    validate(config)
    full = with_defaults(_with_presets(config))
    corpus, download = _corpus(full["corpus"])
    ablations = _ablations(full)
    _check_names(full)
    variants = _variants(full, ablations)
    metrics, notes = _metrics(full["metrics"])
    study = Study(
        corpus=corpus,
        download=download,
        decoding=full["decoding"],
        metrics=metrics,
        statistics=typed(Statistics, full["statistics"]),
        seeds=full["seeds"],
        variants=variants,
        ablations=ablations,
        bitrates=_bitrates(full["bitrates"]),
        lengths=typed(Lengths, full["lengths"]),
        codecs=_codecs(full["codecs"], variants),
        warnings=[],
        notes=notes,
    )
    study.warnings.extend(check_study(study))
    return study


def typed(kind: type[T], section: dict[str, Any]) -> T:
    """Return a section that the schema has validated and filled, as a dataclass."""
    return dacite.from_dict(kind, section, dacite.Config(cast=[float]))


def default_statistics() -> Statistics:
    """Return the schema's defaults, for tables that belong to no study."""
    return typed(Statistics, section_defaults("statistics"))


def _with_presets(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with each preset of a model replaced by its keys."""
    variants = {
        name: {**body, "model": expand(body["model"])} if "model" in body else body
        for name, body in config.get("variants", {}).items()
    }
    return {**config, "model": expand(config["model"]), "variants": variants}


def _corpus(section: dict[str, Any]) -> tuple[dict[str, Any], Download]:
    """Return what determines the corpus, and what it wants fetched, which does not."""
    # Unselected kinds of corpus play no part: editing them must rerun nothing.
    kinds = {"synthetic", "folder", "librispeech"} - {section["kind"]}
    chosen = {key: value for key, value in section.items() if key not in kinds}
    if chosen["kind"] != "librispeech":
        return chosen, Download("", "", [])
    files = dict(chosen["librispeech"])
    wanted, url = files.pop("download"), files.pop("url")
    return {**chosen, "librispeech": files}, _download(files, wanted, url)


def _download(section: dict[str, Any], wanted: bool, url: str) -> Download:
    subsets = section["train"] + section["validation"] + section["test"] if wanted else []
    if wanted and not section["path"]:
        raise TaaeError(
            "config: corpus.librispeech.path is empty: set it to the folder to download to"
        )
    for name in subsets:
        if name not in ARCHIVES:
            raise TaaeError(
                f"config: corpus.librispeech: no subset '{name}' is published; there are"
                f" {', '.join(ARCHIVES)}"
            )
    return Download(section["path"], url, list(dict.fromkeys(subsets)))


def _metrics(section: dict[str, Any]) -> tuple[Metrics, list[str]]:
    """Return the metrics that can be scored, and a note on one that cannot."""
    wanted = typed(Metrics, section)
    if "mosnet" not in wanted.names or wanted.mosnet.weights:
        return wanted, []
    names = [name for name in wanted.names if name != "mosnet"]
    if not names:
        raise TaaeError(f"config: metrics.names: only mosnet. {MOSNET_HELP}")
    return replace(wanted, names=names), [f"MOSNet is left out. {MOSNET_HELP}."]


def _check_names(full: dict[str, Any]) -> None:
    """Raise a `TaaeError` where a section names an ablation that is not defined."""
    known = full["ablations"]
    named = {"bitrates.ablations": full["bitrates"]["ablations"]}
    if full["lengths"]["seconds"]:
        named["lengths.ablation"] = [full["lengths"]["ablation"]]
    for key, names in named.items():
        for name in names:
            if name not in known:
                raise TaaeError(
                    f"config: {key}: no ablation '{name}'; there are {', '.join(known) or 'none'}"
                )


def _bitrates(section: dict[str, Any]) -> Bitrates:
    """Return the section with its points under their one name each."""
    written = typed(Bitrates, section)
    try:
        points = [name_of(stages_of(point)) for point in written.points]
    except TaaeError as error:
        raise TaaeError(f"config: bitrates.points: {error}") from None
    return replace(written, points=[p for p in dict.fromkeys(points) if p != NATIVE])


def _codecs(section: dict[str, Any], taken: Collection[str]) -> dict[str, OtherCodec]:
    """Return the other codecs; `taken` are names that they cannot have, the variants'."""
    found = {}
    for name, body in section.items():
        if name in taken:
            raise TaaeError(f"config: codecs.{name}: a variant has this name too")
        found[name] = typed(OtherCodec, body)
        try:
            found[name].check()
        except TaaeError as error:
            raise TaaeError(f"config: codecs.{name}: {error}") from None
    return found


def _ablations(full: dict[str, Any]) -> dict[str, Ablation]:
    """Return the selected ablations."""
    found = {name: typed(Ablation, body) for name, body in full["ablations"].items()}
    if full["select"] == "all":
        return found
    for name in full["select"]:
        if name not in found:
            raise TaaeError(f"config: select: no ablation '{name}'; there are {', '.join(found)}")
    return {name: found[name] for name in full["select"]}


def _variants(full: dict[str, Any], chosen: dict[str, Ablation]) -> dict[str, Variant]:
    """Return the variants to run: the baseline, the arms of `chosen` and pretrained ones."""
    base = {section: full[section] for section in SECTIONS}
    overrides = {BASELINE: {}, **full["variants"]}
    for name, ablation in chosen.items():
        for arm in ablation.arms:
            if arm not in overrides:
                raise TaaeError(
                    f"config: ablations.{name}: unknown variant '{arm}';"
                    f" variants has {', '.join(overrides)}"
                )
    if full["select"] == "all":
        names = list(overrides)
    else:
        arms = {BASELINE} | {arm for ablation in chosen.values() for arm in ablation.arms}
        names = [name for name, body in overrides.items() if name in arms or "pretrained" in body]
    found = {}
    for name in names:
        try:
            found[name] = Variant.from_dict(_sections(base, overrides[name]))
            found[name].check()
        except TaaeError as error:
            raise TaaeError(f"config: variants.{name}: {error}") from None
    return found


def _sections(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of a variant: the baseline's with its changes, or a model's own."""
    if "pretrained" not in override:
        return merge(base, override)
    others = [key for key in override if key != "pretrained"]
    if others:
        raise TaaeError(
            f"pretrained stands alone: the model's own config.json says what {others[0]} is"
        )
    config = read_config(Path(override["pretrained"]))
    if config.pop("sample_rate") != SAMPLE_RATE:
        raise TaaeError(f"pretrained: the model is not one for {SAMPLE_RATE} Hz")
    return {**config, **override, "training": base["training"]}
