"""What the measurements share: hardware, speech, rounds in turns, and the JSON line at the end."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import soundfile
import torch

from taae.corpus.config import Corpus, Synthetic, SyntheticSplit, SyntheticTraining
from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute
from taae.utils.precision import resolve
from taae.utils.sample_rate import SAMPLE_RATE

SNR = 15.0  # dB of the white noise that stands for a codec
Name = TypeVar("Name")
Work = Callable[[], object]
Device = Literal["cpu", "cuda"]


@contextmanager
def hardware(device: Device | None) -> Iterator[str]:
    """Yield the torch device; None: the GPU where torch sees one, else the CPU.

    A GPU is this process's own until the end, since a training on it would slow both down.
    """
    wanted = device == "cuda" or (device is None and torch.cuda.device_count() > 0)
    with ExitStack() as held:
        try:
            yielded = held.enter_context(compute(int(wanted)))
        except TaaeError as error:
            raise TaaeError(f"bench: {error}; here: give --device cpu") from error
        yield yielded


def precisions(device: str) -> list[str]:
    """Return float32 and, where the hardware multiplies it, bfloat16."""
    return list(dict.fromkeys(["float32", resolve("auto", device)]))


@contextmanager
def speech_corpus() -> Iterator[Path]:
    """Yield the folder of a corpus of synthetic speech, prepared now."""
    voices = Synthetic(train=SyntheticTraining(1, minutes=1.0), test=SyntheticSplit(voices=12))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Corpus(synthetic=voices).chosen(), Path(folder))
        yield Path(folder)


def write_pairs(corpus: Path, folder: Path, joined: int = 1, most: int | None = None) -> float:
    """Write test utterances as reference/ and, with noise, as decoded/; return their seconds.

    The first `most` (None: all) are taken, and every `joined` of them make one.
    """
    data, rng = Split.open(corpus, "test"), np.random.default_rng(0)
    samples = 0
    for index in range(0, most or len(data.utterances), joined):
        clean = np.concatenate([data.audio(index + place) for place in range(joined)])
        noise = rng.normal(size=clean.size) * clean.std() * 10 ** (-SNR / 20)
        for side, audio in (("reference", clean), ("decoded", clean + noise)):
            # Audio in no speaker's folder would be warned of.
            path = folder / side / "anyone" / f"{index:04}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.clip(audio, -1, 1), SAMPLE_RATE)
        samples += clean.size
    return samples / SAMPLE_RATE


def medians(works: Mapping[Name, Work], seconds: float, least: int = 3) -> dict[Name, float]:
    """Return the median seconds of each work, run in turns: all meet the same disturbances.

    One round is not counted; of the others there are at least `least`, for about `seconds`.
    """
    times: dict[Name, list[float]] = {name: [] for name in works}
    begun = time.perf_counter()
    for turn in count():
        for name, work in works.items():
            started = now()
            work()
            times[name].append(now() - started)
        if turn >= least and time.perf_counter() - begun > seconds:
            break
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def now() -> float:
    """Return seconds, once the GPU has done what was asked of it."""
    if torch.cuda.is_initialized():  # else this would take memory of a GPU that is another's
        torch.cuda.synchronize()
    return time.perf_counter()


def report(device: str, figures: dict[str, Any]) -> None:
    """Print figures as the one JSON line that ends a benchmark."""
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(json.dumps({**figures, "device": name, "threads": torch.get_num_threads()}))
