"""Decoding: the test split through a trained codec, as codes and as audio that one can hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from taae.codec.codec import load_codec
from taae.codec.operating_points import NATIVE, stages_of
from taae.corpus.store import Split
from taae.evaluation.decoded import AUDIO, CODES, TABLE
from taae.utils.audio import write_flac
from taae.utils.files import atomic, write_csv, write_npz
from taae.utils.log import progress
from taae.utils.precision import autocast


def decode_split(
    model: Path,
    corpus: Path,
    output: Path,
    split: str = "test",
    precision: str = "float32",
    threads: int = 1,
    point: str = NATIVE,
    device: str = "cpu",
) -> None:
    """Encode and decode every utterance of a split, one at a time and so without padding.

    `point` is an operating point, see `taae.codec.operating_points`. Writes to `output`:
        audio/<utterance>.flac: 16 bit, exactly as long as its reference;
        codes.npz: one array (frames, columns) of uint8 per utterance;
        utterances.csv: utterance, samples, frames, clipped (samples beyond +-1 that were clipped)
            and the SHA-256 of the 16-bit samples.
    """
    torch.set_num_threads(threads)
    codec = load_codec(model).with_bottleneck(stages_of(point)).to(device)
    data = Split.open(corpus, split)
    codes: dict[str, NDArray[np.uint8]] = {}
    rows = []
    with atomic(output / AUDIO) as folder, autocast(precision, device):
        records = progress(data.utterances, len(data.utterances), "decoding")
        for index, record in enumerate(records):
            wave = torch.from_numpy(data.audio(index))[None].to(device)
            coded = codec.encode(wave)
            decoded = codec.decode(coded, record.samples)[0].float().cpu().numpy()
            codes[record.utterance] = coded[0].to(torch.uint8).cpu().numpy()
            rows.append(
                {
                    "utterance": record.utterance,
                    "samples": record.samples,
                    "frames": coded.shape[1],
                    "clipped": int((np.abs(decoded) > 1).sum()),
                    "sha256": write_flac(folder / f"{record.utterance}.flac", decoded),
                }
            )
    with atomic(output / CODES) as temporary:
        write_npz(codes, temporary)
    write_csv(pd.DataFrame(rows), output / TABLE)
