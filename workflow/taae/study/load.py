"""A config resolved into a `Study`: typed, and checked for what no single value can say. No torch.

Errors begin with `config:` and the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from taae.codec.config import shaped
from taae.codec.hub import model_folder
from taae.codec.operating_points import NATIVE, name_of, stages_of
from taae.codec.pretrained import read_config
from taae.corpus.config import MAIN
from taae.evaluation.config import Bitrates, Metrics
from taae.evaluation.installed import check_given
from taae.evaluation.metrics import MOSNET_HELP, RATED
from taae.study import trunk
from taae.study.checks import check_study
from taae.study.config import Ablation, Listening, Page, StudyConfig
from taae.study.overlay import Json, layered, merge
from taae.study.study import Study
from taae.study.tests import check_tests, downloads
from taae.training.config import BASELINE, SECTIONS, TRUNK, Variant
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE
from taae.utils.settings import validate

DEMO = [Path("config.yaml")]  # the study of a command that is given none


def load_study(paths: Iterable[Path]) -> Study:
    """Resolve config files laid over each other, as `snakemake --configfile` does."""
    return resolve(layered(paths))


def resolve(config: Json) -> Study:
    """Validate a config (overlays merged) and resolve it.

    Raises:
        TaaeError: one line that says which key is wrong and why.
    """
    try:
        return _resolved(validate(StudyConfig, _with_variants(config)))
    except TaaeError as error:
        raise TaaeError(f"config: {error}") from None


def _with_variants(config: Json) -> Json:
    """Return the config with every preset expanded, and each variant laid over the baseline."""
    config = _shaped(config)
    base = {name: config[name] for name in SECTIONS if name in config}
    variants = config.get("variants")
    if isinstance(variants, dict):
        laid = {name: _laid(name, base, body) for name, body in variants.items()}
        config["variants"] = laid
    if isinstance(config.get("trunk"), dict):
        config["trunk"] = trunk.as_variant(merge(base, _shaped(config["trunk"])))
    return config


def _shaped(sections: Json) -> Json:
    return {name: shaped(body) if name == "model" else body for name, body in sections.items()}


def _laid(name: str, base: Json, override: Any) -> Any:
    """Return the sections of a variant: the baseline's with its changes, or a model's own."""
    if not isinstance(override, dict):
        return override
    if not override:
        raise TaaeError(f"variants.{name}: changes nothing")
    if "pretrained" not in override:
        laid = merge(base, _shaped(override))
        _check_shares(name, override.get("bottleneck"), laid.get("bottleneck"))
        return laid
    others = [key for key in override if key != "pretrained"]
    try:
        if others:
            raise TaaeError(
                f"pretrained stands alone: the model's own config.json says what {others[0]} is"
            )
        folder = model_folder(str(override["pretrained"]))
        override = {"pretrained": str(folder)}
        codec = asdict(read_config(folder))
        if codec.pop("sample_rate") != SAMPLE_RATE:
            raise TaaeError(f"pretrained: the model is not one for {SAMPLE_RATE} Hz")
    except TaaeError as error:
        raise TaaeError(f"variants.{name}: {error}") from None
    return {**base, **codec, **override}


def _check_shares(name: str, written: Any, bottleneck: Any) -> None:
    """Refuse shares of hybrid training that a variant writes down beside another training."""
    if isinstance(written, dict) and "shares" in written:
        training = bottleneck.get("training", "hybrid")
        if training != "hybrid":
            raise TaaeError(
                f"variants.{name}: bottleneck.shares: of training hybrid alone, not of {training}"
            )


def _resolved(config: StudyConfig) -> Study:
    ablations = _ablations(config)
    _check_names(config)
    variants = _variants(config, ablations)
    _check_codecs(config, variants)
    warnings = check_tests(config.tests, config.corpus)
    download = config.corpus.download()
    metrics, notes = _metrics(config.metrics)
    metrics = replace(metrics, names=[*metrics.names, *_rated(config.listening)])
    study = Study(
        corpus=config.corpus.chosen(),
        shard_hours=config.corpus.shard_hours,
        tests=config.tests,
        download=downloads(config.tests, download),
        subsets=download.subsets,
        decoding=config.decoding,
        metrics=metrics,
        statistics=config.statistics,
        page=_page(config),
        seeds=config.seeds,
        variants=variants,
        labels=config.labels,
        trunk=trunk.used(config.trunk, variants),
        ablations=ablations,
        bitrates=_bitrates(config.bitrates),
        lengths=config.lengths,
        robustness=config.robustness,
        listening=config.listening,
        codecs=config.codecs,
        warnings=warnings,
        notes=notes,
    )
    study.warnings.extend(check_study(study))
    if study.trunk:
        study.warnings.extend(trunk.favours(study.trunk, variants))
    return study


def _metrics(wanted: Metrics) -> tuple[Metrics, list[str]]:
    """Return the metrics that can be scored, and a note on one that cannot."""
    try:
        check_given(wanted.names, wanted.speaker, wanted.asr)
    except TaaeError as error:
        raise TaaeError(f"metrics.names: {error}") from None
    if "mosnet" not in wanted.names or wanted.mosnet.weights:
        return wanted, []
    names = [name for name in wanted.names if name != "mosnet"]
    if not names:
        raise TaaeError(f"metrics.names: only mosnet. {MOSNET_HELP}")
    return replace(wanted, names=names), [f"MOSNet is left out. {MOSNET_HELP}."]


def _rated(listening: Listening) -> list[str]:
    """Return the metrics of the listening tests, in the order of `RATED`."""
    found = set()
    for folder in listening.tests:
        key = Path(folder) / "key.json"
        try:
            found.add(json.loads(key.read_bytes())["metric"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TaaeError(f"listening.tests: {key}: no key of `taae listen` ({error})") from error
    return [name for name in RATED if name in found]


def _check_names(config: StudyConfig) -> None:
    """Raise a `TaaeError` where a section names an ablation that is not defined."""
    named = {"bitrates.ablations": config.bitrates.ablations}
    named["robustness.ablations"] = config.robustness.ablations
    if config.lengths.seconds:
        named["lengths.ablation"] = [config.lengths.ablation]
    for key, names in named.items():
        for name in names:
            if name not in config.ablations:
                known = ", ".join(config.ablations) or "none"
                raise TaaeError(f"{key}: no ablation '{name}'; there are {known}")


def _bitrates(written: Bitrates) -> Bitrates:
    """Return the section with its points under their one name each."""
    return replace(written, points=list(dict.fromkeys(_points(written).values())))


def _points(written: Bitrates) -> dict[str, str]:
    """Return the one name of each point as written; the native point is none of them."""
    try:
        names = {point: name_of(stages_of(point)) for point in written.points}
    except TaaeError as error:
        raise TaaeError(f"bitrates.points: {error}") from None
    return {point: name for point, name in names.items() if name != NATIVE}


def _page(config: StudyConfig) -> Page:
    """Return the section with its points under their one name each."""
    points = _points(config.bitrates)
    silent = [points.get(name, name) for name in config.page.leave_out]
    references = {each.reference for each in config.ablations.values()}
    known = [name for name in config.variants if name not in references]
    known += [*points.values(), *config.codecs]
    for name in silent:
        if name not in known:
            raise TaaeError(
                f"page.leave_out: '{name}' cannot be left out; what can: {', '.join(known)}"
            )
    return replace(config.page, leave_out=silent)


def _check_codecs(config: StudyConfig, variants: dict[str, Variant]) -> None:
    """Raise a `TaaeError` for another codec that cannot be run, or has a variant's name."""
    for name, codec in config.codecs.items():
        if name in variants:
            raise TaaeError(f"codecs.{name}: a variant has this name too")
        try:
            codec.check([MAIN, *config.tests])
        except TaaeError as error:
            raise TaaeError(f"codecs.{name}: {error}") from None


def _ablations(config: StudyConfig) -> dict[str, Ablation]:
    """Return the selected ablations."""
    found = config.ablations
    if config.select == "all":
        return found
    for name in config.select:
        if name not in found:
            raise TaaeError(f"select: no ablation '{name}'; there are {', '.join(found)}")
    return {name: found[name] for name in config.select}


def _variants(config: StudyConfig, chosen: dict[str, Ablation]) -> dict[str, Variant]:
    """Return the variants to run: the baseline, the arms of `chosen` and pretrained ones."""
    baseline = Variant(config.model, config.attention, config.bottleneck, config.training)
    known = {BASELINE: baseline, **config.variants}
    for name, ablation in chosen.items():
        for arm in ablation.arms:
            if arm not in known:
                raise TaaeError(
                    f"ablations.{name}: unknown variant '{arm}'; variants has {', '.join(known)}"
                )
    arms = {BASELINE} | {arm for ablation in chosen.values() for arm in ablation.arms}
    found = {
        name: variant
        for name, variant in known.items()
        if config.select == "all" or name in arms or variant.pretrained
    }
    if TRUNK in known:
        raise TaaeError(f"variants.{TRUNK}: the name stands for the section {TRUNK}")
    for name, variant in found.items():
        try:
            variant.check()
        except TaaeError as error:
            raise TaaeError(f"variants.{name}: {error}") from None
    return found
