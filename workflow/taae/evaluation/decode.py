"""Speech of a corpus through a trained codec: its codes, and audio that one can hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from taae.codec.bitstream.entropy_model import ORDERS, Codes, EntropyModel, entropy_model_path
from taae.codec.codec import load_codec
from taae.codec.operating_points import NATIVE, stages_of
from taae.corpus.store import Split
from taae.evaluation.decoded_files import CODES, Audio, Coded, write_decoded
from taae.utils.files import atomic, write_npz
from taae.utils.log import progress
from taae.utils.precision import autocast
from taae.utils.sample_rate import SAMPLE_RATE

# From an utterance (samples,) to its codes (frames, columns) and what they decode to (samples,).
Coder = Callable[[Audio], tuple[Codes, Audio]]


@dataclass(frozen=True)
class Halves:
    """A codec in two halves, for one utterance at a time and so without padding.

    `encode` takes (samples,) to codes (frames, columns), `decode` codes and a number of samples
    back to so many. `levels` are those of each column, and `hop` the samples of a frame.
    """

    encode: Callable[[Audio], Codes]
    decode: Callable[[Codes, int], Audio]
    levels: Sequence[int]
    hop: int


def load_halves(
    model: Path,
    point: str = NATIVE,
    precision: str = "float32",
    threads: int = 1,
    device: str = "cpu",
) -> Halves:
    """Return the codec of a model folder at an operating point.

    `point` is as in `taae.codec.operating_points`.
    """
    torch.set_num_threads(threads)
    stages = stages_of(point)
    codec = load_codec(model).with_bottleneck(stages).to(device)

    def encode(audio: Audio) -> Codes:
        with autocast(precision, device):
            codes = codec.encode(torch.from_numpy(audio)[None].to(device))
        return codes[0].to(torch.uint8).cpu().numpy()

    def decode(codes: Codes, samples: int) -> Audio:
        numbers = torch.from_numpy(codes)[None].to(device, torch.int64)
        with autocast(precision, device):
            return codec.decode(numbers, samples)[0].float().cpu().numpy()

    return Halves(encode, decode, codec.config.bottleneck.alphabet(stages), codec.hop)


def load_coder(
    model: Path,
    point: str = NATIVE,
    precision: str = "float32",
    threads: int = 1,
    device: str = "cpu",
) -> Coder:
    """Return both halves of `load_halves` as one."""
    halves = load_halves(model, point, precision, threads, device)

    def code(audio: Audio) -> tuple[Codes, Audio]:
        codes = halves.encode(audio)
        return codes, halves.decode(codes, audio.size)

    return code


@torch.inference_mode()
def decode_split(
    model: Path,
    corpus: Path,
    outputs: Mapping[str, Path],
    precision: str = "float32",
    threads: int = 1,
    device: str = "cpu",
) -> None:
    """Encode every test utterance once, and decode it at each operating point.

    Writes to `outputs`[<point>] what `write_decoded` does, and codes.npz: per utterance an array
    (frames, columns) of uint8.
    """
    torch.set_num_threads(threads)
    codec = load_codec(model).to(device)
    views = {point: codec.with_bottleneck(stages_of(point)) for point in outputs}
    data = Split.open(corpus, "test")
    number = len(data.utterances)
    latents: list[Tensor] = []
    for index in progress(range(number), number, "encoding"):
        with autocast(precision, device):
            found = codec.latents(torch.from_numpy(data.audio(index))[None].to(device))
        latents.append(found.cpu())

    def decoded(point: str, codes: dict[str, Codes]) -> Iterator[tuple[str, Coded]]:
        view = views[point]
        for index, record in enumerate(progress(data.utterances, number, f"decoding {point}")):
            with autocast(precision, device):
                coded = view.quantizer.quantize(latents[index].to(device))
                wave = view.decode(coded, record.samples)[0].float().cpu().numpy()
            codes[record.utterance] = coded[0].to(torch.uint8).cpu().numpy()
            yield record.utterance, Coded(wave, coded.shape[1])

    for point, output in outputs.items():
        codes: dict[str, Codes] = {}
        write_decoded(decoded(point, codes), output)
        with atomic(output / CODES) as temporary:
            write_npz(codes, temporary)


def differing_codes(
    model: Path, corpus: Path, threads: int = 1, device: str = "cpu"
) -> pd.DataFrame:
    """Encode test utterances in float32 and under bfloat16 autocast; count what differs.

    They are the first of each speaker: CPUs without such instructions take long.

    Returns:
        A row per utterance: utterance, frames, differing_frames (any column differs), codes,
        differing_codes, largest (difference in levels).
    """
    torch.set_num_threads(threads)
    codec = load_codec(model).to(device)
    data = Split.open(corpus, "test")
    firsts = {record.speaker: index for index, record in reversed([*enumerate(data.utterances)])}
    rows = []
    for index in progress(sorted(firsts.values()), len(firsts), "encoding"):
        record = data.utterances[index]
        wave = torch.from_numpy(data.audio(index))[None].to(device)
        exact = codec.encode(wave)[0]
        with autocast("bfloat16", device):
            rough = codec.encode(wave)[0]
        apart = (exact - rough).abs()
        rows.append(
            {
                "utterance": record.utterance,
                "frames": len(exact),
                "differing_frames": int(apart.any(1).sum()),
                "codes": exact.numel(),
                "differing_codes": int((apart > 0).sum()),
                "largest": int(apart.max()),
            }
        )
    return pd.DataFrame(rows)


@torch.inference_mode()
def fit_entropy_models(
    model: Path,
    corpus: Path,
    output: Path,
    points: Sequence[str],
    minutes: float = 0.0,
    threads: int = 1,
    device: str = "cpu",
) -> None:
    """Fit an entropy model of each order to the training split, at each operating point.

    The utterances are encoded once, whatever the number of points; with `minutes` a random choice
    of that much speech at least, else all. Writes `output`/<point>/order0.npz and order1.npz.
    """
    torch.set_num_threads(threads)
    codec = load_codec(model).to(device)
    quantizers = {point: codec.with_bottleneck(stages_of(point)).quantizer for point in points}
    codes: dict[str, list[Codes]] = {point: [] for point in points}
    data = Split.open(corpus, "train")
    samples = np.fromiter((record.samples for record in data.records()), np.int64)
    ends, chosen = samples.cumsum(), _choose(samples, minutes)
    for index in progress(chosen, len(chosen), "encoding"):
        audio = data.segment(int(ends[index] - samples[index]), int(samples[index]))
        latents = codec.latents(torch.from_numpy(audio)[None].to(device))
        for point, quantizer in quantizers.items():
            codes[point].append(quantizer.quantize(latents)[0].to(torch.uint8).cpu().numpy())
    for point in points:
        levels = codec.config.bottleneck.alphabet(stages_of(point))
        for order in ORDERS:
            fitted = EntropyModel.fit(codes[point], levels, order)
            fitted.save(entropy_model_path(output, point, order))


def _choose(samples: NDArray[np.int64], minutes: float) -> list[int]:
    """Return utterances, drawn at random but always the same, of `minutes` in all; 0: all."""
    if not minutes:
        return list(range(len(samples)))
    order = np.random.default_rng(0).permutation(len(samples))
    enough = samples[order].cumsum() >= minutes * 60 * SAMPLE_RATE
    return sorted(order[: int(enough.argmax()) + 1 if enough.any() else None].tolist())
