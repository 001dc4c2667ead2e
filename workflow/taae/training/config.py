"""How a variant is trained, and what a variant is: a codec and its training. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dacite

from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.codec.operating_points import NATIVE, alphabet, nominal_bitrate, stages_of
from taae.codec.window import rates, window_sides
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE

BASELINE = "baseline"
SECTIONS = ("model", "attention", "bottleneck", "training")  # what a variant may override


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
    """The stage in which features of WavLM are matched, see `taae.training.wavlm`."""

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
        """Build from plain sections, which have every key."""
        try:
            return dacite.from_dict(cls, sections, dacite.Config(strict=True, cast=[float]))
        except dacite.DaciteError as error:
            raise TaaeError(f"variant: {error}") from error

    @property
    def codec(self) -> CodecConfig:
        """The codec without its training."""
        return CodecConfig(self.model, self.attention, self.bottleneck)

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
