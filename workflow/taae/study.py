"""A study: its config, resolved once into typed values. Nothing here imports torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import dacite

from taae.corpus.archives import ARCHIVES
from taae.coverage import rates, window_sides
from taae.errors import TaaeError
from taae.metrics import MOSNET_HELP
from taae.peers.spec import Peer
from taae.presets import expand
from taae.pretrained import read_config
from taae.schema import merge, read_yaml, section_defaults, validate, with_defaults
from taae.stages import NATIVE, alphabet, name_of, nominal_bitrate, stages_of

SAMPLE_RATE = 16_000  # Hz; the paper's, and what PESQ-WB and DNSMOS are defined for
BASELINE = "baseline"
Rounding = Literal["symmetric", "original"]
TrainingMode = Literal["hybrid", "ste", "noise"]
Kind = Literal["taae", "conv"]
SECTIONS = ("model", "attention", "bottleneck", "training")  # what a variant may override


@dataclass(frozen=True)
class Model:
    """The codec's shape; see `taae.codec`, and `taae.conv` for `kind` conv."""

    patch: int
    layers: list[int]
    strides: list[int]
    width: int
    head_dim: int
    ff_mult: int
    norm_eps: float
    layer_scale: float
    kind: Kind = "taae"
    biases: bool = False  # models saved without it lack the key

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return self.patch * math.prod(self.strides)


@dataclass(frozen=True)
class Attention:
    """The sliding window; see `taae.coverage.window_sides`."""

    window: int
    causal: bool


@dataclass(frozen=True)
class Bottleneck:
    """The quantizer; see `taae.fsq`."""

    dimensions: int
    levels: int
    rounding: Rounding
    training: TrainingMode
    random_levels: list[int] = field(default_factory=list)  # models saved without it lack the key


@dataclass(frozen=True)
class Loss:
    """Weights of the terms of the objective, and its STFT windows in samples."""

    log_magnitude: float
    complex: float
    waveform: float
    waveform_half_life: float
    adversarial: float
    feature_matching: float
    perceptual: float
    windows: list[int]
    overlap: float


@dataclass(frozen=True)
class Discriminator:
    """The discriminator, see `taae.training.discriminator`, and when it plays."""

    share: float
    fft_sizes: list[int]
    width: int
    segment: float
    learning_rate: float

    @property
    def samples(self) -> int:
        """Samples of a segment that it sees; 0: all."""
        return round(self.segment * SAMPLE_RATE)


@dataclass(frozen=True)
class Perceptual:
    """The stage in which features of WavLM are matched, see `taae.training.perceptual`."""

    share: float
    weights: str
    layers: list[int]


@dataclass(frozen=True)
class Training:
    """One training; units in the schema."""

    steps: int
    batch: int
    accumulate: int
    segment: float
    precision: str
    checkpointing: bool
    compile: bool
    threads: int
    gpus: int
    processes: int
    nodes: int
    optimizer: str
    learning_rate: float
    adamw_learning_rate: float
    betas: list[float]
    weight_decay: float
    warmup: int
    decay: float
    ema: float
    clip: float
    max_skipped: int
    validate_every: int
    loss: Loss
    discriminator: Discriminator
    perceptual: Perceptual

    def start(self, share: float) -> int:
        """Return the step at which the final `share` of the steps begins."""
        return self.steps - round(share * self.steps)

    @property
    def processes_per_node(self) -> int:
        """Processes of a training on each node: one for each GPU, if any."""
        return self.gpus or self.processes

    @property
    def all_processes(self) -> int:
        """Processes of a training; each computes its share of the batch."""
        return self.nodes * self.processes_per_node

    @property
    def all_gpus(self) -> int:
        """GPUs of a training."""
        return self.nodes * self.gpus

    @property
    def threads_per_task(self) -> int:
        """CPU threads of a task of a scheduler: of a process over nodes, else of all processes."""
        return self.threads * (1 if self.nodes > 1 else self.processes_per_node)

    @property
    def parts(self) -> int:
        """Parts that a batch is computed in, side by side and one after the other."""
        return self.all_processes * self.accumulate

    def check(self, segment: int) -> None:
        """Raise a `TaaeError` for what is not possible with segments of so many samples."""
        if self.gpus and self.processes != 1:
            raise TaaeError(
                f"training.processes: {self.processes}, but with training.gpus there is one"
                " process for each GPU; leave it at 1"
            )
        if self.batch % self.parts:
            raise TaaeError(
                f"training.batch: {self.batch} segments cannot be cut into {self.parts} equal"
                f" parts, {self.accumulate} (training.accumulate) for each of"
                f" {self.all_processes} process(es) (training.gpus or processes, and nodes)"
            )
        loss, discriminator, perceptual = self.loss, self.discriminator, self.perceptual
        if max(loss.windows) > segment:
            raise TaaeError(
                f"training.loss.windows: {max(loss.windows)} samples are longer"
                f" than a training segment ({segment})"
            )
        if discriminator.share and not (loss.adversarial or loss.feature_matching):
            raise TaaeError(
                "training.discriminator.share: it would play for nothing, since the weights"
                " training.loss.adversarial and training.loss.feature_matching are both 0"
            )
        seen = min(discriminator.samples or segment, segment)
        if discriminator.share and max(discriminator.fft_sizes) > seen:
            raise TaaeError(
                f"training.discriminator.fft_sizes: {max(discriminator.fft_sizes)} samples are"
                f" longer than what the discriminator sees ({seen})"
            )
        if perceptual.share and not loss.perceptual:
            raise TaaeError(
                "training.perceptual.share: the stage would do nothing, since the weight"
                " training.loss.perceptual is 0"
            )
        if perceptual.share and not perceptual.weights:
            raise TaaeError(
                "training.perceptual.weights: the perceptual stage needs those of WavLM: a folder,"
                " or a repository of the Hugging Face hub such as microsoft/wavlm-large"
            )


@dataclass(frozen=True)
class Variant:
    """Everything that determines a training but for its corpus and its seed.

    `pretrained` names the folder of a model that is used as it is; then `training` is the
    baseline's, and tells no more than how many GPUs there are.
    """

    model: Model
    attention: Attention
    bottleneck: Bottleneck
    training: Training
    pretrained: str = ""

    @classmethod
    def from_dict(cls, sections: dict[str, Any]) -> Variant:
        """Build from plain sections; they have every key (see `taae.schema.with_defaults`)."""
        try:
            return dacite.from_dict(cls, sections, dacite.Config(strict=True, cast=[float]))
        except dacite.DaciteError as error:
            raise TaaeError(f"variant: {error}") from error

    @property
    def bitrate(self) -> float:
        """Nominal bits per second: latents/s x dimensions x log2(levels)."""
        return self.bitrate_at(NATIVE)

    def bitrate_at(self, point: str) -> float:
        """Nominal bits per second at an operating point."""
        bottleneck = self.bottleneck
        values = alphabet(bottleneck.levels, bottleneck.dimensions, stages_of(point))
        return nominal_bitrate(values, SAMPLE_RATE / self.model.hop)

    @property
    def segment_samples(self) -> int:
        """Samples of a training segment: `training.segment` in whole latent frames."""
        hop = self.model.hop
        return max(1, round(self.training.segment * SAMPLE_RATE / hop)) * hop

    def rates(self) -> list[float]:
        """Frames per second at each depth, from the waveform inwards."""
        return [float(rate) for rate in rates(SAMPLE_RATE, self.model.patch, self.model.strides)]

    def check(self) -> None:
        """Raise a `TaaeError` for a codec that cannot be built."""
        model = self.model
        if len(model.strides) != len(model.layers) - 1:
            raise TaaeError(
                f"model.strides: {len(model.strides)} strides between {len(model.layers)} rates;"
                " model.layers has one entry per rate, strides one fewer"
            )
        if model.width % model.head_dim:
            raise TaaeError(
                f"model.width: {model.width} is no multiple of head_dim ({model.head_dim})"
            )
        bottleneck = self.bottleneck
        if bottleneck.rounding == "original" and 2 in (
            bottleneck.levels,
            *bottleneck.random_levels,
        ):
            raise TaaeError("bottleneck.levels: original rounding is not defined for 2 levels")
        window_sides(self.attention.window, self.attention.causal)
        if not self.pretrained:
            self.training.check(self.segment_samples)


@dataclass(frozen=True)
class MOSNet:
    """Path or https URL of MOSNet's weights; empty: none."""

    weights: str


@dataclass(frozen=True)
class Metrics:
    """What is scored."""

    names: list[str]
    max_failed: float
    max_seconds: float
    mosnet: MOSNet


@dataclass(frozen=True)
class Bitrates:
    """Operating points (`taae.stages`) beside the native one, for the arms of `ablations`."""

    points: list[str]
    ablations: list[str]
    metrics: list[str]
    fit_minutes: float


@dataclass(frozen=True)
class Lengths:
    """The length study: test speech of `seconds`, through the arms of `ablation`."""

    seconds: list[float]
    ablation: str
    metrics: list[str]


@dataclass(frozen=True)
class Statistics:
    """Confidence intervals."""

    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class Ablation:
    """A comparison of variants with their reference."""

    title: str
    varies: list[str]
    reference: str
    variants: list[str]
    controls: list[str]
    primary: str

    @property
    def arms(self) -> list[str]:
        """The reference, then the variants."""
        return [self.reference, *self.variants]


@dataclass(frozen=True)
class Download:
    """Subsets of LibriSpeech that come from `url` into the folder `path`; see the schema."""

    path: str
    url: str
    subsets: list[str]


@dataclass(frozen=True)
class Study:
    """A resolved study: `variants` and `ablations` are the selected ones, baseline included.

    `download` is no part of `corpus`, since where the files came from changes nothing in it.
    `notes` say what the study does without, and are no warnings.
    """

    corpus: dict[str, Any]
    download: Download
    decoding: dict[str, Any]
    metrics: Metrics
    statistics: Statistics
    seeds: list[int]
    variants: dict[str, Variant]
    ablations: dict[str, Ablation]
    bitrates: Bitrates
    lengths: Lengths
    codecs: dict[str, Peer]
    warnings: list[str]
    notes: list[str]

    @classmethod
    def resolve(cls, config: dict[str, Any]) -> Study:
        """Validate a config (overlays merged) and resolve it.

        Raises:
            TaaeError: one line that says which key is wrong and why.
        """
        from taae.checks import check_study

        validate(config)
        full = with_defaults(_with_presets(config))
        # Unselected kinds of corpus play no part: editing them must rerun nothing.
        kinds = {"synthetic", "folder", "librispeech"} - {full["corpus"]["kind"]}
        corpus = {key: value for key, value in full["corpus"].items() if key not in kinds}
        download = _download(corpus)
        ablations = _ablations(full)
        _check_names(full)
        variants = _variants(full, ablations)
        metrics, notes = _metrics(full["metrics"])
        study = cls(
            corpus=corpus,
            download=download,
            decoding=full["decoding"],
            metrics=metrics,
            statistics=dacite.from_dict(
                Statistics, full["statistics"], dacite.Config(cast=[float])
            ),
            seeds=full["seeds"],
            variants=variants,
            ablations=ablations,
            bitrates=_bitrates(full["bitrates"]),
            lengths=dacite.from_dict(Lengths, full["lengths"], dacite.Config(cast=[float])),
            codecs=_codecs(full["codecs"], variants),
            warnings=[],
            notes=notes,
        )
        study.warnings.extend(check_study(study))
        return study

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Study:
        """Resolve config files laid over each other, as `snakemake --configfile` does."""
        config: dict[str, Any] = {}
        for path in paths:
            config = merge(config, read_yaml(Path(path)))
        return cls.resolve(config)

    def points(self, variant: str) -> list[str]:
        """The operating points that a variant is decoded at, the native one first.

        A pretrained variant is decoded at all of them.
        """
        probed = any(
            variant in self.ablations[name].arms
            for name in self.bitrates.ablations
            if name in self.ablations
        )
        if probed or self.variants[variant].pretrained:
            return [NATIVE, *self.bitrates.points]
        return [NATIVE]

    def seeds_of(self, variant: str) -> list[int]:
        """The seeds that a variant is run with; a pretrained one has no more than a number."""
        return self.seeds[:1] if self.variants[variant].pretrained else self.seeds

    @property
    def trained(self) -> list[str]:
        """The variants that are trained, as all but pretrained ones are."""
        return [name for name, variant in self.variants.items() if not variant.pretrained]

    @property
    def seedless(self) -> set[str]:
        """What no seed of the study has an effect on: other codecs and pretrained variants."""
        return {*self.codecs, *self.variants} - set(self.trained)

    def probed(self) -> list[tuple[str, int, str]]:
        """Variant, seed and operating point of each run whose real bitrate is measured."""
        return [
            (variant, seed, point)
            for variant in self.variants
            if len(self.points(variant)) > 1
            for seed in self.seeds_of(variant)
            for point in self.points(variant)
        ]

    @property
    def cost_arms(self) -> list[str]:
        """The variants whose costs are measured: those of ablations of attention or model."""
        found = [
            arm
            for ablation in self.ablations.values()
            if any(key.split(".")[0] in ("attention", "model") for key in ablation.varies)
            for arm in ablation.arms
        ]
        return list(dict.fromkeys(found))

    @property
    def length_arms(self) -> list[str]:
        """The variants of the length study; none where its ablation is not run."""
        ablation = self.ablations.get(self.lengths.ablation)
        return ablation.arms if ablation and self.lengths.seconds else []

    def variant(self, name: str) -> Variant:
        """Return a selected variant by name."""
        if name not in self.variants:
            raise TaaeError(f"no variant '{name}'; the study has {', '.join(self.variants)}")
        return self.variants[name]


def _download(corpus: dict[str, Any]) -> Download:
    """Return what `corpus` wants fetched, and take the keys that say so out of it."""
    if corpus["kind"] != "librispeech":
        return Download("", "", [])
    section = dict(corpus["librispeech"])
    wanted, url = section.pop("download"), section.pop("url")
    corpus["librispeech"] = section
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
    metrics = dacite.from_dict(Metrics, section, dacite.Config(cast=[float]))
    if "mosnet" not in metrics.names or metrics.mosnet.weights:
        return metrics, []
    names = [name for name in metrics.names if name != "mosnet"]
    if not names:
        raise TaaeError(f"config: metrics.names: only mosnet. {MOSNET_HELP}")
    return replace(metrics, names=names), [f"MOSNet is left out. {MOSNET_HELP}."]


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
    bitrates = dacite.from_dict(Bitrates, section, dacite.Config(cast=[float]))
    try:
        points = [name_of(stages_of(point)) for point in bitrates.points]
    except TaaeError as error:
        raise TaaeError(f"config: bitrates.points: {error}") from None
    return replace(bitrates, points=[p for p in dict.fromkeys(points) if p != NATIVE])


def _codecs(section: dict[str, Any], variants: dict[str, Variant]) -> dict[str, Peer]:
    found = {}
    for name, body in section.items():
        if name in variants:
            raise TaaeError(f"config: codecs.{name}: a variant has this name too")
        found[name] = dacite.from_dict(Peer, body, dacite.Config(cast=[float]))
        try:
            found[name].check()
        except TaaeError as error:
            raise TaaeError(f"config: codecs.{name}: {error}") from None
    return found


def _ablations(full: dict[str, Any]) -> dict[str, Ablation]:
    found = {name: dacite.from_dict(Ablation, body) for name, body in full["ablations"].items()}
    if full["select"] == "all":
        return found
    for name in full["select"]:
        if name not in found:
            raise TaaeError(f"config: select: no ablation '{name}'; there are {', '.join(found)}")
    return {name: found[name] for name in full["select"]}


def _variants(full: dict[str, Any], ablations: dict[str, Ablation]) -> dict[str, Variant]:
    base = {section: full[section] for section in SECTIONS}
    overrides = {BASELINE: {}, **full["variants"]}
    for name, ablation in ablations.items():
        for arm in ablation.arms:
            if arm not in overrides:
                raise TaaeError(
                    f"config: ablations.{name}: unknown variant '{arm}';"
                    f" variants has {', '.join(overrides)}"
                )
    if full["select"] == "all":
        names = list(overrides)
    else:
        chosen = {BASELINE} | {arm for ablation in ablations.values() for arm in ablation.arms}
        names = [name for name, body in overrides.items() if name in chosen or "pretrained" in body]
    variants = {}
    for name in names:
        try:
            variants[name] = Variant.from_dict(_sections(base, overrides[name]))
            variants[name].check()
        except TaaeError as error:
            raise TaaeError(f"config: variants.{name}: {error}") from None
    return variants


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


def _with_presets(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with each preset of a model replaced by its keys."""
    variants = {
        name: {**body, "model": expand(body["model"])} if "model" in body else body
        for name, body in config.get("variants", {}).items()
    }
    return {**config, "model": expand(config["model"]), "variants": variants}


def default_statistics() -> Statistics:
    """Return the schema's defaults, for tables that belong to no study."""
    return dacite.from_dict(Statistics, section_defaults("statistics"), dacite.Config(cast=[float]))


def canonical(value: Any) -> str:
    """Return a dataclass or JSON value as compact JSON with sorted keys: equal means equal."""
    plain = value if isinstance(value, (dict, list)) else asdict(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(*values: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `values`, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(canonical(value) for value in values).encode()).hexdigest()
