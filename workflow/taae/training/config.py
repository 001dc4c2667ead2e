"""How a variant is trained, and what a variant is: a codec and its training. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from taae.codec.attention_window import window_sides
from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.codec.operating_points import NATIVE, nominal_bitrate, stages_of
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE
from taae.utils.settings import Distinct, NonEmpty, Settings, Share, default

BASELINE = "baseline"
TRUNK = "trunk"
SECTIONS = ("model", "attention", "bottleneck", "training")  # what a variant may override
Decay = Annotated[float, Field(ge=0, lt=1)]  # of an average, with each step


@dataclass(frozen=True)
class Loss(Settings):
    """Weights of the terms of the objective, and its STFT windows."""

    log_magnitude: NonNegativeFloat = 1.0
    """Weight of the L1 of log STFT magnitudes."""
    mel: NonNegativeFloat = 0.0
    """Weight of the L1 of log magnitudes in mel bands."""
    complex: NonNegativeFloat = 1.0
    """Weight of the relative error of complex STFTs, the term that sees the phase."""
    waveform: NonNegativeFloat = 1.0
    """Weight of the relative L1 of samples."""
    waveform_half_life: NonNegativeFloat = 0.0
    """[steps] Time in which the weight of the waveform term halves; 0: it stays."""
    adversarial: NonNegativeFloat = 0.0
    """Weight of the hinge loss of the discriminator's judgement, while the discriminator plays."""
    feature_matching: NonNegativeFloat = 0.0
    """Weight of the relative L1 of the discriminator's features, while the discriminator plays."""
    perceptual: NonNegativeFloat = 0.0
    """Weight of the distance of WavLM's features, in the perceptual stage."""
    windows: NonEmpty[Annotated[int, Field(ge=16, multiple_of=4)]] = default(
        [2048, 1024, 512, 256, 128]
    )
    """[samples] Windows of the STFTs."""
    overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.5
    """Share of a window that its neighbour overlaps."""


@dataclass(frozen=True)
class Discriminator(Settings):
    """The discriminator of complex STFTs, see `taae.training.adversarial`; when it plays."""

    share: Share = 0.0
    """Final share of the steps in which it plays; 0: never, 1: throughout."""
    fft_sizes: Annotated[Distinct[Annotated[int, Field(ge=16)]], Field(min_length=1)] = default(
        [78, 126, 206, 334, 542, 876, 1418, 2296]
    )
    """[samples] A network for each. The default is the paper's: neighbours are a golden ratio
    apart, so that their hops and bins never line up, where powers of two leave periodic
    artefacts."""
    width: PositiveInt = 32
    """Channels of its convolutions."""
    segment: NonNegativeFloat = 0.0
    """[s] Part of each training segment that it sees, cut at random; 0: all."""
    learning_rate: PositiveFloat = 3e-4
    """Learning rate of its AdamW; it has the codec's warm-up and decay, over its own steps."""

    @property
    def samples(self) -> int:
        """Samples of a segment that it sees; 0: all."""
        return round(self.segment * SAMPLE_RATE)


@dataclass(frozen=True)
class Perceptual(Settings):
    """The second stage, in which features of WavLM are matched; see `taae.training.losses`.

    It needs the extra taae[codecs].
    """

    share: Share = 0.0
    """Final share of the steps; 0: no such stage."""
    weights: str = ""
    """WavLM's weights: a folder that from_pretrained reads, or a repository of the Hugging Face hub
    (paper: microsoft/wavlm-large)."""
    layers: Distinct[NonNegativeInt] = default([])
    """Hidden states that are matched: 0 is the input of the first transformer layer, 1 its output;
    none: all."""


@dataclass(frozen=True)
class Training(Settings):
    """How a codec is trained, and on how many processes."""

    start: Literal["scratch", "trunk"] = "scratch"
    """`scratch`: random weights; `trunk`: the weights of the study's trunk, see
    `taae.training.trunk`."""
    replicate: NonNegativeInt = 0
    """Above 0: other draws of all that the seed fixes, for a control that differs by chance
    alone."""
    steps: PositiveInt = 1000
    """Updates of the weights."""
    batch: PositiveInt = 8
    """Segments per step, of all processes together."""
    accumulate: PositiveInt = 1
    """Parts that a batch is computed in, one after the other, to save memory; the gradients are
    those of the whole batch but for rounding."""
    segment: PositiveFloat = 5.12
    """[s] Length of a training segment, in whole latent frames."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Of the layers; bfloat16 is by autocast; auto: bfloat16 on a GPU or CPU that has instructions
    for it, else float32, since a CPU without them takes many times as long."""
    checkpointing: bool = False
    """Whether to keep no activations within the layers and compute them again in the backward pass:
    less memory, more time, the same gradients."""
    compile: bool = False
    """Whether to torch.compile the codec's layers, which takes a C++ compiler and half a minute."""
    threads: PositiveInt = 1
    """CPU threads of each process of a training."""
    gpus: NonNegativeInt = 0
    """GPUs of a training on each node, with a process for each; the processes share each batch
    equally, and the result is that of one process but for rounding; above 0, decoding and the
    like of its model use a GPU too, else the CPU."""
    processes: PositiveInt = 1
    """Processes of a training on each node where gpus is 0; they share each batch as with GPUs."""
    nodes: PositiveInt = 1
    """Machines of a training; under SLURM srun is called for it, else start it with torchrun on
    each (docs/cluster.md)."""
    optimizer: Literal["muon", "adamw"] = "muon"
    """`muon` (of the matrices, with AdamW for the rest), or `adamw`."""
    learning_rate: PositiveFloat = 1e-2
    """Learning rate of Muon, or of AdamW where it is alone."""
    adamw_learning_rate: PositiveFloat = 2e-3
    """Learning rate of AdamW beside Muon."""
    betas: Annotated[list[Decay], Field(min_length=2, max_length=2)] = default([0.8, 0.99])
    """AdamW: decay of the averages of the gradient and of its square."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay of both optimizers."""
    warmup: NonNegativeInt = 20
    """[steps] Linear warm-up of the learning rate."""
    decay: Share = 0.5
    """Final share of the steps in which the learning rate falls to 0."""
    ema: Decay = 0.99
    """Decay of the averaged weights, which are validated and exported."""
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""
    max_skipped: PositiveInt = 10
    """[steps] A step whose loss or gradient is not finite changes no weight; so many in a row stop
    the training."""
    validate_every: PositiveInt = 100
    """[steps] Interval of the validation."""
    loss: Loss = Loss()
    discriminator: Discriminator = Discriminator()
    perceptual: Perceptual = Perceptual()

    def first_step(self, share: float) -> int:
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
        if perceptual.share and not (loss.perceptual and perceptual.weights):
            raise TaaeError(
                "training.perceptual.share: the stage needs training.loss.perceptual above 0, and"
                " training.perceptual.weights: a folder with WavLM, or a repository of the Hugging"
                " Face hub such as microsoft/wavlm-large"
            )


def trunk_misfit(trunk: CodecConfig, arm: CodecConfig) -> str:
    """Say why a training of the codec `arm` cannot begin with the weights of `trunk`, if so."""
    for key, one, other in (
        ("model", trunk.model, arm.model),
        ("bottleneck.dimensions", trunk.bottleneck.dimensions, arm.bottleneck.dimensions),
        ("attention.causal", trunk.attention.causal, arm.attention.causal),
    ):
        if one != other:
            return f"{key} differs ({one} and {other})"
    return ""


@dataclass(frozen=True)
class Variant(Settings):
    """Everything that determines a training but for its corpus and its seed.

    `pretrained` names the folder of a model that is used as it is; then `training` is the
    baseline's, and tells no more than how many GPUs there are.
    """

    model: Model = Model()
    attention: Attention = Attention()
    bottleneck: Bottleneck = Bottleneck()
    training: Training = Training()
    pretrained: str = ""
    """Folder of a model (model.safetensors, config.json), or its name on the Hugging Face hub
    (user/name@revision), that is decoded and scored, never trained; stands alone."""

    @property
    def codec(self) -> CodecConfig:
        """The codec without its training."""
        return CodecConfig(self.model, self.attention, self.bottleneck)

    def bitrate(self, point: str = NATIVE) -> float:
        """Nominal bits per second: latents/s x dimensions x log2(levels)."""
        values = self.bottleneck.alphabet(stages_of(point))
        return nominal_bitrate(values, SAMPLE_RATE / self.model.hop)

    @property
    def segment_samples(self) -> int:
        """Samples of a training segment: `training.segment` in whole latent frames."""
        hop = self.model.hop
        return max(1, round(self.training.segment * SAMPLE_RATE / hop)) * hop

    @property
    def begins_with_trunk(self) -> bool:
        """Whether a training of it begins with the study's trunk."""
        return self.training.start == "trunk" and not self.pretrained

    def rates(self) -> list[float]:
        """Frames per second at each depth, from the waveform inwards."""
        frames = accumulate([self.model.patch, *self.model.strides], mul)  # in samples
        return [SAMPLE_RATE / samples for samples in frames]

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
            raise TaaeError(
                "bottleneck.levels, random_levels: original rounding is not defined for 2 levels"
            )
        for window in (self.attention.window, *self.attention.random_windows):
            window_sides(window, self.attention.causal)
        if not self.pretrained:
            self.training.check(self.segment_samples)
